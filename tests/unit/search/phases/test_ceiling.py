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


@pytest.mark.parametrize("spread", [0.0, 2.0])
def test_a_regression_is_bounded_by_what_equal_rows_differ_by(spread: float) -> None:
    rows = doubled(make_rows(rows=200))
    values = np.repeat(np.arange(200.0), 2)
    values[::2] += spread
    said = ceiling(replace(rows, target=values, problem="regression", classes=0), "rmse")
    assert (said is None) == (spread == 0)
    assert said is None or "better RMSE than 1 on these rows: 100%" in said
