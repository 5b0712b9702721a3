"""The rows, audit entries and notices of a release's transitions, written inside the caller's transaction."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from penstock.domain.events import RELEASE_MOVED, RELEASE_ROLLED_BACK, Notice
from penstock.domain.releases import Release
from penstock.errors import Refused
from penstock.rollout import history
from penstock.store import outbox, tables
from penstock.store.alias_requests import overtake_requests, settle_request
from penstock.store.ledger import Act, append_audit

WHOLE = 100.0
VALID_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Cause:
    """Who moves traffic, why, and what it follows from: a decision, or a move of the alias by its number."""

    actor: str
    reason: str
    incident: str | None = None
    decision: str | None = None
    request: int | None = None


def settle(connection: sa.Connection, made: Release, cause: Cause) -> Release:
    """Settle the request that a release follows, if it follows one; others that are open are overtaken by it.

    Raises
    ------
    Refused
        If the request is open no longer: a person has moved traffic by hand since it was read.
    """
    state, said = "proposed" if made.state == "pending_approval" else "followed", f"Release {made.id}."
    if cause.request is not None and not settle_request(connection, cause.request, state, said):
        raise Refused(f"Request {cause.request} must be open, but traffic of {made.project!r} was moved by hand since.")
    overtake_requests(connection, made.project, f"Release {made.id} of version {made.version} came after it.")
    return made


def serve(
    connection: sa.Connection, project: str, version: str, cause: Cause, *, leaves: str = "superseded"
) -> Release:
    """Write a row that gives a version everything; the row before leaves in the state given."""
    before = history.newest(connection, project)
    if before is not None:
        if before.active and before.version != version and leaves == "superseded":
            note_end(connection, before, version, cause)
        _leave(connection, before, leaves)
        _end_serving(connection, project)
    back = leaves == "rolled_back"
    previous = history.former(connection, version, before, back=back)
    values = {"state": "serving", "weights": {version: WHOLE}, "previous": previous}
    made = _insert(connection, (project, version, before), cause, values)
    _tell(connection, made, before, cause, "release.rolled_back" if back else "release.moved")
    return made


def propose(connection: sa.Connection, before: Release, version: str, cause: Cause) -> Release:
    """Write the row of a version that waits for approval; a rollout of another version ends."""
    _end_rollout(connection, before, version, cause)
    values = {"state": "pending_approval", "weights": {before.champion: WHOLE}, "previous": before.champion}
    made = _insert(connection, (before.project, version, before), cause, values)
    _tell(connection, made, before, cause, "release.proposed")
    return made


def begin(connection: sa.Connection, before: Release, version: str, cause: Cause, stages: Sequence[float]) -> Release:
    """Write the row of a rollout at its first stage; a rollout of another version ends."""
    if stages[0] >= WHOLE:
        return serve(connection, before.project, version, cause)
    _end_rollout(connection, before, version, cause)
    made = _insert(connection, (before.project, version, before), cause, stage(before.champion, version, 0, stages))
    _tell(connection, made, before, cause, "release.opened")
    return made


def reach(connection: sa.Connection, release: Release, number: int, stages: Sequence[float], cause: Cause) -> Release:
    """Bring the row of a rollout to a stage; the last one makes it the release that serves."""
    table = tables.releases
    if number >= len(stages) or stages[number] >= WHOLE:
        _end_serving(connection, release.project)
        values: dict[str, Any] = {"state": "serving", "weights": {release.version: WHOLE}, "stage": number}
        values |= {"stage_began": datetime.now(UTC), "valid_until": None}
    else:
        values = stage(release.champion, release.version, number, stages)
    connection.execute(sa.update(table).where(table.c.id == release.id).values(values))
    reached = history.newest(connection, release.project)
    assert reached is not None  # noqa: S101  it was updated in this transaction
    _tell(connection, reached, release, cause, "release.moved")
    return reached


def stage(champion: str, challenger: str, number: int, stages: Sequence[float]) -> dict[str, Any]:
    """Return the columns of a rollout at a stage below 100 %."""
    share, now = float(stages[number]), datetime.now(UTC)
    return {
        "state": "partial" if share > 0 else "shadow",
        "weights": {champion: WHOLE - share, challenger: share},
        "previous": champion,
        "stage": number,
        "stage_began": now,
        "valid_until": now + timedelta(seconds=VALID_SECONDS),
    }


def note_end(connection: sa.Connection, ended: Release, version: str, cause: Cause) -> None:
    """Write the audit entry of a rollout that another version ends."""
    reason = f"The rollout of version {ended.version} ends, because version {version} takes its place."
    append_audit(
        connection,
        Act(cause.actor, "release.superseded", ended.project, reason, version, ended.version, incident=ended.incident),
    )


def note_answer(connection: sa.Connection, waiting: Release, action: str, cause: Cause) -> Cause:
    """Write the audit entry of what a person said of a proposal; return it with the proposal's incident."""
    said = Cause(cause.actor, cause.reason or action.partition(".")[2], waiting.incident)
    append_audit(
        connection,
        Act(said.actor, action, waiting.project, said.reason, waiting.version, incident=waiting.incident),
    )
    return said


def _end_rollout(connection: sa.Connection, before: Release, version: str, cause: Cause) -> None:
    if before.active:
        note_end(connection, before, version, cause)
        _leave(connection, before, "superseded")


def _leave(connection: sa.Connection, before: Release, state: str) -> None:
    table = tables.releases
    connection.execute(sa.update(table).where(table.c.id == before.id).values(state=state, valid_until=None))


def _end_serving(connection: sa.Connection, project: str) -> None:
    table = tables.releases
    serving = sa.and_(table.c.project == project, table.c.state == "serving")
    connection.execute(sa.update(table).where(serving).values(state="superseded"))


def _insert(
    connection: sa.Connection, place: tuple[str, str, Release | None], cause: Cause, values: dict[str, Any]
) -> Release:
    """Write the newest row of a project, for a version, after another row."""
    project, version, before = place
    facts = {
        "project": project,
        "version": version,
        "opened_at": datetime.now(UTC),
        "actor": cause.actor,
        "reason": cause.reason,
        "decision": cause.decision,
        "incident": cause.incident,
        "alias_seen": before.alias_seen if before else None,
    }
    connection.execute(sa.insert(tables.releases).values(facts | values))
    made = history.newest(connection, project)
    assert made is not None  # noqa: S101  it was inserted in this transaction
    return made


def _tell(connection: sa.Connection, made: Release, before: Release | None, cause: Cause, action: str) -> None:
    """Write the audit entry and the notice of a transition."""
    weights, reason = before.weights if before else {}, cause.reason
    if made.state == "pending_approval":
        reason = f"{reason} `penstock approve {made.id}` lets it begin, `penstock reject {made.id}` does not."
    append_audit(
        connection, Act(cause.actor, action, made.project, reason, made.weights, weights, incident=cause.incident)
    )
    payload = {
        "release": made.id,
        "version": made.version,
        "champion": made.champion,
        "state": made.state,
        "weights": made.weights,
        "left": before.version if before else None,
        "actor": cause.actor,
        "reason": cause.reason,
    }
    event = RELEASE_ROLLED_BACK if action == "release.rolled_back" else RELEASE_MOVED
    place = made.state if made.stage is None else made.stage
    outbox.post(connection, Notice(f"release:{made.id}:{place}", event, made.project, payload, cause.incident))
