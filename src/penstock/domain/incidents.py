"""The story of one incident: from the window that showed a loss to the version that answers."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that happened: when (wall time), who did it, what it was, and where more is shown."""

    at: datetime
    who: str
    what: str
    link: str | None = None


@dataclass(frozen=True, slots=True)
class Story:
    """What followed from the decision `incident`, in the order of time.

    `outcome` is one sentence; `facts` are the same links of the chain as plain values.
    """

    project: str
    incident: str
    outcome: str
    lines: tuple[Line, ...]
    facts: dict[str, Any]
