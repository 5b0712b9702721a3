"""Which versions answer, who moved them, and what people said of the answers."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

ReleaseState = Literal["none", "held", "pending_approval", "shadow", "partial", "serving", "rolled_back", "superseded"]
ACTIVE: frozenset[str] = frozenset({"pending_approval", "shadow", "partial"})  # a rollout that has not ended


@dataclass(frozen=True, slots=True)
class Release:
    """Which versions of a project answer, with which weights in percent, since when, by whose decision.

    While a rollout lasts (`pending_approval`, `shadow`, `partial`), `version` is the challenger and `previous` the
    champion; `stage` is the place in `rollout.stages`, reached at `stage_began`; the challenger's weight counts until
    `valid_until` (wall time), which `control` renews. `incident` is the id of the decision that all this follows from.
    """

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
    incident: str | None = None
    stage: int | None = None
    stage_began: datetime | None = None
    valid_until: datetime | None = None

    @property
    def active(self) -> bool:
        """Whether a rollout is under way."""
        return self.state in ACTIVE

    @property
    def champion(self) -> str:
        """The version that answers, unless a rollout gives another a share."""
        return self.previous if self.active and self.previous is not None else self.version


@dataclass(frozen=True, slots=True)
class AliasRequest:
    """A move of the alias `champion` that was seen in MLflow, from version `before`, and what became of it.

    `version` is None where the alias was taken away. States: `open`, `followed`, `proposed` (a person must agree),
    `refused`, `overtaken` by a later move.
    """

    number: int
    project: str
    version: str | None
    before: str | None
    seen_at: datetime
    state: str
    actor: str
    reason: str


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
    incident: str | None = None
    link: str | None = None


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

    `study` names its folder under `Workspace.searches`; `resumed` counts the processes that took it over; `incident` is
    the id of the decision that asked for it.
    """

    id: str
    project: str
    study: str
    started_at: datetime
    resumed: int = 0
    incident: str | None = None
