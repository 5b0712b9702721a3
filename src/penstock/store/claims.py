"""Claims: what a decision asks for is done by one process, and taken over if that process dies."""

import os
import socket
from collections.abc import Mapping
from datetime import UTC, datetime

import sqlalchemy as sa

from penstock.domain.events import Claim
from penstock.domain.workspace import Workspace
from penstock.store import tables
from penstock.store.database import connect, reading
from penstock.store.leases import alive, is_near, start_of
from penstock.store.ledger import Act, append_audit


def try_claim(decision: str, project: str, flow_run: str | None, workspace: Workspace) -> tuple[Claim, bool]:
    """Claim a decision for this process, unless a living process works on it or it was done.

    Parameters
    ----------
    decision, project
        What is claimed.
    flow_run
        The flow run that claims it.
    workspace
        Where claims are kept.

    Returns
    -------
    Claim
        The claim there is.
    bool
        Whether it is this process's, and its work is to be done.
    """
    table, mine = tables.claims, os.getpid()
    values = {
        "pid": mine,
        "started": start_of(mine),
        "host": socket.gethostname(),
        "flow_run": flow_run,
        "claimed_at": datetime.now(UTC),
    }
    with connect(workspace).begin() as connection:
        row = connection.execute(sa.select(table).where(table.c.decision == decision)).one_or_none()
        if row is None:
            connection.execute(sa.insert(table).values(decision=decision, project=project, taken_over=0, **values))
            took = True
        elif row.ended_at is not None or _is_at_work(row, mine, workspace):
            return _claim_of(row), False
        else:
            took = _take_over(row, values, connection)
        return _claim_of(connection.execute(sa.select(table).where(table.c.decision == decision)).one()), took


def name_training(decision: str, training: str, workspace: Workspace) -> None:
    """Say which training came of a claimed decision."""
    _change(decision, workspace, training=training)


def end_claim(decision: str, workspace: Workspace, act: Act | None = None) -> bool:
    """Say, once, that what a decision asked for is done; return whether nobody had said so.

    `act` is the audit's entry of an end that is not a training's own.
    """
    table = tables.claims
    with connect(workspace).begin() as connection:
        changed = connection.execute(
            sa.update(table)
            .where(table.c.decision == decision, table.c.ended_at.is_(None))
            .values(ended_at=datetime.now(UTC))
        )
        if changed.rowcount and act is not None:
            append_audit(connection, act)
    return bool(changed.rowcount)


def find_claim(decision: str, workspace: Workspace) -> Claim | None:
    """Return who works, or worked, on a decision; None if nobody did."""
    with reading(workspace).begin() as connection:
        row = connection.execute(sa.select(tables.claims).where(tables.claims.c.decision == decision)).one_or_none()
    return None if row is None else _claim_of(row)


def open_claims(workspace: Workspace) -> list[tuple[Claim, bool]]:
    """Return every claim that has not ended, and whether its process lives; another machine's is taken to live."""
    with reading(workspace).begin() as connection:
        rows = connection.execute(sa.select(tables.claims).where(tables.claims.c.ended_at.is_(None))).all()
    return [(_claim_of(row), not is_near(row.host, workspace) or alive(row.pid, row.started)) for row in rows]


def _change(decision: str, workspace: Workspace, **values: object) -> None:
    with connect(workspace).begin() as connection:
        connection.execute(sa.update(tables.claims).where(tables.claims.c.decision == decision).values(values))


def _is_at_work(row: sa.Row[tuple[object, ...]], mine: int, workspace: Workspace) -> bool:
    return not is_near(row.host, workspace) or (row.pid != mine and alive(row.pid, row.started))


def _take_over(row: sa.Row[tuple[object, ...]], values: Mapping[str, object], connection: sa.Connection) -> bool:
    """Rewrite a dead process's claim, and return whether that was done: of two who saw it dead, one gets it."""
    table = tables.claims
    as_read = (table.c.decision == row.decision, table.c.pid == row.pid, table.c.started == row.started)
    taking = sa.update(table).where(*as_read, table.c.ended_at.is_(None))
    return bool(connection.execute(taking.values(taken_over=row.taken_over + 1, **values)).rowcount)


def _claim_of(row: sa.Row[tuple[object, ...]]) -> Claim:
    return Claim(**row._asdict())
