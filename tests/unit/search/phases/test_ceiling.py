from dataclasses import replace

import numpy as np
import pytest

from penstock.search.encoding import TrainingRows
from penstock.search.phases.ceiling import ceiling
from tests.unit.search.conftest import make_rows


def doubled(rows: TrainingRows) -> TrainingRows:
    """Return rows each of which is there twice."""
    twice = np.repeat(np.arange(len(rows.target)), 2)
    return replace(
        rows,
        numbers=rows.numbers[twice],
        texts=rows.texts[twice],
        target=rows.target[twice].copy(),
        fold=rows.fold[twice],
        group=rows.group[twice],
    )


def shared_by(shares: tuple[float, ...], rows: int = 100) -> TrainingRows:
    """Return rows of as many distinct features as there are shares, each with its share of the class 1."""
    made = make_rows(rows=rows * len(shares))
    kind = np.repeat(np.arange(len(shares)), rows)
    target = np.concatenate([np.arange(rows) < share * rows for share in shares]).astype(np.int64)
    numbers = np.zeros_like(made.numbers)
    numbers[:, 0] = kind
    return replace(made, numbers=numbers, texts=np.full_like(made.texts, "red"), target=target)


def test_rows_that_nothing_tells_apart_bound_every_model() -> None:
    rows = doubled(make_rows(rows=200))
    rows.target[:80:2] = 1 - rows.target[1:80:2]  # of 40 pairs one row must be called wrongly
    said = ceiling(rows, "accuracy")
    assert said is not None
    assert "better accuracy than 0.9000 on these rows: 20% of them" in said
    assert ceiling(rows, "log_loss") != said


def test_where_equal_features_have_equal_targets_nothing_is_known() -> None:
    assert ceiling(make_rows(rows=200), "roc_auc") is None
    assert ceiling(doubled(make_rows(rows=200)), "roc_auc") is None


def test_equal_targets_do_not_differ_by_the_rounding_of_their_mean() -> None:
    rows = shared_by((0.0,) * 50, rows=3)
    values = np.repeat(0.1 * np.arange(50), 3)
    assert ceiling(replace(rows, target=values, problem="regression", classes=0), "rmse") is None


@pytest.mark.parametrize("spread", [0.0, 2.0])
def test_a_regression_is_bounded_by_what_equal_rows_differ_by(spread: float) -> None:
    rows = doubled(make_rows(rows=200))
    values = np.repeat(np.arange(200.0), 2)
    values[::2] += spread
    said = ceiling(replace(rows, target=values, problem="regression", classes=0), "rmse")
    assert (said is None) == (spread == 0)
    assert said is None or "better RMSE than 1 on these rows: 100%" in said


def test_f1_is_bounded_where_the_best_cut_lies() -> None:
    said = ceiling(shared_by((0.1, 0.3, 0.4)), "f1")
    assert said is not None
    assert f"better F1 than {2 * 70 / (80 + 200):.4f} on" in said
    assert ceiling(replace(shared_by((0.1, 0.3, 0.4)), problem="multiclass", classes=3), "f1") is None


def test_absolute_errors_are_bounded_by_medians() -> None:
    rows = shared_by((0.2, 0.4))
    skewed = replace(rows, target=10.0 * rows.target, problem="regression", classes=0)
    assert "better MAE than 3 on" in str(ceiling(skewed, "mae"))


def test_costs_bound_no_accuracy() -> None:
    costs = np.array([[0.0, 1.0], [9.0, 0.0]])
    assert "better accuracy than 0.7000 on" in str(ceiling(shared_by((0.2, 0.4)), "accuracy", costs))
    assert "better cost per row than 0.7000 on" in str(ceiling(shared_by((0.2, 0.4)), "cost", costs))


def test_an_order_by_shares_is_no_bound_of_average_precision() -> None:
    assert ceiling(shared_by((1.0, 0.5, 0.5)), "average_precision") is None
