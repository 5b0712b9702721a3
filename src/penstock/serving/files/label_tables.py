"""Labels that come as a file: by request id and row, or by the project's id column."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Any

import pandas as pd

from penstock.data.sources._base import RawTable
from penstock.data.types.canonical import Wishes, canonical_type, to_canonical
from penstock.domain.datasets import ColumnType
from penstock.domain.features import InputColumn
from penstock.domain.models import Signature, class_name
from penstock.domain.releases import LabelCounts
from penstock.domain.workspace import Workspace
from penstock.errors import DataError
from penstock.serving.files.rows import rows_of_frame
from penstock.serving.files.tables import read_file
from penstock.serving.journals.reading import read_entries
from penstock.serving.labels import MOST_FAULTS, accept_labels, errors_of, fault_of, moment_of, served_signature
from penstock.store.projects import open_project

TIME = "time"  # what the time column may be called in a file, whatever the project calls its own
MOST_TOLD = 20
MOST_SHOWN = 3
DAY = timedelta(days=1)

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Answered:
    """An answered row of an id: its request and place there, when it was asked, and its own time if it carries one."""

    request_id: str
    row: int
    at: datetime
    time: datetime | None


@dataclass(frozen=True, slots=True)
class ById:
    """The columns of a file whose labels come by id; `own` is the project's time column, which rows may carry."""

    id: str
    target: str
    time: str | None
    own: str | None


def label_file(project: str, path: Path, workspace: Workspace, tell: Tell | None = None) -> LabelCounts:
    """Keep the labels of a CSV or Parquet file.

    Parameters
    ----------
    project
        Whose answers they are.
    path
        A file with the columns request_id, row, value and perhaps observed_at; or with the project's id column, its
        target and perhaps its time column. With a time, a label is that of the row of its id that was answered for
        that time: the row whose own time it is, or, where rows carry none, the newest one asked no later (a day
        without a clock lasts until its end). It was observed then. Without a time, it is that of the id's newest row.
    workspace
        Where journal and labels are kept.
    tell
        Called with the reason of each label by id that has no row.

    Returns
    -------
    LabelCounts
        Labels by id that have no row are counted as unknown, and not kept.

    Raises
    ------
    DataError
        If the file has other columns, or a label does not fit; then none is kept.
    NotFound
        If there is no such file, or no version of the project has been released.
    """
    signature = served_signature(project, workspace)
    raw = read_file(path)
    by_request = ["request_id", "row", "value"]
    by_id = [signature.id_column, signature.target]
    names = list(raw.frame.columns)
    if set(by_request) <= set(names):
        labels = _labels(raw.frame, raw.typed, [*by_request, "observed_at"], signature)
        return accept_labels(project, labels, "file", workspace)
    if signature.id_column is not None and set(by_id) <= set(names):
        columns = _by_id(names, signature, workspace)
        chosen = [columns.id, columns.target, *([columns.time] if columns.time else [])]
        labels = _labels(raw.frame, raw.typed, chosen, signature, columns.time)
        return _accept_by_id(labels, columns, signature, workspace, tell or _say_nothing)
    wanted = " or ".join(" and ".join(map(repr, each)) for each in (by_request, by_id) if None not in each)
    raise DataError(
        f"The file {path.name!r} must have the columns {wanted}, but has {', '.join(map(repr, names))}.", names
    )


def answers_of_ids(project: str, ids: Iterable[Any], columns: ById, workspace: Workspace) -> dict[str, list[Answered]]:
    """Find the answered rows of each id, in the order asked; ids are compared as text.

    Parameters
    ----------
    project
        Whose journal is read, whole.
    ids
        Values of the id column.
    columns
        The id column, and the project's time column if there is one.
    workspace
        Where the journal lies.
    """
    wanted = {class_name(value) for value in ids if value is not None}
    found: dict[str, list[Answered]] = {}
    for entry in read_entries(project, workspace):
        for number, row in enumerate(entry.rows):
            name = class_name(row[columns.id]) if row.get(columns.id) is not None else None
            if name is not None and name in wanted:
                own = None if columns.own is None else moment_of(row.get(columns.own))
                found.setdefault(name, []).append(Answered(entry.request_id, number, entry.at, own))
    return found


