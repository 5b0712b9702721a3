"""Which rows belong together: those of one id, or without an id those with the same features."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from penstock.data.canonical import names_of
from penstock.data.digests import Digests, combine, count_distinct, row_digests, scramble, value_digests
from penstock.domain.workspace import Workspace
from penstock.spec import ProjectSpec
from penstock.store import records

FEWEST_ROWS = 20
COUNTER_SPAN = 1.5  # whole numbers, all different, in a range not much wider than the rows: a running number
MANY_ALIKE = 0.5  # share of rows that repeat another's features; fewer are copies, whatever the columns hold
BY_CHANCE = 0.5  # share of the repeats that shuffled columns have as well: repeats of few levels, not of one thing


@dataclass(frozen=True, slots=True)
class Likeness:
    """The columns that make two rows alike, and whether rows that are alike are one thing (`together`)."""

    columns: tuple[str, ...]
    together: bool


def find_likeness(frame: pd.DataFrame, spec: ProjectSpec, workspace: Workspace) -> Likeness:
    """Return what makes rows alike: as the project's first split had it, as long as its columns are all there.

    Running numbers, the id, and columns that no model may use do not make rows different.
    """
    first = records.find_record("likeness", "rows", spec.name, Likeness, workspace)
    if first is not None and set(first.columns) <= set(frame.columns):
        return first
    left_out = {spec.target, spec.id, *spec.columns.drop, *spec.columns.forbidden}
    columns = tuple(name for name in names_of(frame) if name not in left_out and not is_counter(frame[name]))
    columns = columns or tuple(name for name in names_of(frame) if name not in {spec.target, spec.id})
    found = {name: value_digests(frame[name]) for name in columns}
    likeness = Likeness(columns, not alike_by_chance(found, len(frame)))
    records.save_record("likeness", "rows", spec.name, likeness, workspace)
    return likeness


def group_digests(frame: pd.DataFrame, identity: str | None, likeness: Likeness) -> Digests:
    """Return which rows belong together, shape (n_rows,).

    Rows that are alike by chance are told apart by their order among their likes, which later rows do not change.
    """
    content = row_digests(frame, likeness.columns)
    if not likeness.together:
        place = pd.Series(content).groupby(content).cumcount().to_numpy().astype(np.uint64)
        content = scramble(content + place)
    if identity is None:
        return content
    return np.where(frame[identity].isna().to_numpy(), content, row_digests(frame, [identity]))


def alike_by_chance(columns: Mapping[str, Digests], rows: int) -> bool:
    """Return whether rows repeat because their columns have few levels: shuffled columns then repeat as much."""
    repeats = rows - count_distinct(combine(columns, rows))
    if repeats <= MANY_ALIKE * rows:
        return False
    random = np.random.default_rng(0)
    shuffled = {name: random.permutation(digests) for name, digests in columns.items()}
    return rows - count_distinct(combine(shuffled, rows)) >= BY_CHANCE * repeats


def is_counter(values: pd.Series) -> bool:
    """Return whether a column numbers the rows: whole, all different, and without large gaps or in order."""
    if values.dtype.kind != "i" or not values.is_unique or len(values) < FEWEST_ROWS:
        return False
    array = values.to_numpy()
    ordered = bool(np.all(np.diff(array) > 0) or np.all(np.diff(array) < 0))
    return ordered or float(array.max()) - float(array.min()) + 1 <= COUNTER_SPAN * len(array)
