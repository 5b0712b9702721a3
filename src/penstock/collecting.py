"""How often a process looks for garbage."""

import gc

OBJECTS = 10_000  # Python's own 700 are few


def collect_rarely() -> None:
    """Let this process look for garbage in cycles less often than Python does by itself.

    Importing a library makes objects by the hundred thousand, and no garbage: a command spends a tenth of its
    seconds on looking for some, Prefect's server a sixth of its start. What a cycle keeps is freed a little later.
    """
    gc.set_threshold(OBJECTS)
