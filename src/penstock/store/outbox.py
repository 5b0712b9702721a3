"""What must still be told to Prefect: written in the transaction of the decision, sent by `control`."""

from collections.abc import Sequence
from datetime import UTC, datetime

import sqlalchemy as sa

from penstock.domain.events import Notice, Posted
from penstock.domain.workspace import Workspace
from penstock.store import tables
from penstock.store.database import connect, reading
from penstock.store.ledger import Act, append_audit


def post(connection: sa.Connection, notice: Notice) -> None:
    """Write a notice inside the caller's transaction; a key that is there already is written once."""
    table = tables.outbox
    there = connection.execute(sa.select(table.c.number).where(table.c.key == notice.key)).one_or_none()
    if there is not None:
        return
    connection.execute(
        sa.insert(table).values(
            key=notice.key,
            event=notice.event,
            project=notice.project,
            payload=notice.payload,
            incident=notice.incident,
            created_at=datetime.now(UTC),
        )
    )


def post_alone(notice: Notice, workspace: Workspace) -> None:
    """Write a notice in a transaction of its own."""
    with connect(workspace).begin() as connection:
        post(connection, notice)


def unsent(workspace: Workspace) -> list[Posted]:
    """Return the notices that Prefect was not told of, oldest first."""
    return _select(workspace, tables.outbox.c.emitted_at.is_(None))


def unsettled(events: Sequence[str], workspace: Workspace) -> list[Posted]:
    """Return the notices of some events that were told, and have not led to what they ask for, oldest first."""
    table = tables.outbox
    return _select(workspace, table.c.emitted_at.is_not(None), table.c.settled_at.is_(None), table.c.event.in_(events))


def list_notices(project: str, workspace: Workspace, incident: str | None = None) -> list[Posted]:
    """Return a project's notices, oldest first; of one incident if it is given."""
    table = tables.outbox
    wanted = [table.c.project == project]
    return _select(workspace, *wanted, *([] if incident is None else [table.c.incident == incident]))


def mark_emitted(number: int, workspace: Workspace) -> None:
    """Remember that Prefect was told."""
    table = tables.outbox
    with connect(workspace).begin() as connection:
        connection.execute(
            sa.update(table)
            .where(table.c.number == number, table.c.emitted_at.is_(None))
            .values(emitted_at=datetime.now(UTC))
        )


def settle(number: int, flow_run: str | None, note: str, workspace: Workspace, act: Act | None = None) -> None:
    """Remember, once, which flow run a notice has led to, and how; `act` goes into the audit with it."""
    table = tables.outbox
    with connect(workspace).begin() as connection:
        changed = connection.execute(
            sa.update(table)
            .where(table.c.number == number, table.c.settled_at.is_(None))
            .values(settled_at=datetime.now(UTC), flow_run=flow_run, note=note)
        )
        if changed.rowcount and act is not None:
            append_audit(connection, act)


def _select(workspace: Workspace, *conditions: sa.ColumnElement[bool]) -> list[Posted]:
    query = sa.select(tables.outbox).where(*conditions).order_by(tables.outbox.c.number)
    with reading(workspace).begin() as connection:
        return [
            Posted(
                row.number,
                Notice(row.key, row.event, row.project, row.payload, row.incident),
                row.created_at,
                row.emitted_at,
                row.settled_at,
                row.flow_run,
                row.note,
            )
            for row in connection.execute(query)
        ]
