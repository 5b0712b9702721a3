"""The index of the journal's sealed segments."""

from collections.abc import Collection
from dataclasses import asdict

import sqlalchemy as sa

from penstock.domain.journal import Segment
from penstock.domain.workspace import Workspace
from penstock.store import tables
from penstock.store.database import connect, reading


def save_segment(segment: Segment, workspace: Workspace) -> bool:
    """Keep a segment's place in the index; return whether it is new: a part of a spool is sealed once."""
    table = tables.segments
    with connect(workspace).begin() as connection:
        sealed = connection.execute(
            sa.select(sa.func.max(table.c.end)).where(
                table.c.project == segment.project, table.c.spool == segment.spool
            )
        ).scalar()
        if (sealed or 0) != segment.start:
            return False
        values = {name: value for name, value in asdict(segment).items() if name != "number"}
        connection.execute(sa.insert(table).values(values))
        return True


def sealed_to(project: str, workspace: Workspace, spools: Collection[str]) -> dict[str, int]:
    """Return how many bytes of some spool files of a project are sealed; of one that is not named, none are."""
    table = tables.segments
    query = (
        sa.select(table.c.spool, sa.func.max(table.c.end))
        .where(table.c.project == project, table.c.spool.in_(spools))
        .group_by(table.c.spool)
    )
    with reading(workspace).begin() as connection:
        return {spool: int(end) for spool, end in connection.execute(query).tuples()}


def list_segments(project: str, workspace: Workspace, after: str | None = None) -> list[Segment]:
    """Return a project's segments by their first request; those that may hold requests after an id, if it is given."""
    table = tables.segments
    query = sa.select(table).where(table.c.project == project).order_by(table.c.first_id, table.c.number)
    if after is not None:
        query = query.where(table.c.last_id > after)
    return _select(query, workspace)


def segments_between(first: str, last: str, project: str, workspace: Workspace) -> list[Segment]:
    """Return the segments that may hold requests from one id to another, both included, by their first request."""
    table = tables.segments
    query = (
        sa.select(table)
        .where(table.c.project == project, table.c.first_id <= last, table.c.last_id >= first)
        .order_by(table.c.first_id, table.c.number)
    )
    return _select(query, workspace)


def _select(query: sa.Select[tuple[object, ...]], workspace: Workspace) -> list[Segment]:
    with reading(workspace).begin() as connection:
        return [Segment(**row._asdict()) for row in connection.execute(query)]
