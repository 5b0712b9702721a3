"""One configuration on folds."""

import numpy as np
import pytest

from penstock.domain.search import EncodedFolds
from penstock.search.messages import Setting
from penstock.search.trials import INNER_SHARE, Shelf, inner_rows


def shelf(rows: int, *, time_ordered: bool) -> Shelf:
    folds = EncodedFolds("nowhere", "regression", 0, rows, 5, time_ordered, {"tree": 1})
    groups = np.repeat(np.random.default_rng(0).integers(0, 2**63, rows // 2 + 1), 2)[:rows].astype(np.uint64)
    return Shelf(Setting(folds, "rmse", seed=7), {"group": groups})


@pytest.mark.parametrize("rows", [2, 7, 30, 1000, 40_000])
@pytest.mark.parametrize("time_ordered", [True, False])
def test_early_stopping_looks_at_some_of_a_folds_rows(rows: int, time_ordered: bool) -> None:
    inner = inner_rows(shelf(rows, time_ordered=time_ordered), np.arange(rows))
    assert inner.any()
    assert not inner.all()
    if rows >= 1000:
        assert inner.mean() == pytest.approx(INNER_SHARE, abs=0.03)


def test_with_time_order_the_newest_rows_are_fitted_on_and_every_season_is_looked_at() -> None:
    inner = inner_rows(shelf(1000, time_ordered=True), np.arange(1000))
    assert not inner[-20:].any()
    assert all(part.any() for part in np.split(inner, 10))


def test_without_time_order_rows_of_one_group_stay_together() -> None:
    inner = inner_rows(shelf(1000, time_ordered=False), np.arange(1000))
    assert (inner[::2] == inner[1::2]).all()
