"""Quiet streams: the statistics alone, through the code that ships. Alarms must not grow with rows."""

import sys

import numpy as np
import pytest

from penstock.monitoring.drift import compare, find_watches
from penstock.monitoring.loss import lose, weigh
from penstock.monitoring.reference import Rows
from tests.unit.monitoring import quiet

WATCHES = find_watches({})
SPANS = (6 * 3600, 86_400, 3 * 86_400, 14 * 86_400)  # all but the last are shorter than a week
ROWS = (200, 1_000, 10_000, 100_000)


def drifted_windows(seed: int, rows: int, windows: int, reference_rows: int = 20_000) -> int:
    """Return in how many quiet windows some column drifted."""
    random = np.random.default_rng([seed, rows])
    reference = quiet.make(random, quiet.times(random, reference_rows, 0, quiet.YEAR))
    found = 0
    for window in range(windows):
        start = quiet.YEAR + random.uniform(0, 60 * 86_400)
        current = quiet.make(random, quiet.times(random, rows, start, SPANS[window % len(SPANS)]))
        columns, _ = compare(reference, current, WATCHES)
        found += any(column.drifted for column in columns)
    return found


def false_acts(metric: str, seed: int, rows: int, windows: int = 60) -> int:
    """Return how often a loss stood in two quiet windows in a row, days differing as they do."""
    random = np.random.default_rng([seed, rows])
    held = quiet.answer(random, quiet.times(random, 2_000, quiet.YEAR - 70 * 86_400, 70 * 86_400))
    expected = weigh(metric, held, time_ordered=True)
    acts = row = 0
    for window in range(windows):
        moments = quiet.times(random, rows, quiet.YEAR + window * 86_400, 86_400)
        measured = weigh(metric, quiet.answer(random, moments), time_ordered=True, daily=expected.daily)
        row = row + 1 if lose(metric, expected, measured, 0.02).lost else 0
        acts += row == 2
    return acts


@pytest.mark.parametrize("rows", [200, 20_000])
def test_forty_quiet_columns_with_a_weekly_cycle_raise_no_alarm(rows: int) -> None:
    assert drifted_windows(1, rows, 4, reference_rows=10_000) == 0


def test_a_week_would_be_drift_if_rows_were_compared_whenever_they_came() -> None:
    random = np.random.default_rng(3)
    moments = quiet.times(random, 20_000, 0, quiet.YEAR)
    saturday = quiet.times(random, 2_000, quiet.YEAR + 5 * 86_400, 86_400)
    reference, current = quiet.make(random, moments), quiet.make(random, saturday)
    blind, _ = compare(Rows(reference.columns, None), Rows(current.columns, None), WATCHES)
    assert any(column.drifted for column in blind)
    assert not any(column.drifted for column in compare(reference, current, WATCHES)[0])


@pytest.mark.parametrize("rows", [500, 20_000])
def test_a_column_that_moves_is_found_and_no_other(rows: int) -> None:
    random = np.random.default_rng(4)
    reference = quiet.make(random, quiet.times(random, 20_000, 0, quiet.YEAR))
    current = quiet.make(random, quiet.times(random, rows, quiet.YEAR, 3 * 86_400), {"c0": 1.0})
    columns, _ = compare(reference, current, WATCHES)
    assert [column.column for column in columns if column.drifted] == ["c0"]


def test_a_shift_that_is_tiny_and_certain_is_no_drift() -> None:
    random = np.random.default_rng(5)
    reference = quiet.make(random, quiet.times(random, 20_000, 0, quiet.YEAR))
    current = quiet.make(random, quiet.times(random, 50_000, quiet.YEAR, 14 * 86_400), {"c0": 0.1})
    moved = next(column for column in compare(reference, current, WATCHES)[0] if column.column == "c0")
    assert 0 < moved.effect < 0.1 * moved.threshold
    assert not moved.drifted


def test_with_thresholds_out_of_reach_nothing_drifts() -> None:
    random = np.random.default_rng(6)
    reference = quiet.make(random, quiet.times(random, 5_000, 0, quiet.YEAR))
    current = quiet.make(random, quiet.times(random, 1_000, quiet.YEAR, 3 * 86_400), {"c0": 9.0})
    never = find_watches(dict.fromkeys(("psi", "missing", "levels"), 1e9))
    assert not any(column.drifted for column in compare(reference, current, never)[0])


@pytest.mark.parametrize("metric", ["roc_auc", "log_loss"])
def test_quality_that_is_as_expected_starts_nothing(metric: str) -> None:
    assert sum(false_acts(metric, seed, 300, windows=20) for seed in range(3)) == 0


def test_half_the_sharpness_lost_is_found() -> None:
    random = np.random.default_rng(7)
    held = quiet.answer(random, quiet.times(random, 2_000, quiet.YEAR - 70 * 86_400, 70 * 86_400))
    expected = weigh("roc_auc", held, time_ordered=True)
    for window in range(5):
        moments = quiet.times(random, 2_000, quiet.YEAR + window * 86_400, 86_400)
        measured = weigh("roc_auc", quiet.answer(random, moments, loss=0.6), time_ordered=True, daily=expected.daily)
        assert lose("roc_auc", expected, measured, 0.02).lost


@pytest.mark.full
@pytest.mark.timeout(3600)
def test_at_most_one_of_a_thousand_quiet_windows_alarms_at_any_number_of_rows() -> None:
    windows = {rows: 60 if rows < 100_000 else 8 for rows in ROWS}
    alarms = {rows: sum(drifted_windows(seed, rows, windows[rows]) for seed in range(20)) for rows in ROWS}
    looked = {rows: 20 * windows[rows] for rows in ROWS}
    sys.stdout.write(f"\ndrift alarms in quiet windows: {alarms} of {looked}\n")
    assert sum(alarms.values()) <= sum(looked.values()) / 1000
    assert alarms[100_000] == 0


@pytest.mark.full
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("metric", ["roc_auc", "log_loss", "accuracy"])
def test_at_most_one_of_a_thousand_quiet_windows_starts_a_training(metric: str) -> None:
    acts = {rows: sum(false_acts(metric, seed, rows) for seed in range(20)) for rows in (200, 1_000, 10_000)}
    sys.stdout.write(f"\nfalse acts by {metric} in 1,200 quiet windows of each number of labels: {acts}\n")
    assert sum(acts.values()) <= 3 * 20 * 60 / 1000
