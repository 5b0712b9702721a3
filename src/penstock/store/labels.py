"""True values of answered rows, with their history."""

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any, TypeVar

import sqlalchemy as sa

from penstock.domain.releases import Label, LabelCounts
from penstock.domain.workspace import Workspace
from penstock.store import tables
from penstock.store.database import connect, reading

AT_ONCE = 500  # values in one statement
PART = 5000  # labels in one transaction: the lock is held for less than half a second
PAUSE_SECONDS = 0.1  # between two: a writer that waits for the lock of SQLite looks for it as often, and no more
FIELDS = tuple(each.name for each in fields(Label))

Row = tuple[str, str, int]  # project, request, row of the request
T = TypeVar("T")


def save_labels(labels: Iterable[tuple[Label, bool]], workspace: Workspace) -> LabelCounts:
    """Keep labels, each with whether its row was answered; the same value again changes nothing.

    A different value supersedes, and the earlier one stays in the history; labels of unknown rows are parked, and kept
    anew when they come again after their rows. Many are kept in parts, so that other writers have their turn; whoever
    is killed in between says all of them again.
    """
    accepted = superseded = unknown = 0
    for part in _in_parts(list(labels)):
        with connect(workspace).begin() as connection:
            kept = _Kept.of([label for label, _ in part], connection)
            for label, known in part:
                before = kept.newest.get(_row_of(label))
                if before is None or before.value != label.value or (known and not before.known):
                    kept.put(label, known=known)
                superseded += known and before is not None and before.value != label.value
                accepted += known
                unknown += not known
            kept.write(connection)
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


def labels_of(project: str, request_ids: Sequence[str], workspace: Workspace) -> list[tuple[int, Label]]:
    """Return the numbered newest labels of the rows of some requests, in the order received."""
    table, found = tables.labels, list[tuple[int, Label]]()
    with reading(workspace).begin() as connection:
        for start in range(0, len(request_ids), AT_ONCE):
            asked = table.c.request_id.in_(request_ids[start : start + AT_ONCE])
            query = sa.select(table).where(table.c.project == project, table.c.newest, table.c.known, asked)
            found += [(row.number, _label_of(row)) for row in connection.execute(query)]
    return sorted(found, key=lambda each: each[0])


def newest_number(project: str, workspace: Workspace) -> int:
    """Return the number of a project's newest label, 0 before the first."""
    query = sa.select(sa.func.max(tables.labels.c.number)).where(tables.labels.c.project == project)
    with reading(workspace).begin() as connection:
        return connection.execute(query).scalar_one() or 0


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
    for part in _in_parts(list(parked)):
        with connect(workspace).begin() as connection:
            kept = _Kept.of([label for _, label in part], connection)
            for number, label in part:
                before = kept.newest.get(_row_of(label))
                if before is not None and before.number == number:
                    kept.put(label, known=True)
                    adopted += 1
            kept.write(connection)
    return adopted


def _in_parts(given: list[T]) -> Iterator[list[T]]:
    """Give what one transaction takes at a time, with a pause in between."""
    for start in range(0, len(given), PART):
        if start:
            time.sleep(PAUSE_SECONDS)
        yield given[start : start + PART]


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


@dataclass(slots=True)
class _Newest:
    """The newest label of a row: its number, none before it is written, and its place among those to write."""

    value: str
    known: bool
    number: int | None = None
    place: int = -1


@dataclass(slots=True)
class _Kept:
    """The newest labels of some rows, what is to be written, and the numbers of those that are the newest no more.

    All is read at once and written at once, as nobody else can write meanwhile.
    """

    newest: dict[Row, _Newest]
    fresh: list[dict[str, Any]] = field(default_factory=list)
    outdated: list[int] = field(default_factory=list)

    @staticmethod
    def of(labels: Sequence[Label], connection: sa.Connection) -> "_Kept":
        """Read what is known of the rows of some labels."""
        table, newest = tables.labels, dict[Row, _Newest]()
        requests: dict[str, set[str]] = {}
        for label in labels:
            requests.setdefault(label.project, set()).add(label.request_id)
        for project, asked in requests.items():
            ids = sorted(asked)
            for start in range(0, len(ids), AT_ONCE):
                query = sa.select(table).where(
                    table.c.project == project, table.c.newest, table.c.request_id.in_(ids[start : start + AT_ONCE])
                )
                for row in connection.execute(query):
                    newest[project, row.request_id, row.row] = _Newest(row.value, row.known, row.number)
        return _Kept(newest)

    def put(self, label: Label, *, known: bool) -> None:
        """Make a label the newest of its row."""
        before = self.newest.get(_row_of(label))
        if before is not None and before.number is not None:
            self.outdated.append(before.number)
        elif before is not None:
            self.fresh[before.place]["newest"] = False
        self.newest[_row_of(label)] = _Newest(label.value, known, place=len(self.fresh))
        self.fresh.append({**{name: getattr(label, name) for name in FIELDS}, "known": known, "newest": True})

    def write(self, connection: sa.Connection) -> None:
        """Write what was put, in its order."""
        table = tables.labels
        for start in range(0, len(self.outdated), AT_ONCE):
            numbers = self.outdated[start : start + AT_ONCE]
            connection.execute(sa.update(table).where(table.c.number.in_(numbers)).values(newest=False))
        if self.fresh:
            connection.execute(sa.insert(table), self.fresh)


def _row_of(label: Label) -> Row:
    return label.project, label.request_id, label.row
