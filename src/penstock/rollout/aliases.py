"""The alias `champion` in MLflow as a copy of what answers: written, and remembered as it was last seen."""

import msgspec
import sqlalchemy as sa

from penstock.domain.releases import Release
from penstock.domain.workspace import Workspace
from penstock.rollout import history
from penstock.store import records, registry_aliases, tables
from penstock.store.database import connect

INTENT = "alias_intent"


class Intent(msgspec.Struct, frozen=True):
    """The value that we were about to write: found later, it is no person's request."""

    version: str


def write_alias(release: Release, workspace: Workspace) -> Release:
    """Point the alias `champion` at the version that serves, and remember the value written.

    While a rollout lasts, the alias stays on the old version, and nothing is written.

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
        If MLflow does not answer; the release stands all the same, and `control` writes the alias later.
    """
    if release.state != "serving":
        return release
    if registry_aliases.find_alias(release.project, workspace) != release.version:
        put_alias(release.project, release.version, workspace)
    return remember(release, release.version, workspace)


def put_alias(project: str, version: str, workspace: Workspace) -> None:
    """Write the alias, having said so before: if this process is killed now, the value is known to be ours.

    Raises
    ------
    SourceUnavailable
        If MLflow does not answer.
    """
    records.save_record(INTENT, project, project, Intent(version), workspace)
    registry_aliases.set_alias(project, version, workspace)


def remember(release: Release, value: str | None, workspace: Workspace) -> Release:
    """Keep the alias value last seen or written with the newest release of a project, and return that release."""
    with connect(workspace).begin() as connection:
        return put_seen(connection, release, value)


def put_seen(connection: sa.Connection, release: Release, value: str | None) -> Release:
    """Keep the alias value as `remember` does, inside the caller's transaction; nothing is about to be written then."""
    records.put_record(connection, INTENT, release.project, release.project, None)
    newest = history.newest(connection, release.project) or release
    table = tables.releases
    connection.execute(sa.update(table).where(table.c.id == newest.id).values(alias_seen=value))
    return history.with_id(connection, newest.id) or newest


def was_ours(project: str, value: str | None, workspace: Workspace) -> bool:
    """Return whether an alias value is the last one that we were about to write."""
    intent = records.find_record(INTENT, project, project, Intent | None, workspace)  # type: ignore[arg-type]
    return isinstance(intent, Intent) and intent.version == value
