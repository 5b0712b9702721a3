import numpy as np
import pytest
from numpy.typing import NDArray

from penstock.search.model.ensemble import STEPS, Evidence, learn_weights, mix

ROWS = 3000


def values(*spreads: float, shared: float = 0.0) -> tuple[list[NDArray[np.float64]], Evidence]:
    """Return members that are off by noise of their own and by what they share, and the target."""
    draw = np.random.default_rng(1)
    target = draw.normal(size=ROWS)
    off = shared * draw.normal(size=ROWS)
    members = [target + off + spread * draw.normal(size=ROWS) for spread in spreads]
    return members, Evidence(target, np.arange(ROWS) % 5, "rmse", 0)


def test_members_that_err_apart_are_worth_more_together() -> None:
    members, evidence = values(1.0, 1.0, 1.1)
    found = mix(members, evidence)
    assert found.pays
    assert found.score > -0.65
    assert sum(weight for _, weight in found.weights) == pytest.approx(1)


def test_members_that_err_alike_are_not() -> None:
    members, evidence = values(0.0, 1e-4, 1e-4, shared=1.0)
    assert not mix(members, evidence).pays


def test_noise_is_not_mixed_to_a_gain() -> None:
    draw = np.random.default_rng(4)
    shares = [np.column_stack([1 - share, share]) for share in draw.uniform(0.3, 0.7, (6, ROWS))]
    evidence = Evidence(draw.integers(0, 2, ROWS), np.arange(ROWS) % 5, "roc_auc", 2)
    found = mix(shares, evidence)
    assert found.optimism > 0
    assert abs(found.score - 0.5) < 0.05


def test_a_bad_member_has_no_weight() -> None:
    members, evidence = values(0.5, 5.0)
    assert [place for place, _ in mix(members, evidence).weights] == [0]


def test_each_rows_prediction_knows_nothing_of_its_own_fold() -> None:
    members, evidence = values(0.8, 1.0)
    before = mix(members, evidence).predictions
    fold = evidence.fold == 2
    evidence.target[fold] = members[1][fold]
    after = mix(members, evidence).predictions
    assert np.array_equal(before[fold], after[fold])
    assert not np.array_equal(before[~fold], after[~fold])


def test_rows_that_no_fold_validates_are_left_out() -> None:
    members, evidence = values(0.8, 1.0)
    for member in members:
        member[:100] = np.nan
    found = mix(members, evidence)
    assert np.isnan(found.predictions[:100]).all()
    assert np.isfinite(found.predictions[100:]).all()


def test_few_rows_move_weights_towards_equal_ones() -> None:
    draw = np.random.default_rng(2)
    target = draw.normal(size=40_000)
    shown = target[:, None] + draw.normal(size=(40_000, 2)) * [0.6, 1.0]
    many, few = learn_weights(shown, target, 0), learn_weights(shown[:200], target[:200], 0)
    assert 0.5 < few[0] < many[0] < 1
    assert many[0] == pytest.approx(1 / (1 + 0.36), abs=1.5 / STEPS)
