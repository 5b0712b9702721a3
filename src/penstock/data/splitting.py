"""Which rows train and which are held out."""

import hashlib
import json
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from penstock.data.joining import picked_rows
from penstock.data.sides import digests
from penstock.data.sides.dealing import Sides, deal_by_hash, deal_by_time, without_picked
from penstock.data.sides.digests import Digests
from penstock.data.sides.grouping import FEWEST_ROWS, Likeness, find_likeness
from penstock.data.sides.hash_split import HOLDOUT, UNUSED, Assignment, need_folds
from penstock.data.sides.naming import Named, name_rows, origins_of
from penstock.data.targets import infer_problem, plain
from penstock.data.types.canonical import canonical_type, names_of
from penstock.domain.datasets import DatasetVersion, Split
from penstock.domain.models import FittedModel, ModelVersion
from penstock.domain.workspace import Workspace
from penstock.errors import DataError, SpecError
from penstock.spec import ProjectSpec
from penstock.store import frames, records

FEWEST_OF_A_CLASS = 3  # one to hold out, two to train and validate in turn
GROUPED_SHARE = 0.01  # of the rows: fewer that share a group hardly change an interval


@dataclass(frozen=True, slots=True)
class _Table:
    """A table's rows by their numbers, and what makes them alike."""

    named: Named
    likeness: Likeness


def split(dataset: DatasetVersion, champion: ModelVersion | None, spec: ProjectSpec, workspace: Workspace) -> Split:
    """Decide which rows of a dataset version train, in which fold, and which are held out.

    Without a time column, a keyed hash of a row's id, or of its content, decides: rows that are alike stay together,
    and a row's side never changes. With one, the newest rows are held out: of a first file `split.holdout`, later the
    newest half of what arrived since the champion's data ended, at least `gates.min_rows`.

    Parameters
    ----------
    dataset
        The table.
    champion
        The version that serves; None before the first release.
    spec
        The project.
    workspace
        Where tables and records are kept.

    Returns
    -------
    Split
        The same for the same table, project file and champion.

    Raises
    ------
    DataError
        If there are too few rows, or too few of a class, to learn from and to judge by.
    SpecError
        If `time` or `id` names no column that can be one.
    """
    key = _record_key(dataset, champion, spec)
    known = records.find_record("split", key, spec.name, Split, workspace)
    if known is not None:
        return known
    frame = frames.load_table(dataset.digest, workspace)
    _check_spec(frame, spec)
    codes = _codes(frame[spec.target], spec)
    table = _table(frame, spec, workspace)
    sides = (
        deal_by_time(frame[spec.time].to_numpy(), codes, champion, spec, workspace)
        if spec.time
        else deal_by_hash(table.named, codes, _trained_before(spec, workspace), spec)
    )
    groups = table.named.groups
    sides = without_picked(sides, groups, picked_rows(dataset, workspace), spec)
    if spec.time is None:
        remedy = "Bring more rows, or name another `id` in the project file." if spec.id else "Bring more rows."
        need_folds((sides.assignment, sides.folds), groups, codes, remedy)
    made = _record(dataset, table, sides, spec, workspace)
    records.save_record("split", key, spec.name, made, workspace)
    return made


def split_unseen(
    dataset: DatasetVersion, models: tuple[FittedModel, ...], spec: ProjectSpec, workspace: Workspace
) -> Split:
    """Hold out every row that none of some models was fitted or tuned on, so that a held challenger is judged again.

    Parameters
    ----------
    dataset
        The table, with the newest labelled rows.
    models
        The models that are compared.
    spec
        The project.
    workspace
        Where tables are kept.

    Returns
    -------
    Split
        Of which no row trains. It is not kept: no later split goes by it.

    Raises
    ------
    DataError
        If too few rows have a target.
    SpecError
        If `time` or `id` names no column that can be one.
    """
    frame = frames.load_table(dataset.digest, workspace)
    _check_spec(frame, spec)
    codes = _codes(frame[spec.target], spec)
    table = _table(frame, spec, workspace)
    fitted = [np.empty(0, np.uint64), *(frames.load_array(model.training_rows, workspace) for model in models)]
    seen = np.isin(table.named.rows, np.concatenate(fitted))
    unseen = (codes >= 0) & ~seen & ~picked_rows(dataset, workspace)
    assignment = np.where(unseen, HOLDOUT, UNUSED).astype(np.int8)
    sides = Sides(assignment, 0, None, "Every row that neither model was fitted on is held out.")
    return _record(dataset, table, sides, spec, workspace)


def load_assignment(split: Split, workspace: Workspace) -> Assignment:
    """Return the side and fold of each row: int8, shape (n_rows,)."""
    return np.asarray(frames.load_array(split.assignment, workspace), dtype=np.int8)


