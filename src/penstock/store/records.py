"""Save and find records in Penstock's own database."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import sqlalchemy as sa

from penstock.domain.datasets import DatasetVersion
from penstock.domain.models import ModelVersion
from penstock.domain.releases import Release
from penstock.domain.workspace import Workspace
from penstock.errors import NotFound
from penstock.store import tables
from penstock.store.database import connect, reading

R = TypeVar("R")


def encode(record: object) -> str:
    """Return a record as JSON text."""
    return msgspec.json.encode(record, order="deterministic").decode()


def decode(body: str, form: type[R]) -> R:
    """Return the record that JSON text holds."""
    return msgspec.json.decode(body, type=form)


def save_record(kind: str, key: str, project: str, record: object, workspace: Workspace) -> None:
    """Keep a record under its kind, project and key; saving again replaces it."""
    with connect(workspace).begin() as connection:
        put_record(connection, kind, key, project, record)


def put_record(connection: sa.Connection, kind: str, key: str, project: str, record: object) -> None:
    """Keep a record as `save_record` does, inside the caller's transaction."""
    values = {"kind": kind, "project": project, "key": key, "body": encode(record), "saved_at": datetime.now(UTC)}
    same = sa.and_(tables.records.c.kind == kind, tables.records.c.project == project, tables.records.c.key == key)
    changed = connection.execute(sa.update(tables.records).where(same).values(values))
    if changed.rowcount == 0:
        connection.execute(sa.insert(tables.records).values(values))


def find_record(kind: str, key: str, project: str, form: type[R], workspace: Workspace) -> R | None:
    """Return the record of a kind, project and key, or None."""
    query = sa.select(tables.records.c.body).where(
        tables.records.c.kind == kind, tables.records.c.project == project, tables.records.c.key == key
    )
    with reading(workspace).begin() as connection:
        body = connection.execute(query).scalar_one_or_none()
    return None if body is None else decode(body, form)


def list_records(kind: str, project: str, form: type[R], workspace: Workspace) -> list[R]:
    """Return every record of a kind and project, oldest first."""
    query = (
        sa.select(tables.records.c.body)
        .where(tables.records.c.kind == kind, tables.records.c.project == project)
        .order_by(tables.records.c.number)
    )
    with reading(workspace).begin() as connection:
        return [decode(body, form) for body in connection.execute(query).scalars()]


def newest_records(kind: str, form: type[R], workspace: Workspace) -> dict[str, R]:
    """Return the record of a kind that each project has saved last, in one query; emptied ones are left out."""
    table = tables.records
    query = sa.select(table.c.project, table.c.body).where(table.c.kind == kind).order_by(table.c.number)
    with reading(workspace).begin() as connection:
        bodies = {row.project: row.body for row in connection.execute(query)}
    return {project: decode(body, form) for project, body in bodies.items() if body != "null"}


def register_project(name: str, path: Path, workspace: Workspace) -> None:
    """Remember where a project's file lies; a file that moved is remembered at its new place."""
    values = {"name": name, "path": str(path.resolve()), "registered_at": datetime.now(UTC)}
    with connect(workspace).begin() as connection:
        known = connection.execute(
            sa.update(tables.projects).where(tables.projects.c.name == name).values(path=values["path"])
        )
        if known.rowcount == 0:
            connection.execute(sa.insert(tables.projects).values(values))


def project_path(name: str, workspace: Workspace) -> Path:
    """Return the path of a project's file.

    Raises
    ------
    NotFound
        If no project has the name; the message lists those there are.
    """
    known = dict(_project_rows(workspace))
    if name not in known:
        there_are = f"There are: {', '.join(sorted(known))}." if known else "There are none yet."
        raise NotFound(
            f"No project is named {name!r}. {there_are} `penstock init` or `penstock run FILE` makes one, and so does "
            "a file `projects/NAME.yaml` of your own."
        )
    return Path(known[name])


def list_projects(workspace: Workspace) -> list[str]:
    """Return the names of all projects, in order."""
    return sorted(name for name, _ in _project_rows(workspace))


def _project_rows(workspace: Workspace) -> list[tuple[str, str]]:
    with reading(workspace).begin() as connection:
        return [(row.name, row.path) for row in connection.execute(sa.select(tables.projects))]


def save_dataset(dataset: DatasetVersion, workspace: Workspace) -> DatasetVersion:
    """Keep a dataset version, and return it with its number: the same content keeps the number it has.

    A repeated table raises its counter.
    """
    table = tables.datasets
    with connect(workspace).begin() as connection:
        row = connection.execute(
            sa.select(table.c.body).where(table.c.project == dataset.project, table.c.digest == dataset.digest)
        ).one_or_none()
        if row is not None:
            connection.execute(
                sa.update(table)
                .where(table.c.project == dataset.project, table.c.digest == dataset.digest)
                .values(seen=table.c.seen + 1)
            )
            return decode(row.body, DatasetVersion)
        newest = connection.execute(
            sa.select(sa.func.max(table.c.number)).where(table.c.project == dataset.project)
        ).scalar()
        numbered = replace(dataset, number=(newest or 0) + 1)
        connection.execute(
            sa.insert(table).values(
                project=dataset.project,
                number=numbered.number,
                digest=dataset.digest,
                seen=1,
                body=encode(numbered),
            )
        )
    return numbered


