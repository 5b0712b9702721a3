"""Which versions answer, who moved them, and what people said of the answers."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

ReleaseState = Literal["none", "held", "pending_approval", "shadow", "partial", "serving", "rolled_back", "superseded"]


@dataclass(frozen=True, slots=True)
class Release:
    """Which versions of a project answer, with which weights in percent, since when, by whose decision."""

    id: int
    project: str
    version: str
    state: ReleaseState
    weights: dict[str, float]
    opened_at: datetime
    actor: str
    reason: str
    previous: str | None = None
    decision: str | None = None
    alias_seen: str | None = None


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """Who did what, when, why, before and after; `hash` covers the entry and the hash before it."""

    number: int
    at: datetime
    actor: str
    action: str
    project: str | None
    reason: str
    before: str
    after: str
    hash: str


@dataclass(frozen=True, slots=True)
class Label:
    """The true value of one answered row."""

    project: str
    request_id: str
    row: int
    value: str
    source: str
    observed_at: datetime
    received_at: datetime
    probability: float = 1.0
    picked: bool = False


@dataclass(frozen=True, slots=True)
class LabelCounts:
    """What became of labels that were sent."""

    accepted: int
    superseded: int
    unknown: int


@dataclass(frozen=True, slots=True)
class Training:
    """One training of a project, resumed under the same id after a kill.

    `study` names its folder under `Workspace.searches`; `resumed` counts the processes that took it over.
    """

    id: str
    project: str
    study: str
    started_at: datetime
    resumed: int = 0