def training_rows(assignment: Assignment) -> NDArray[np.bool_]:
    """Return which rows train."""
    return np.asarray((assignment != HOLDOUT) & (assignment != UNUSED))


def _record_key(dataset: DatasetVersion, champion: ModelVersion | None, spec: ProjectSpec) -> str:
    facts = [spec.target, spec.problem, spec.time, spec.id, spec.split.holdout, spec.gates.min_rows, spec.seed]
    digest = hashlib.sha256(json.dumps([dataset.digest, champion and champion.dataset, *facts]).encode())
    return digest.hexdigest()


def _check_spec(frame: pd.DataFrame, spec: ProjectSpec) -> None:
    for setting, name in (("time", spec.time), ("id", spec.id)):
        if name is not None and name not in frame:
            raise SpecError(
                f"`{setting}` must name a column, but the table has no {name!r}. It has {', '.join(names_of(frame))}."
            )
    if spec.time is not None and canonical_type(frame[spec.time]) != "date":
        found = ", ".join(repr(plain(value)) for value in frame[spec.time].dropna().iloc[:1])
        raise SpecError(f"`time` must name a column of dates, but {spec.time!r} holds values such as {found}.")


def _codes(target: pd.Series, spec: ProjectSpec) -> NDArray[np.int64]:
    """Return the class of each row, 0 for all of a regression, and -1 without a target."""
    known = target.notna().to_numpy()
    if known.sum() < FEWEST_ROWS:
        message = f"At least {FEWEST_ROWS} rows must have a value of {spec.target!r}, but {int(known.sum())} have one."
        raise DataError(message)
    if (spec.problem or infer_problem(target)[0]) == "regression":
        return np.where(known, 0, -1).astype(np.int64)
    codes, classes = pd.factorize(target, sort=False)
    counts = np.bincount(codes[codes >= 0])
    if len(classes) == 2 and counts.min() < FEWEST_OF_A_CLASS:  # noqa: PLR2004  binary
        rare = plain(classes[int(counts.argmin())])
        must = f"Each class of {spec.target!r} must have at least {FEWEST_OF_A_CLASS} rows"
        message = f"{must}, but {rare!r} has {counts.min()}."
        raise DataError(message)
    return np.asarray(codes, dtype=np.int64)


def _trained_before(spec: ProjectSpec, workspace: Workspace) -> Digests:
    """Return the origins of the groups that an earlier split of the same kind trained on."""
    splits = records.list_records("split", spec.name, Split, workspace)
    earlier = [made for made in splits if not made.time_ordered and made.holdout_rows]
    if not earlier or not spec.split.holdout:
        return np.empty(0, np.uint64)
    rows = training_rows(load_assignment(earlier[-1], workspace))
    return np.unique(origins_of(earlier[-1], workspace)[rows])


def _table(frame: pd.DataFrame, spec: ProjectSpec, workspace: Workspace) -> _Table:
    likeness = find_likeness(frame, spec, workspace)
    return _Table(name_rows(frame, likeness, spec, workspace), likeness)


def _record(dataset: DatasetVersion, table: _Table, sides: Sides, spec: ProjectSpec, workspace: Workspace) -> Split:
    known = sides.assignment != UNUSED
    named = table.named
    distinct = digests.count_distinct(named.groups[known])
    repeated = 1 - distinct / max(1, int(known.sum()))
    by_id = spec.id is not None and repeated > 0
    return Split(
        project=spec.name,
        dataset=dataset.digest,
        kind="time" if spec.time else "group" if by_id else "hash",
        key=(spec.time,) if spec.time else (spec.id,) if spec.id else table.likeness.columns,
        assignment=frames.save_array(sides.assignment, workspace),
        groups=frames.save_array(named.groups, workspace),
        row_digests=frames.save_array(named.rows, workspace),
        folds=sides.folds,
        time_ordered=spec.time is not None,
        train_rows=int(training_rows(sides.assignment).sum()),
        holdout_rows=int((sides.assignment == HOLDOUT).sum()),
        unused_rows=int((~known).sum()),
        grouped=repeated >= GROUPED_SHARE,
        cut=sides.cut,
        reason=sides.reason + _grouping(distinct, int(known.sum()), table.likeness, spec),
        origins=frames.save_array(named.origins, workspace),
    )


def _grouping(distinct: int, rows: int, likeness: Likeness, spec: ProjectSpec) -> str:
    if not spec.id and not likeness.together:
        return (
            " Rows with the same features come by chance, so few are their levels; they are told apart by their order."
        )
    if distinct == rows:
        return ""
    if spec.id:
        return (
            f" {distinct:,} values of {spec.id!r} among {rows:,} rows: rows of one are kept together."
            if not spec.time
            else ""
        )
    kept = " They are counted as groups." if spec.time else " Rows with the same are kept together."
    return f" {distinct:,} distinct feature rows among {rows:,} rows.{kept}"
