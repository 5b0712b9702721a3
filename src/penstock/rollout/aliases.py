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
    records.save_record(INTENT, release.project, release.project, Intent(release.version), workspace)
    if registry_aliases.find_alias(release.project, workspace) != release.version:
        registry_aliases.set_alias(release.project, release.version, workspace)
    return remember(release, release.version, workspace)


def remember(release: Release, value: str | None, workspace: Workspace) -> Release:
    """Keep the alias value last seen or written with the newest release of a project, and return that release."""
    with connect(workspace).begin() as connection:
        return put_seen(connection, release, value)


def put_seen(connection: sa.Connection, release: Release, value: str | None) -> Release:
    """Keep the alias value as `remember` does, inside the caller's transaction."""
    newest = history.newest(connection, release.project) or release
    table = tables.releases
    connection.execute(sa.update(table).where(table.c.id == newest.id).values(alias_seen=value))
    return history.with_id(connection, newest.id) or newest


def was_ours(project: str, value: str | None, workspace: Workspace) -> bool:
    """Return whether an alias value is the last one that we were about to write."""
    intent = records.find_record(INTENT, project, project, Intent, workspace)
    return intent is not None and intent.version == value
