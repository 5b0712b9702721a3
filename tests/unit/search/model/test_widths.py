import numpy as np
import pytest
from numpy.typing import NDArray

from penstock.search.model.widths import learn_widths

Values = NDArray[np.float64]


def rows(seed: int, count: int, *, apart: bool = True) -> tuple[Values, Values, NDArray[np.float32], NDArray[np.int8]]:
    """Return predictions, targets, numbers and folds; where rows are apart, half of them miss five times as far."""
    draw = np.random.default_rng(seed)
    numbers = draw.normal(size=(count, 3)).astype(np.float32)
    wide = 1 + 4 * (numbers[:, 1] > 0) if apart else np.ones(count)
    predictions = numbers[:, 0].astype(np.float64)
    return (
        predictions,
        predictions + wide * draw.standard_t(5, count),
        numbers,
        draw.integers(0, 5, count).astype(np.int8),
    )


def test_intervals_go_by_the_row_and_cover_nine_of_ten_fresh_rows_of_each_kind() -> None:
    widths, said = learn_widths(*rows(1, 5_000))
    assert widths is not None, said
    predictions, target, numbers, _ = rows(2, 40_000)
    halves = np.array([widths.half(*row) for row in zip(numbers.tolist(), predictions.tolist(), strict=True)])
    covered, wide = np.abs(target - predictions) <= halves, numbers[:, 1] > 0
    assert covered.mean() == pytest.approx(0.9, abs=0.02)
    assert covered[wide].mean() == pytest.approx(0.9, abs=0.03)
    assert covered[~wide].mean() == pytest.approx(0.9, abs=0.03)
    assert np.median(halves[wide]) / np.median(halves[~wide]) == pytest.approx(5, rel=0.2)


def test_where_rows_are_alike_one_width_is_kept_for_all() -> None:
    for seed in range(10):
        widths, said = learn_widths(*rows(seed, 3_000, apart=False))
        assert widths is None, said
        assert said.startswith("intervals are equally wide")


def test_a_missing_number_has_an_interval_too() -> None:
    predictions, target, numbers, fold = rows(3, 5_000)
    hidden = np.random.default_rng(4).random(5_000) < 0.3
    numbers[hidden, 1] = np.nan
    widths, said = learn_widths(predictions, target, numbers, fold)
    assert widths is not None, said
    assert widths.half([0.0, float("nan"), 0.0], 0.0) > widths.half([0.0, -1.0, 0.0], 0.0)


@pytest.mark.parametrize("count", [0, 1, 50, 399])
def test_few_rows_are_not_told_apart(count: int) -> None:
    widths, said = learn_widths(*rows(5, count))
    assert widths is None
    assert "too few" in said


def test_predictions_that_never_miss_and_rows_without_one_are_no_error() -> None:
    predictions, _, numbers, fold = rows(6, 2_000)
    assert learn_widths(predictions, predictions.copy(), numbers, fold)[0] is None
    assert learn_widths(np.full(2_000, np.nan), predictions, numbers, fold)[0] is None


def test_a_prediction_may_be_what_tells_rows_apart() -> None:
    draw = np.random.default_rng(7)
    predictions = draw.uniform(1, 100, 6_000)
    target = predictions * (1 + 0.2 * draw.normal(size=6_000))
    widths, said = learn_widths(predictions, target, np.zeros((6_000, 0), np.float32), draw.integers(0, 5, 6_000))
    assert widths is not None, said
    assert widths.half([], 90.0) > 3 * widths.half([], 10.0)
