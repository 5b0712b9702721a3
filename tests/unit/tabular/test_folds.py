"""Folds of a table that no project keeps."""

import numpy as np
import pandas as pd
import pytest

from penstock.data.sides.digests import count_distinct
from penstock.errors import DataError
from penstock.tabular.folds import Folds, deal

ROWS = 60
NO_CLASSES = np.zeros(ROWS, np.int64)
TWO = np.arange(ROWS) % 2
THREE = np.arange(ROWS) % 3


def frame_of(rows: int = ROWS) -> pd.DataFrame:
    return pd.DataFrame({"x": np.random.default_rng(0).normal(size=rows)})


def dealt(codes: np.ndarray, groups: list[str | None] | np.ndarray | None) -> Folds:
    given = None if groups is None else pd.Series(groups, dtype="str" if isinstance(groups, list) else None)
    return deal(frame_of(), codes, given, None, 0)


@pytest.mark.parametrize(
    ("codes", "groups", "said"),
    [
        (
            TWO,
            np.zeros(ROWS),
            "both classes among each, but the 60 rows that train are of 1 group; classes in one group alone: 2 of 2",
        ),
        (TWO, TWO, "of 2 groups; classes in one group alone: 2 of 2"),
        (TWO, np.where(TWO == 1, 0, np.arange(ROWS)), "classes in one group alone: 1 of 2"),
        (TWO, np.where(TWO == 1, np.arange(ROWS), 0), "classes in one group alone: 1 of 2"),
        (THREE, THREE, "of 3 groups; classes in one group alone: 3 of 3"),
        (NO_CLASSES, np.zeros(ROWS), "of 1 group. Give `groups` with more values"),
    ],
)
def test_groups_that_leave_a_fold_without_rows_on_a_side_are_refused(
    codes: np.ndarray, groups: np.ndarray, said: str
) -> None:
    with pytest.raises(DataError, match=said):
        dealt(codes, groups)


def test_few_groups_are_enough_if_each_class_is_in_two() -> None:
    assert dealt(NO_CLASSES, TWO).count == 2
    pairs = dealt(TWO, np.arange(ROWS) % 4)
    assert [set(TWO[pairs.fold == fold].tolist()) for fold in range(pairs.count)] == [{0, 1}, {0, 1}]


def test_rows_of_a_group_are_in_one_fold() -> None:
    groups = np.arange(ROWS) % 12
    assert pd.Series(dealt(TWO, groups).fold).groupby(groups).nunique().max() == 1


def test_rows_without_a_group_are_not_one_group() -> None:
    groups = [f"g{row // 6}" if row < 24 else None for row in range(ROWS)]
    folds = dealt(NO_CLASSES, groups)
    assert count_distinct(folds.group[:24]) == 4
    assert count_distinct(folds.group[24:]) == 36
    assert np.bincount(folds.fold[24:]).max() <= 10


def test_copies_without_a_group_stay_together() -> None:
    table = pd.concat([frame_of(30)] * 2, ignore_index=True)
    groups = pd.Series(["known", *[None] * 29] * 2, dtype="str")
    folds = deal(table, NO_CLASSES, groups, None, 0)
    assert np.array_equal(folds.fold[:30], folds.fold[30:])


def test_with_a_time_its_blocks_alone_make_the_folds() -> None:
    times = pd.Series(np.arange(ROWS)[::-1])
    timed = deal(frame_of(), TWO, None, times, 0)
    grouped = deal(frame_of(), TWO, pd.Series(TWO), times, 0)
    assert np.array_equal(timed.fold, grouped.fold)
    assert all((timed.fold < fold).any() and (timed.fold == fold).any() for fold in range(timed.count))
