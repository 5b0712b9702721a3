"""The interval of a score: how often it holds the truth where rows, or rows of a class, are few or belong together."""

import numpy as np
import pytest
from scipy.stats import norm

from penstock.evaluation.intervals.dependence import Dependence, find_dependence
from penstock.evaluation.intervals.influence import estimate
from penstock.evaluation.intervals.resampling import Resampling, interval, normal_interval


@pytest.mark.parametrize("hits", [4, 16])
def test_it_holds_the_auc_of_a_rare_class(hits: int) -> None:
    random = np.random.default_rng(31)
    target = (np.arange(400) < hits).astype(int)
    truth = norm.cdf(1.5 / np.sqrt(2))
    held = 0
    for _ in range(300):
        p = norm.cdf(1.5 * target + random.normal(size=400) - 2)
        found = interval("roc_auc", target, p, Resampling(Dependence(400)))
        assert not found.drawn
        held += found.low <= truth <= found.high
    assert held / 300 >= 0.91


def test_it_knows_of_ids_where_rows_are_ordered_by_time() -> None:
    random = np.random.default_rng(32)
    customer = np.repeat(np.arange(30), 20)
    day = np.datetime64("2026-01-01") + np.tile(np.arange(20), 30)
    together = find_dependence(customer, day, time_ordered=True)
    truth = -np.sqrt(2) * np.sqrt(2 / np.pi)
    held = 0
    for _ in range(150):
        values = random.normal(size=30)[customer] + random.normal(size=600)
        found = interval("mae", np.zeros(600), values, Resampling(together))
        held += found.low <= truth <= found.high
    assert held / 150 >= 0.9


def test_few_clusters_widen_it_by_students_t() -> None:
    random = np.random.default_rng(33)
    errors = random.normal(size=600)
    found = estimate("mae", np.zeros(600), errors)
    few, many = (normal_interval("mae", found, Dependence(600, np.arange(600) % count)) for count in (3, 300))
    assert few.high - few.low > 1.5 * (many.high - many.low)
    assert interval("mae", np.zeros(600), errors, Resampling(Dependence(600, np.arange(600) % 300))).drawn


@pytest.mark.parametrize("metric", ["roc_auc", "average_precision"])
def test_it_stays_between_0_and_1(metric: str) -> None:
    random = np.random.default_rng(34)
    target = (np.arange(200) < 2).astype(int)
    found = interval(metric, target, 0.9 * target + 0.5 * random.random(200), Resampling(Dependence(200)))
    assert 0 <= found.low <= found.high <= 1


def test_a_class_that_no_row_has_still_counts_as_one_of_several() -> None:
    random = np.random.default_rng(35)
    target, p = random.integers(0, 2, 300), random.dirichlet(np.ones(3), 300)
    found = interval("roc_auc", target, p, Resampling(Dependence(300)))
    score = estimate("roc_auc", target, p).score
    assert found.low < score < found.high
    assert found.low == pytest.approx(score - 0.05, abs=0.03)
