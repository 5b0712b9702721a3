"""Labelled answers join the rows of a project's source: in its types, without those that it holds already."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from penstock.data.contract_file import find_contract
from penstock.data.journalled import LabelledRow, labelled_rows
from penstock.data.sides.digests import Digests, combine, count_distinct, value_digests
from penstock.data.types.canonical import UNREADABLE_COLUMNS, canonical_type, names_of
from penstock.data.types.cells import column_of
from penstock.data.types.conforming import coerce
from penstock.data.types.whole_numbers import whole_column
from penstock.domain.datasets import ColumnType, Contract, DatasetVersion, Journalled
from penstock.domain.workspace import Workspace
from penstock.spec import ProjectSpec
from penstock.store import frames, records

KIND = "journalled"
BEYOND_WHOLE = 2.0**63  # what int64 does not hold
MOST_REPEATED = 0.05  # of the source's rows may repeat another's values in columns that tell rows apart

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Joined:
    """A source's rows and, behind them, `answers` labelled ones; `picked` are positions among all rows.

    `unreadable` has the columns row (position), column and text, of cells of labelled rows.
    """

    frame: pd.DataFrame
    answers: int = 0
    picked: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    unreadable: pd.DataFrame = field(default_factory=lambda: pd.DataFrame({name: [] for name in UNREADABLE_COLUMNS}))


@dataclass(frozen=True, slots=True)
class _Answers:
    """Labelled rows by the source's columns, as sent and in its types, and the positions of cells that do not fit."""

    sent: Sequence[Mapping[str, Any]]
    frame: pd.DataFrame
    bad: Mapping[str, Sequence[int]]


def join_answers(frame: pd.DataFrame, spec: ProjectSpec, workspace: Workspace) -> Joined:
    """Append a project's labelled answers to the rows of its source, in the order asked.

    A column that a row did not carry is missing in it, but for the time column: that is then when it was asked. A row
    that the source holds as well counts once, as the source has it: one with the same id where ids are unique, else
    one with the same values in all columns that the journal has, as far as these tell rows apart.

    Parameters
    ----------
    frame
        The source's rows, canonical, shape (n_rows, n_columns).
    spec
        The project; its contract lies beside its file.
    workspace
        Where journal and labels are kept.

    Returns
    -------
    Joined
        The same frame if there are no labelled answers, or `source.journal` is false.
    """
    rows = labelled_rows(spec.name, workspace) if spec.source.journal else []
    if not rows:
        return Joined(frame)
    contract = find_contract(spec)
    frame = _typed(frame, contract)
    answers = _answers(rows, frame, contract, spec)
    kept = np.flatnonzero(~_doubles(frame, answers, contract, spec))
    if not len(kept):
        return Joined(frame)
    new = answers.frame.iloc[kept].reset_index(drop=True)
    whole = pd.DataFrame({name: _appended(frame[name], new[name]) for name in names_of(frame)})
    picked = np.array([rows[place].label.picked for place in kept])
    return Joined(whole, len(kept), len(frame) + np.flatnonzero(picked), _unreadable(answers, kept, len(frame)))


def keep_journalled(dataset: DatasetVersion, answers: int, picked: NDArray[np.int64], workspace: Workspace) -> None:
    """Remember which rows of a dataset version came from the journal: its last ones."""
    if not answers and find_journalled(dataset, workspace).rows == 0:
        return
    digest = frames.save_array(picked.astype(np.int64), workspace) if len(picked) else None
    record = Journalled(dataset.project, dataset.digest, answers, digest)
    records.save_record(KIND, dataset.digest, dataset.project, record, workspace)


def keep_accepted(dataset: DatasetVersion, accepted: DatasetVersion, kept: Mask, workspace: Workspace) -> None:
    """Remember the same of a version that has some of the rows of another, in their order."""
    picked = np.flatnonzero(picked_rows(dataset, workspace)[kept])
    keep_journalled(accepted, int(journalled_rows(dataset, workspace)[kept].sum()), picked, workspace)


def find_journalled(dataset: DatasetVersion, workspace: Workspace) -> Journalled:
    """Return which rows of a dataset version came from the journal."""
    found = records.find_record(KIND, dataset.digest, dataset.project, Journalled, workspace)
    return found or Journalled(dataset.project, dataset.digest, 0)


def journalled_rows(dataset: DatasetVersion, workspace: Workspace) -> Mask:
    """Return which rows of a dataset version came from the journal, shape (n_rows,)."""
    return np.arange(dataset.rows) >= dataset.rows - find_journalled(dataset, workspace).rows


def picked_rows(dataset: DatasetVersion, workspace: Workspace) -> Mask:
    """Return which rows of a dataset version were picked to be labelled, shape (n_rows,): they may only train."""
    picked = np.zeros(dataset.rows, bool)
    digest = find_journalled(dataset, workspace).picked
    if digest is not None:
        picked[frames.load_array(digest, workspace)] = True
    return picked


