"""Rows that repeat others, and columns that count rows."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from penstock.data.sides.digests import Digests, combine, count_distinct, scramble

FEWEST_ROWS = 20  # fewer different whole numbers may be anything
COUNTER_SPAN = 1.5  # whole numbers, all different, in a range not much wider than the rows: a running number
MANY_ALIKE = 0.5  # share of rows that repeat another's features; fewer are copies, whatever the columns hold
BY_CHANCE = 0.5  # share of the repeats that shuffled columns have as well: repeats of few levels, not of one thing


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
    array = values.dropna().to_numpy()
    ordered = bool(np.all(np.diff(array) > 0) or np.all(np.diff(array) < 0))
    return ordered or float(array.max()) - float(array.min()) + 1 <= COUNTER_SPAN * len(array)


def tell_apart(content: Digests) -> Digests:
    """Return numbers that differ for rows that are alike by chance: by their order among their likes."""
    place = pd.Series(content).groupby(content).cumcount().to_numpy().astype(np.uint64)
    return scramble(content + place)
