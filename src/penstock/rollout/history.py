"""What the rows of `releases` say, read inside the transaction that writes the next one."""

from typing import Any

import sqlalchemy as sa

from penstock.domain.models import ModelVersion
from penstock.domain.releases import Release, Training
from penstock.domain.workspace import Workspace
from penstock.errors import NotFound, Refused
from penstock.store import records, tables
from penstock.store.database import reading


def find_champion(project: str, training: Training, workspace: Workspace) -> ModelVersion | None:
    """Return the version that a training is to beat: the one that answers, or None before the first release.

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
        The champion of the newest release: while a rollout lasts, the version that answered before it.

    Raises
    ------
    NotFound
        If the release names a version that is not kept.
    """
    release = records.newest_release(project, workspace)
    if release is None:
        return None
    version = records.find_version(project, release.champion, workspace)
    if version.training != training.id:
        return version
    return None if release.previous is None else records.find_version(project, release.previous, workspace)


def find_release(identity: int, workspace: Workspace) -> Release:
    """Return a release by its number.

    Raises
    ------
    NotFound
        If there is none.
    """
    with reading(workspace).begin() as connection:
        found = with_id(connection, identity)
    if found is None:
        raise NotFound(f"No release has the number {identity}. `penstock audit NAME` tells those of a project.")
    return found


def active_releases(workspace: Workspace) -> list[Release]:
    """Return the rollouts that are under way, one a project at most."""
    return [release for release in records.newest_releases(workspace) if release.active]


def newest(connection: sa.Connection, project: str) -> Release | None:
    """Return the row that says who answers, or None before the first release."""
    table = tables.releases
    return _one(connection, sa.select(table).where(table.c.project == project).order_by(table.c.id.desc()).limit(1))


def with_id(connection: sa.Connection, identity: int) -> Release | None:
    """Return a release by its number, or None."""
    return _one(connection, sa.select(tables.releases).where(tables.releases.c.id == identity))


def unmoved(connection: sa.Connection, release: Release) -> Release | None:
    """Return the row of a rollout, None if it was moved or ended since it was read."""
    there = with_id(connection, release.id)
    if there is None or (there.state, there.stage) != (release.state, release.stage):
        return None
    return there


def waiting(connection: sa.Connection, release: Release) -> Release:
    """Return the row of a release that waits for approval.

    Raises
    ------
    Refused
        If it does not wait.
    """
    there = with_id(connection, release.id)
    state = None if there is None else there.state
    if there is None or state != "pending_approval":
        raise Refused(f"Release {release.id} must wait for approval, but is {state!r}.")
    return there


def opened_by(connection: sa.Connection, decision: str) -> Release | None:
    """Return the release that a decision opened, or None."""
    return _one(connection, sa.select(tables.releases).where(tables.releases.c.decision == decision))


def former(connection: sa.Connection, version: str, before: Release | None, *, back: bool) -> str | None:
    """Return the version to go back to from a version that gets everything, perhaps `back`: the champion before it.

    Where a version has everything back, or keeps it, that is the champion before it when it last got everything and
    was not rolled back from that.
    """
    if before is None:
        return None
    if not back and version != before.champion:
        return before.champion
    table = tables.releases
    query = sa.select(table).where(table.c.project == before.project, table.c.version == version)
    found = connection.execute(query.where(table.c.state != "rolled_back").order_by(table.c.id.desc()))
    return next((row.previous for row in found if set(row.weights) == {version}), None)  # others never had everything


def was_taken_back(connection: sa.Connection, project: str, version: str) -> bool:
    """Return whether a version was rolled back, and nobody has released it since."""
    table = tables.releases
    query = sa.select(table.c.state).where(table.c.project == project, table.c.version == version)
    state = connection.execute(query.order_by(table.c.id.desc()).limit(1)).scalar_one_or_none()
    return bool(state == "rolled_back")


def incident_of(connection: sa.Connection, project: str, version: str) -> str | None:
    """Return the decision that asked for the training of a version, None if a person did."""
    versions, trainings = tables.versions, tables.trainings
    query = sa.select(trainings.c.incident).where(
        trainings.c.id == versions.c.training, versions.c.project == project, versions.c.version == version
    )
    return connection.execute(query).scalar_one_or_none()


def approvals(connection: sa.Connection, project: str) -> int:
    """Return how many proposals of a project people have confirmed."""
    table = tables.audit
    query = sa.select(sa.func.count()).where(table.c.project == project, table.c.action == "release.approved")
    return int(connection.execute(query).scalar_one())


def _one(connection: sa.Connection, query: sa.Select[Any]) -> Release | None:
    row = connection.execute(query).one_or_none()
    return None if row is None else records.release_of(row)
