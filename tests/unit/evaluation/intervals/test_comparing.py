"""The paired interval of the judge: its influence values, its error over many looks, and its power."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from penstock.evaluation import metrics
from penstock.evaluation.intervals.comparing import compare
from penstock.evaluation.intervals.dependence import Dependence, find_dependence
from penstock.evaluation.intervals.influence import Estimate, estimate
from penstock.evaluation.intervals.spending import spend
from penstock.evaluation.metrics import Choosing

ERROR = 0.05


def accuracy_of(right: NDArray[np.float64]) -> Estimate:
    return Estimate(float(right.mean()), right - right.mean(), right)


def rivals(rows: int, gain: float, random: np.random.Generator) -> tuple[Estimate, Estimate]:
    """Two models that disagree on 10 % of rows, of which one is right: the challenger on `gain` rows more."""
    drawn = random.random(rows, dtype=np.float32)
    wins, losses = drawn < 0.05 + gain / 2, drawn > 0.95 + gain / 2
    return accuracy_of((~wins).astype(np.float64)), accuracy_of((~losses).astype(np.float64))


def promoted(rows: int, gain: float, look: int, random: np.random.Generator) -> bool:
    champion, challenger = rivals(rows, gain, random)
    return compare(champion, challenger, Dependence(rows), spend(look, ERROR)).low > 0


@pytest.mark.parametrize(("rows", "least"), [(1000, 0.5), (5000, 0.95)])
def test_two_points_better_is_promoted_at_the_first_look(rows: int, least: float) -> None:
    random = np.random.default_rng(11)
    wins = sum(promoted(rows, 0.02, 1, random) for _ in range(1000))
    assert wins / 1000 >= least


def test_fifty_equal_challengers_on_the_same_rows_promote_five_percent_at_most() -> None:
    random = np.random.default_rng(12)
    series = 400
    wrong = sum(any(promoted(1000, 0.0, look, random) for look in range(1, 51)) for _ in range(series))
    assert wrong / series <= ERROR


def test_an_equal_ranking_of_a_rare_class_is_rarely_promoted() -> None:
    random = np.random.default_rng(14)
    wrong = 0
    for _ in range(400):
        target = (random.random(600) < 0.08).astype(int)
        shared = target + random.normal(size=600)
        both = [shared + 0.5 * random.normal(size=600) for _ in range(2)]
        sides = [estimate("roc_auc", target, 1 / (1 + np.exp(-value))) for value in both]
        wrong += compare(sides[0], sides[1], Dependence(600), ERROR).low > 0
    assert wrong / 400 <= 0.07


def test_all_looks_together_spend_the_error() -> None:
    assert spend(1, ERROR) == pytest.approx(0.8 * ERROR)
    assert sum(spend(look, ERROR) for look in range(1, 20_000)) == pytest.approx(ERROR, rel=1e-4)


def test_a_model_is_not_better_than_itself() -> None:
    random = np.random.default_rng(0)
    target, p = random.integers(0, 2, 500), random.random(500)
    gain = compare(estimate("roc_auc", target, p), estimate("roc_auc", target, p), Dependence(500), ERROR)
    assert gain.same
    assert not gain.low > 0


def test_the_rounding_of_float32_is_no_gain() -> None:
    random = np.random.default_rng(0)
    target = random.normal(size=500)
    values = np.full(500, target.mean())
    gain = compare(estimate("rmse", target, values), estimate("rmse", target, values + 1e-7), Dependence(500), ERROR)
    assert gain.same
    assert gain.value == gain.low == 0


def test_four_wins_without_a_loss_are_too_few_to_say() -> None:
    champion = np.ones(300)
    champion[:4] = 0
    gain = compare(accuracy_of(champion), accuracy_of(np.ones(300)), Dependence(300), 0.04)
    assert gain.value > 0
    assert gain.low < 0


def test_rows_of_one_customer_count_as_one() -> None:
    random = np.random.default_rng(3)
    target, noise = random.normal(size=60), random.normal(size=(2, 60))
    sides = [estimate("rmse", np.repeat(target, 10), np.repeat(target + part, 10)) for part in noise]
    alone = compare(sides[0], sides[1], Dependence(600), ERROR)
    customers = find_dependence(np.repeat(np.arange(60), 10), None, time_ordered=False)
    together = compare(sides[0], sides[1], customers, ERROR)
    assert together.value == alone.value
    assert together.value - together.low > 2.5 * (alone.value - alone.low)


def test_rows_of_one_day_are_a_block() -> None:
    days = np.datetime64("2026-01-01") + np.repeat(np.arange(40), 24)
    found = find_dependence(np.arange(960), days, time_ordered=True)
    assert found.words == "days"
    assert found.time is not None
    assert len(np.unique(found.time)) == 40


def test_daily_rows_are_taken_in_runs_of_days() -> None:
    days = np.datetime64("2026-01-01") + np.arange(1000)
    assert find_dependence(np.arange(1000), days, time_ordered=True).words == "runs of 10 days"


@pytest.mark.parametrize("metric", ["roc_auc", "average_precision", "f1", "accuracy", "log_loss", "cost"])
@pytest.mark.parametrize("classes", [2, 3])
def test_influence_is_what_leaving_a_row_out_changes_for_classes(metric: str, classes: int) -> None:
    random = np.random.default_rng(5)
    target = random.integers(0, classes, 240)
    p = random.dirichlet(np.ones(classes), 240)
    p[np.arange(240), target] += 0.4
    agrees_with_jackknife(metric, target, np.round(p / p.sum(axis=1, keepdims=True), 2))


@pytest.mark.parametrize("metric", ["rmse", "mae", "r2"])
def test_influence_is_what_leaving_a_row_out_changes_for_values(metric: str) -> None:
    random = np.random.default_rng(6)
    target = random.normal(size=240)
    agrees_with_jackknife(metric, target, target + random.normal(size=240))


def agrees_with_jackknife(metric: str, target: NDArray[Any], predictions: NDArray[np.float64]) -> None:
    found = estimate(metric, target, predictions)
    measure = metrics.METRICS[metric].measure
    left_out = [measure(np.delete(target, i), np.delete(predictions, i, 0), Choosing()) for i in range(target.size)]
    jackknife = (target.size - 1) * (found.score - np.array(left_out))
    assert np.corrcoef(jackknife, found.influence)[0, 1] > 0.999
    assert jackknife.std() / found.influence.std() == pytest.approx(1, abs=0.03)
    assert found.influence.mean() == pytest.approx(0, abs=1e-12)
