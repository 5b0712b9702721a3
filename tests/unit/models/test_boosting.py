"""LightGBM's pace: binning is no round, and where there is room for few trees each learns more."""

import time
from types import SimpleNamespace

import numpy as np
import pytest

from penstock.models._base import BuildContext
from penstock.models._boosting import FIRST_LOOK, Pace, faster
from penstock.models.lightgbm import MOST_TREES, LightGBM


def test_binning_before_the_first_round_does_not_raise_the_rate() -> None:
    pace = Pace(time.monotonic() + 60.0, 0.05, 1000)
    time.sleep(0.3)  # a large table is cut into bins before the first round
    for iteration in range(FIRST_LOOK):
        pace(SimpleNamespace(iteration=iteration, evaluation_result_list=[], model=None))
    assert pace.rate == 0.05


@pytest.mark.parametrize(("room", "rate"), [(1000, 0.05), (280, 0.05), (140, 0.1), (1, 0.3)])
def test_a_rate_follows_the_room_there_is_for_rounds(room: int, rate: float) -> None:
    assert faster(0.05, 1000, room) == pytest.approx(rate)


def test_many_classes_have_fewer_rounds_of_a_higher_rate() -> None:
    random = np.random.default_rng(0)
    x = random.normal(size=(600, 4)).astype(np.float32)
    y = (np.argsort(np.argsort(x[:, 0])) // 12).astype(np.int64)
    context = BuildContext("multiclass", 50, 0)
    family = LightGBM()
    default = family.default("multiclass", 600, 4)
    fitted = family.build({**default, "rate": 0.05}, context).fit(x[:500], y[:500], (x[500:], y[500:]))
    assert fitted.rounds <= MOST_TREES // 50
    assert fitted.refit_parameters()["rate"] == pytest.approx(0.05 * 280 / (MOST_TREES // 50))
