"""What Penstock tells Prefect: events, kept in the outbox until they were told."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

DRIFT_DETECTED = "penstock.drift.detected"
DATA_BLOCKED = "penstock.data.blocked"
MODEL_REGISTERED = "penstock.model.registered"
RELEASE_MOVED = "penstock.release.moved"
RELEASE_ROLLED_BACK = "penstock.release.rolled_back"
ALIAS_REFUSED = "penstock.alias.refused"
SERVICE_DEGRADED = "penstock.service.degraded"


@dataclass(frozen=True, slots=True)
class Notice:
    """An event to be told, once for each key; `incident` is the id of the decision that it follows from."""

    key: str
    event: str
    project: str
    payload: dict[str, Any]
    incident: str | None = None


@dataclass(frozen=True, slots=True)
class Posted:
    """A notice in the outbox: when it was written and told, and whether what it asks for has begun.

    `flow_run` is the flow run that it led to; `note` says how.
    """

    number: int
    notice: Notice
    created_at: datetime
    emitted_at: datetime | None = None
    settled_at: datetime | None = None
    flow_run: str | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """Which process works, or worked, on what a decision asks for; `training` is the training that came of it."""

    decision: str
    project: str
    pid: int
    started: float
    host: str
    claimed_at: datetime
    flow_run: str | None = None
    training: str | None = None
    ended_at: datetime | None = None
    taken_over: int = 0