def _typed(frame: pd.DataFrame, contract: Contract | None) -> pd.DataFrame:
    """Give columns without any value the contract's type: nothing in them says one."""
    columns = contract.columns if contract else ()
    empty = [each for each in columns if each.name in frame and bool(frame[each.name].isna().all())]
    return frame.assign(**{each.name: coerce(frame[each.name], each.type)[0] for each in empty})


def _answers(
    rows: Sequence[LabelledRow], frame: pd.DataFrame, contract: Contract | None, spec: ProjectSpec
) -> _Answers:
    names = _names(frame, contract)
    sent = [{names[name]: value for name, value in row.sent.items() if name in names} for row in rows]
    for values in sent:
        values.pop(spec.target, None)
    columns, bad = {}, {}
    for name in names_of(frame):
        told = [row.label.value for row in rows] if name == spec.target else [values.get(name) for values in sent]
        columns[name], unfit = column_of(told, canonical_type(frame[name]))
        if unfit:
            bad[name] = unfit
    typed = pd.DataFrame(columns)
    if spec.time is not None and spec.time in typed and canonical_type(typed[spec.time]) == "date":
        asked = pd.Series(np.array([row.at.replace(tzinfo=None) for row in rows], "datetime64[us]"))
        typed[spec.time] = typed[spec.time].fillna(asked)
    return _Answers(sent, typed, bad)


def _names(frame: pd.DataFrame, contract: Contract | None) -> dict[str, str]:
    """Return the source's column for each name that a row may carry it by: its own, the contract's, and older ones."""
    names = {name: name for name in names_of(frame)}
    for column in contract.columns if contract else ():
        known = [name for name in (column.name, *column.renamed_from) if name in frame]
        for name in (column.name, *column.renamed_from):
            if known:
                names.setdefault(name, known[0])
    return names


def _doubles(frame: pd.DataFrame, answers: _Answers, contract: Contract | None, spec: ProjectSpec) -> Mask:
    """Return which labelled rows the source holds, or a newer labelled row repeats."""
    found = np.zeros(len(answers.frame), bool)
    left = np.ones(len(answers.frame), bool)
    if spec.id is not None and spec.id in frame and _is_unique(spec.id, frame, contract):
        left = answers.frame[spec.id].isna().to_numpy()
        found[~left] = _repeats(value_digests(frame[spec.id]), value_digests(answers.frame[spec.id])[~left])
    theirs: dict[str, Digests] = {}
    carried = [frozenset(values) for values in answers.sent]
    for names in {carried[row] for row in np.flatnonzero(left)}:
        for name in names:
            if name not in theirs:
                theirs[name] = value_digests(frame[name])
        known = combine({name: theirs[name] for name in names}, len(frame))
        if not names or count_distinct(known) < (1 - MOST_REPEATED) * len(frame):
            continue
        mine = left & np.array([each == names for each in carried])
        values = answers.frame.loc[mine]
        found[mine] = _repeats(known, combine({name: value_digests(values[name]) for name in names}, len(values)))
    return found


def _repeats(known: Digests, new: Digests) -> Mask:
    """Return which of new rows are known, or come again later among them."""
    later = pd.Series(new).duplicated(keep="last").to_numpy()
    return np.asarray(np.isin(new, known) | later)


def _is_unique(name: str, frame: pd.DataFrame, contract: Contract | None) -> bool:
    column = contract.column(name) if contract else None
    return column.unique if column is not None else bool(frame[name].is_unique)


def _appended(old: pd.Series, new: pd.Series) -> pd.Series:
    kind: ColumnType = canonical_type(old)
    whole = pd.concat([old, new], ignore_index=True)
    if kind == "boolean" and whole.notna().all():
        return whole.astype(bool)
    if old.dtype.kind == "i" and bool((new.dropna() % 1 == 0).all()) and not bool((new.abs() >= BEYOND_WHOLE).any()):
        return whole_column(pd.concat([old.astype("Int64"), new.astype("Int64")], ignore_index=True))
    return whole


def _unreadable(answers: _Answers, kept: NDArray[np.int64], before: int) -> pd.DataFrame:
    """Return the cells of kept rows that do not fit their column, at the rows' places in the whole table."""
    places = {int(row): before + place for place, row in enumerate(kept)}
    cells: list[tuple[int, str, Any]] = [
        (places[row], name, str(answers.sent[row].get(name)))
        for name, rows in answers.bad.items()
        for row in rows
        if row in places
    ]
    found = pd.DataFrame(cells, columns=list(UNREADABLE_COLUMNS))
    return found.astype({"row": "int64", "column": "str", "text": "str"})
