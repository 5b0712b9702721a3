"""A straight line may bend at the quantiles of a number."""

import numpy as np

from penstock.models._bends import learn_bends


def test_pieces_rise_from_nothing_to_one_and_lie_between_quantiles() -> None:
    x = np.random.default_rng(0).normal(size=(1000, 2)).astype(np.float32)
    bends = learn_bends(x, 4)
    shown = bends.apply(x)
    assert shown.shape == (1000, 10)
    assert np.array_equal(shown[:, :2], x)
    assert shown[:, 2:].min() == 0
    assert shown[:, 2:].max() == 1
    order = np.argsort(x[:, 0])
    assert np.all(np.diff(shown[order, 2:6], axis=0) >= 0)


def test_features_of_few_values_are_left_alone() -> None:
    x = np.random.default_rng(0).integers(0, 3, (100, 2)).astype(np.float32)
    assert learn_bends(x, 8).apply(x).shape == (100, 2)
    assert learn_bends(np.random.default_rng(0).normal(size=(9, 1)).astype(np.float32), 0).apply(x) is x


def test_knots_too_near_each_other_are_one() -> None:
    x = np.concatenate([np.zeros(50), np.full(50, 1e-7), np.linspace(0, 1, 100)]).astype(np.float32)[:, None]
    bends = learn_bends(x, 16)
    assert (1 / bends.slope).min() > 1e-4
