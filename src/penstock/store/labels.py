"""True values of answered rows, with their history."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from penstock.domain.releases import Label, LabelCounts
from penstock.domain.workspace import Workspace
from penstock.store import tables
from penstock.store.database import connect, reading


def save_labels(labels: Iterable[tuple[Label, bool]], workspace: Workspace) -> LabelCounts:
    """Keep labels, each with whether its row was answered; the same value again changes nothing.

    A different value supersedes, and the earlier one stays in the history; labels of unknown rows are parked, and kept
    anew when they come again after their rows.
    """
    accepted = superseded = unknown = 0
    with connect(workspace).begin() as connection:
        for label, known in labels:
            if not known:
                unknown += 1
            before = _newest(connection, label)
            if before is None:
                _insert(connection, label, known=known)
            elif before.value != label.value or (known and not before.known):
                _replace(connection, before.number, label, known=known)
                superseded += known and before.value != label.value
            accepted += known
    return LabelCounts(accepted=accepted, superseded=superseded, unknown=unknown)


def list_labels(project: str, workspace: Workspace) -> list[Label]:
    """Return the newest label of every answered row, in the order received."""
    return [label for _, label in labels_since(project, 0, workspace)]


def labels_since(project: str, number: int, workspace: Workspace) -> list[tuple[int, Label]]:
    """Return the newest label of every answered row that has one numbered above a number, in the order received.

    Numbers ascend as labels come; a label that supersedes another has a number of its own.
    """
    table = tables.labels
    query = (
        sa.select(table)
        .where(table.c.project == project, table.c.newest, table.c.known, table.c.number > number)
        .order_by(table.c.number)
    )
    with reading(workspace).begin() as connection:
        return [(row.number, _label_of(row)) for row in connection.execute(query)]


def count_labels(project: str, since: datetime, workspace: Workspace, *, natural: bool = False) -> int:
    """Return how many answered rows have a newest label that was received at a time of the calendar or later.

    With `natural`, those that were picked actively do not count.
    """
    table = tables.labels
    query = sa.select(sa.func.count()).where(
        table.c.project == project, table.c.newest, table.c.known, table.c.received_at >= since
    )
    if natural:
        query = query.where(~table.c.picked)
    with reading(workspace).begin() as connection:
        return connection.execute(query).scalar_one()


def parked_labels(project: str, since: datetime, workspace: Workspace) -> list[tuple[int, Label]]:
    """Return the numbered newest labels of unknown rows that were received at a time of the calendar or later."""
    table = tables.labels
    query = sa.select(table).where(
        table.c.project == project, table.c.newest, ~table.c.known, table.c.received_at >= since
    )
    with reading(workspace).begin() as connection:
        return [(row.number, _label_of(row)) for row in connection.execute(query)]


def adopt_labels(parked: Iterable[tuple[int, Label]], workspace: Workspace) -> int:
    """Keep parked labels anew, of rows that are known by now; return how many were still the newest."""
    adopted = 0
    with connect(workspace).begin() as connection:
        for number, label in parked:
            before = _newest(connection, label)
            if before is not None and before.number == number:
                _replace(connection, number, label, known=True)
                adopted += 1
    return adopted


def _label_of(row: Any) -> Label:
    return Label(
        row.project,
        row.request_id,
        row.row,
        row.value,
        row.source,
        row.observed_at,
        row.received_at,
        row.probability,
        row.picked,
    )


def _newest(connection: sa.Connection, label: Label) -> sa.Row[tuple[int, str, bool]] | None:
    table = tables.labels
    return connection.execute(
        sa.select(table.c.number, table.c.value, table.c.known).where(
            table.c.project == label.project,
            table.c.request_id == label.request_id,
            table.c.row == label.row,
            table.c.newest,
        )
    ).one_or_none()


def _replace(connection: sa.Connection, number: int, label: Label, *, known: bool) -> None:
    table = tables.labels
    connection.execute(sa.update(table).where(table.c.number == number).values(newest=False))
    _insert(connection, label, known=known)


def _insert(connection: sa.Connection, label: Label, *, known: bool) -> None:
    connection.execute(
        sa.insert(tables.labels).values(
            project=label.project,
            request_id=label.request_id,
            row=label.row,
            value=label.value,
            source=label.source,
            observed_at=label.observed_at,
            received_at=label.received_at,
            probability=label.probability,
            picked=label.picked,
            known=known,
            newest=True,
        )
    )
