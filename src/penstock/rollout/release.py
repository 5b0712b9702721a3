"""The state machine of a release: the only writer of traffic weights."""

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from penstock.domain.evaluation import Decision
from penstock.domain.models import ModelVersion
from penstock.domain.releases import Release, Training
from penstock.domain.workspace import Workspace
from penstock.errors import Refused
from penstock.store import database, records, tables, tracking
from penstock.store.ledger import Act, append_audit

WHOLE = 100.0


def find_champion(project: str, training: Training, workspace: Workspace) -> ModelVersion | None:
    """Return the version that a training is to beat: the one that serves, or None before the first release.

    Parameters
    ----------
    project
        The project's name.
    training
        The training that asks. If it was killed after its own version was released, the version to beat is the one
        that its version replaced, so that it comes to the same decision again.
    workspace
        Where releases are kept.

    Returns
    -------
    ModelVersion or None
        The version with the largest weight of the newest release.

    Raises
    ------
    NotFound
        If the release names a version that is not kept.
    """
    serving = records.newest_release(project, workspace)
    if serving is None:
        return None
    version = records.find_version(project, serving.version, workspace)
    if version.training != training.id:
        return version
    return None if serving.previous is None else records.find_version(project, serving.previous, workspace)


def open_release(decision: Decision, workspace: Workspace) -> Release:
    """Release the version that a decision promotes; the same decision opens one release.

    Parameters
    ----------
    decision
        A decision whose verdict is `promote`, with its version.
    workspace
        Where releases are kept.

    Returns
    -------
    Release
        The release at 100 %.

    Raises
    ------
    Refused
        If the decision does not promote, a gate of the version does not hold, or the version was rolled back.
    """
    version = _promoted(decision)
    with database.connect(workspace).begin() as connection:
        table = tables.releases
        there = connection.execute(sa.select(table).where(table.c.decision == decision.id)).one_or_none()
        if there is not None:
            return records.release_of(there)
        _refuse_rolled_back(connection, decision.project, version)
        return _replace(
            connection,
            decision.project,
            version,
            actor="policy",
            reason=" ".join(decision.reasons),
            decision=decision.id,
            leaves="superseded",
        )


def release_version(project: str, version: str, *, actor: str, reason: str, workspace: Workspace) -> Release:
    """Release a version by a person's hand, held versions too; the audit says what its decision was.

    Parameters
    ----------
    project, version
        A registered version of the project.
    actor, reason
        Who asks, and why.
    workspace
        Where releases are kept.

    Returns
    -------
    Release
        The release at 100 %; the one there is, if the version serves.

    Raises
    ------
    NotFound
        If the project has no such version.
    Refused
        If the version has no gates, or one does not hold.
    """
    records.find_version(project, version, workspace)
    decisions = records.list_records("decision", project, Decision, workspace)
    decision = next((each for each in reversed(decisions) if each.version == version), None)
    if decision is None:
        raise Refused(
            f"Version {version} of {project!r} must have passed its gates, but has none. Train it to its end."
        )
    broken = [gate for gate in decision.gates if not gate.held]
    if broken:
        said = "; ".join(f"{gate.name}: {gate.detail}" for gate in broken)
        raise Refused(f"Version {version} of {project!r} must hold every gate, but does not: {said}", details=[said])
    note = "" if decision.verdict == "promote" else f" (the judge had said {decision.verdict})"
    with database.connect(workspace).begin() as connection:
        serving = _newest(connection, project)
        if serving is not None and serving.version == version:
            return serving
        return _replace(
            connection, project, version, actor=actor, reason=f"{reason or 'by hand'}{note}", leaves="superseded"
        )