def find_dataset(project: str, digest: str, workspace: Workspace) -> DatasetVersion:
    """Return a dataset version by its digest.

    Raises
    ------
    NotFound
        If the project has no such dataset version.
    """
    table = tables.datasets
    with reading(workspace).begin() as connection:
        body = connection.execute(
            sa.select(table.c.body).where(table.c.project == project, table.c.digest == digest)
        ).scalar_one_or_none()
    if body is None:
        raise NotFound(f"Project {project!r} has no dataset version {digest[:12]!r}.")
    return decode(body, DatasetVersion)


def list_datasets(project: str, workspace: Workspace) -> list[DatasetVersion]:
    """Return a project's dataset versions, oldest first."""
    table = tables.datasets
    with reading(workspace).begin() as connection:
        bodies = connection.execute(
            sa.select(table.c.body).where(table.c.project == project).order_by(table.c.number)
        ).scalars()
        return [decode(body, DatasetVersion) for body in bodies]


def times_seen(project: str, digest: str, workspace: Workspace) -> int:
    """Return how often a table with this content was ingested."""
    table = tables.datasets
    with reading(workspace).begin() as connection:
        return (
            connection.execute(
                sa.select(table.c.seen).where(table.c.project == project, table.c.digest == digest)
            ).scalar_one_or_none()
            or 0
        )


def save_version(version: ModelVersion, workspace: Workspace) -> None:
    """Keep a model version; one training has one, so saving it again changes nothing but its body."""
    with connect(workspace).begin() as connection:
        put_version(connection, version)


def put_version(connection: sa.Connection, version: ModelVersion) -> None:
    """Keep a model version as `save_version` does, inside the caller's transaction."""
    table, body = tables.versions, encode(version)
    changed = connection.execute(
        sa.update(table).where(table.c.project == version.project, table.c.version == version.version).values(body=body)
    )
    if changed.rowcount == 0:
        made = {"project": version.project, "version": version.version, "training": version.training, "body": body}
        connection.execute(sa.insert(table).values(made))


def find_version(project: str, version: str, workspace: Workspace) -> ModelVersion:
    """Return a model version by its number.

    Raises
    ------
    NotFound
        If the project has no such version; the message lists those there are.
    """
    known = {found.version: found for found in list_versions(project, workspace)}
    if version not in known:
        there_are = f"There are: {', '.join(known)}." if known else "There are none yet."
        raise NotFound(f"Project {project!r} has no version {version!r}. {there_are}")
    return known[version]


def list_versions(project: str, workspace: Workspace) -> list[ModelVersion]:
    """Return a project's model versions, oldest first."""
    table = tables.versions
    with reading(workspace).begin() as connection:
        bodies = connection.execute(sa.select(table.c.body).where(table.c.project == project)).scalars()
        return sorted((decode(body, ModelVersion) for body in bodies), key=lambda found: int(found.version))


def newest_release(project: str, workspace: Workspace) -> Release | None:
    """Return the row that says which versions of a project answer, or None before the first release."""
    releases = list_releases(project, workspace, limit=1)
    return releases[0] if releases else None


def list_releases(project: str, workspace: Workspace, limit: int = 100) -> list[Release]:
    """Return a project's releases, newest first."""
    table = tables.releases
    query = sa.select(table).where(table.c.project == project).order_by(table.c.id.desc()).limit(limit)
    with reading(workspace).begin() as connection:
        return [release_of(row) for row in connection.execute(query)]


def release_of(row: Any) -> Release:
    """Return the release that a database row holds."""
    return Release(**{column.name: getattr(row, column.name) for column in tables.releases.columns})


def save_look(project: str, pair: str, rows: str, workspace: Workspace) -> None:
    """Count a look of the judge at rows (the digest of a uint64 array), once for a pair of versions."""
    table = tables.looks
    with connect(workspace).begin() as connection:
        known = connection.execute(
            sa.select(table.c.number).where(table.c.project == project, table.c.pair == pair)
        ).one_or_none()
        if known is None:
            connection.execute(sa.insert(table).values(project=project, pair=pair, rows=rows, at=datetime.now(UTC)))


def list_looks(project: str, workspace: Workspace) -> list[tuple[str, str]]:
    """Return the judge's looks in order: the pair of versions, and the digest of the rows looked at."""
    table = tables.looks
    query = sa.select(table.c.pair, table.c.rows).where(table.c.project == project).order_by(table.c.number)
    with reading(workspace).begin() as connection:
        return [(row.pair, row.rows) for row in connection.execute(query)]


def newest_releases(workspace: Workspace) -> list[Release]:
    """Return the newest release of every project, in one query."""
    table = tables.releases
    newest = sa.select(sa.func.max(table.c.id)).group_by(table.c.project)
    query = sa.select(table).where(table.c.id.in_(newest)).order_by(table.c.project)
    with reading(workspace).begin() as connection:
        return [release_of(row) for row in connection.execute(query)]