def row_at(rows: Sequence[Answered], moment: datetime | None) -> Answered | None:
    """Return the row of an id that was answered for a time, the newest one without a time; None if there is none."""
    if moment is not None:
        end = moment + DAY if moment.time() == time() else moment
        before = [row for row in rows if row.time is None and (row.at < end or row.at == moment)]
        rows = [row for row in rows if row.time == moment] or before
    return max(rows, key=lambda row: row.request_id, default=None)


def _say_nothing(_: str) -> None:
    """Let reasons be."""


def _by_id(names: Sequence[str], signature: Signature, workspace: Workspace) -> ById:
    """Return which columns of a file say id, target and time."""
    own = open_project(signature.project, workspace).time
    features = {column.name for column in signature.decoding.columns}
    known = [name for name in (own, TIME) if name in names and (name == own or name not in features)]
    return ById(str(signature.id_column), signature.target, known[0] if known else None, own)


def _accept_by_id(
    given: list[dict[str, Any]], columns: ById, signature: Signature, workspace: Workspace, tell: Tell
) -> LabelCounts:
    _refuse_timeless(given, columns)
    found = answers_of_ids(signature.project, [label[columns.id] for label in given], columns, workspace)
    labels, reasons = [], []
    for number, label in enumerate(given):
        name = "" if label[columns.id] is None else class_name(label[columns.id])
        moment = moment_of(label[columns.time]) if columns.time else None
        place = row_at(found.get(name, []), moment)
        if place is None:
            reasons.append(f"Row {number}: {_why_unknown(name, moment, found, columns)}")
        else:
            address = {"request_id": place.request_id, "row": place.row}
            labels.append(address | {"value": label[columns.target], "observed_at": moment})
    for reason in reasons[:MOST_TOLD]:
        tell(reason)
    if len(reasons) > MOST_TOLD:
        tell(f"So are {len(reasons) - MOST_TOLD:,} more.")
    counts = accept_labels(signature.project, labels, "file", workspace)
    return LabelCounts(counts.accepted, counts.superseded, counts.unknown + len(reasons))


def _why_unknown(name: str, moment: datetime | None, found: dict[str, list[Answered]], columns: ById) -> str:
    """Return why a label has no row."""
    if name not in found:
        return f"no row with {columns.id!r} {name!r} was ever answered." if name else f"it has no {columns.id!r}."
    times = sorted({row.time or row.at for row in found[name]})
    answered = ", ".join(f"{each:%Y-%m-%d %H:%M:%S}" for each in times[-MOST_SHOWN:])
    more = f" and {len(times) - MOST_SHOWN} earlier ones" if len(times) > MOST_SHOWN else ""
    return f"{columns.id!r} {name!r} was not answered for {moment:%Y-%m-%d %H:%M:%S}, but for {answered}{more}."


def _refuse_timeless(given: list[dict[str, Any]], columns: ById) -> None:
    """Raise for labels whose time is none, as for other members that do not fit."""
    if columns.time is None:
        return
    faults = [
        fault_of(number, columns.time, "be a time as ISO 8601 text", label[columns.time])
        for number, label in enumerate(given)
        if moment_of(label[columns.time]) is None
    ]
    if faults:
        raise errors_of(faults[:MOST_FAULTS])


def _labels(
    frame: pd.DataFrame, typed: bool, names: list[str], signature: Signature, time_column: str | None = None
) -> list[dict[str, Any]]:
    """Return the rows of a file in JSON's types."""
    value_type = _target_type(signature)
    types: dict[str, ColumnType] = {
        "row": "number",
        "value": value_type,
        signature.target: value_type,
    }
    if time_column is not None:
        types[time_column] = "date"
    given = [name for name in names if name in frame]
    wishes: dict[str, ColumnType] = {name: types.get(name, "string") for name in given}
    canonical = to_canonical(RawTable(frame[given], typed), Wishes(types=wishes, settled=True))
    columns = tuple(
        InputColumn(name, canonical_type(canonical.frame[name]), "category", required=False) for name in given
    )
    rows = rows_of_frame(canonical.frame, columns)
    for row in rows:
        if isinstance(row.get("row"), float) and row["row"].is_integer():
            row["row"] = int(row["row"])
    return rows


def _target_type(signature: Signature) -> ColumnType:
    kinds = {type(value) for value in signature.classes}
    if kinds == {bool}:
        return "boolean"
    return "number" if not kinds or kinds <= {int, float} else "string"