def roll_back(project: str, *, actor: str, reason: str, workspace: Workspace) -> Release:
    """Give all traffic back to the version that answered before.

    Parameters
    ----------
    project
        A project with a release.
    actor, reason
        Who asks, and why.
    workspace
        Where releases are kept.

    Returns
    -------
    Release
        The new release, of the former version.

    Raises
    ------
    Refused
        If no version answered before.
    """
    with database.connect(workspace).begin() as connection:
        serving = _newest(connection, project)
        if serving is None or serving.previous is None:
            found = "has no release" if serving is None else f"has released version {serving.version} only"
            raise Refused(f"A rollback needs a version that answered before, but {project!r} {found}.")
        return _replace(
            connection,
            project,
            serving.previous,
            actor=actor,
            reason=reason or "rolled back by hand",
            leaves="rolled_back",
        )


def write_alias(release: Release, workspace: Workspace) -> Release:
    """Point the alias `champion` at the version that serves, and remember the value written.

    Parameters
    ----------
    release
        The newest release of a project.
    workspace
        Where MLflow and the releases are.

    Returns
    -------
    Release
        The release, with the alias value that was written.

    Raises
    ------
    SourceUnavailable
        If MLflow does not answer; the release stands all the same.
    """
    if tracking.find_alias(release.project, workspace) != release.version:
        tracking.set_alias(release.project, release.version, workspace)
    table = tables.releases
    with database.connect(workspace).begin() as connection:
        connection.execute(sa.update(table).where(table.c.id == release.id).values(alias_seen=release.version))
        return records.release_of(connection.execute(sa.select(table).where(table.c.id == release.id)).one())


def _promoted(decision: Decision) -> str:
    if decision.verdict != "promote" or decision.version is None:
        raise Refused(f"A release needs a decision that promotes a version, but this one says {decision.verdict!r}.")
    broken = [gate.name for gate in decision.gates if not gate.held]
    if broken:
        raise Refused(f"Version {decision.version} must hold every gate, but does not hold: {', '.join(broken)}.")
    return decision.version


def _newest_row(connection: sa.Connection, project: str) -> sa.CursorResult[Any]:
    table = tables.releases
    return connection.execute(sa.select(table).where(table.c.project == project).order_by(table.c.id.desc()).limit(1))


def _newest(connection: sa.Connection, project: str) -> Release | None:
    row = _newest_row(connection, project).one_or_none()
    return None if row is None else records.release_of(row)


def _refuse_rolled_back(connection: sa.Connection, project: str, version: str) -> None:
    table = tables.releases
    taken_back = connection.execute(
        sa.select(table.c.reason).where(
            table.c.project == project, table.c.version == version, table.c.state == "rolled_back"
        )
    ).first()
    if taken_back is not None:
        raise Refused(
            f"Version {version} of {project!r} was rolled back, so only a person may release it again: "
            f"`penstock release {project} {version}`."
        )


def _replace(  # noqa: PLR0913  one row's facts
    connection: sa.Connection,
    project: str,
    version: str,
    *,
    actor: str,
    reason: str,
    leaves: str,
    decision: str | None = None,
) -> Release:
    table = tables.releases
    before = _newest(connection, project)
    if before is not None:
        connection.execute(sa.update(table).where(table.c.id == before.id).values(state=leaves))
    connection.execute(
        sa.insert(table).values(
            project=project,
            version=version,
            state="serving",
            weights={version: WHOLE},
            opened_at=datetime.now(UTC),
            actor=actor,
            reason=reason,
            previous=_former(connection, project, version, before),
            decision=decision,
            alias_seen=before.alias_seen if before else None,
        )
    )
    action = "release.rolled_back" if leaves == "rolled_back" else "release.moved"
    weights_before = before.weights if before else {}
    append_audit(connection, Act(actor, action, project, reason, after={version: WHOLE}, before=weights_before))
    return records.release_of(_newest_row(connection, project).one())


def _former(connection: sa.Connection, project: str, version: str, before: Release | None) -> str | None:
    """Return the version to go back to: the one before, or what that version itself had replaced."""
    if before is None:
        return None
    if before.previous != version:
        return before.version
    table = tables.releases
    earlier = connection.execute(
        sa.select(table.c.previous)
        .where(table.c.project == project, table.c.version == version)
        .order_by(table.c.id)
        .limit(1)
    ).one_or_none()
    return None if earlier is None else earlier.previous
