"""Who opens: the part of keys that a request meets."""

from typing import Literal, Protocol

Opening = Literal["opens", "unknown", "elsewhere"]


class Doors(Protocol):
    """Whoever says which keys open which projects."""

    def opening(self, token: str, project: str) -> Opening:
        """Say whether a key opens a project, is unknown, or opens other projects only."""
        ...

    def look_again(self, asked: float) -> None:
        """Have read the keys after a moment (of `time.monotonic`); may block."""
        ...
