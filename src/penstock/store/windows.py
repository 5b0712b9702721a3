"""The monitoring windows of a project, one after the other."""

from dataclasses import replace

import sqlalchemy as sa

from penstock.domain.monitoring import Monitored
from penstock.domain.workspace import Workspace
from penstock.store import tables
from penstock.store.database import connect, reading
from penstock.store.records import decode, encode


def put_window(connection: sa.Connection, monitored: Monitored) -> bool:
    """Keep a window inside the caller's transaction; return whether it is new: a number is given once."""
    table, window = tables.windows, monitored.window
    same = sa.and_(table.c.project == window.project, table.c.number == window.number)
    if connection.execute(sa.select(table.c.number).where(same)).one_or_none() is not None:
        return False
    connection.execute(
        sa.insert(table).values(
            project=window.project,
            number=window.number,
            last_id=window.last_id,
            last_label=monitored.performance.last_label,
            decision=monitored.decision.id,
            at=monitored.decision.at,
            body=encode(monitored),
        )
    )
    return True


def newest_window(project: str, workspace: Workspace) -> Monitored | None:
    """Return a project's newest window, None before the first."""
    found = list_windows(project, workspace, limit=1)
    return found[0] if found else None


def list_windows(project: str, workspace: Workspace, limit: int = 100) -> list[Monitored]:
    """Return a project's windows, newest first."""
    table = tables.windows
    query = sa.select(table.c.body).where(table.c.project == project).order_by(table.c.number.desc()).limit(limit)
    with reading(workspace).begin() as connection:
        return [decode(body, Monitored) for body in connection.execute(query).scalars()]


def find_window(decision: str, workspace: Workspace) -> Monitored | None:
    """Return the window that came to a decision."""
    table = tables.windows
    with reading(workspace).begin() as connection:
        body = connection.execute(sa.select(table.c.body).where(table.c.decision == decision)).scalar_one_or_none()
    return None if body is None else decode(body, Monitored)


def attach_report(decision: str, report: str, workspace: Workspace) -> None:
    """Keep the digest of a window's report with it."""
    monitored = find_window(decision, workspace)
    if monitored is None:
        return
    table = tables.windows
    with connect(workspace).begin() as connection:
        body = encode(replace(monitored, report=report))
        connection.execute(sa.update(table).where(table.c.decision == decision).values(body=body))
