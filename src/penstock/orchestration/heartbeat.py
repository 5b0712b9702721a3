"""The sign of life of `control`: when each of its lanes ticked last, and what its jobs failed with."""

import json
import os
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

from penstock.domain.workspace import Workspace

FILE = "control-beat.json"
FRESH_SECONDS = 15.0  # it beats every 2 s


@dataclass(frozen=True, slots=True)
class Beat:
    """What `control` says of itself: times in seconds since 1970, and for each failing job its last error."""

    pid: int
    at: float
    lanes: dict[str, float] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)


def write_beat(lanes: dict[str, float], errors: dict[str, str], workspace: Workspace) -> None:
    """Leave a sign of life, whole or not at all."""
    path = _path(workspace)
    draft = path.with_suffix(f".{os.getpid()}")
    draft.write_text(json.dumps(asdict(Beat(os.getpid(), time.time(), lanes, errors))))
    draft.replace(path)


def read_beat(workspace: Workspace) -> Beat | None:
    """Return the last sign of life, None if there is none."""
    try:
        return Beat(**json.loads(_path(workspace).read_text()))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def control_is_well(workspace: Workspace, since: float) -> bool:
    """Return whether `control` has given a sign of life lately, and after a time (seconds since 1970)."""
    beat = read_beat(workspace)
    return beat is not None and beat.at >= max(since, time.time() - FRESH_SECONDS)


def _path(workspace: Workspace) -> Path:
    return workspace.parts / FILE
