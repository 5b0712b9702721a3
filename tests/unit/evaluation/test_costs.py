import numpy as np
import pytest

from penstock.errors import ModelError
from penstock.evaluation import metrics
from penstock.evaluation.costs import best_threshold, cost_matrix

RANDOM = np.random.default_rng(7)
BINARY = RANDOM.integers(0, 2, 400)
CHANCE = np.clip(np.round(0.3 * BINARY + 0.7 * RANDOM.random(400), 2), 0, 1)


def test_costs_choose_the_cheaper_class() -> None:
    costs = cost_matrix({"false_negative": 5, "false_positive": 1}, ("no", "yes"))
    assert costs is not None
    assert best_threshold("cost", BINARY, CHANCE, costs) == pytest.approx(1 / 6)
    dear = metrics.score("cost", BINARY, CHANCE, threshold=0.5, costs=costs)
    assert metrics.score("cost", BINARY, CHANCE, costs=costs) > dear


def test_a_full_cost_matrix_is_read_by_class() -> None:
    costs = cost_matrix({"a": {"b": 3}}, ("a", "b", "c"))
    assert costs is not None
    assert costs[0].tolist() == [0, 3, 1]
    with pytest.raises(ModelError, match="costs by class of a, b, c"):
        cost_matrix({"d": {"b": 3}}, ("a", "b", "c"))


def test_the_best_threshold_for_f1_is_the_best_one_seen() -> None:
    found = best_threshold("f1", BINARY, CHANCE)
    tried = [metrics.score("f1", BINARY, CHANCE, threshold=t) for t in np.unique(CHANCE)]
    assert metrics.score("f1", BINARY, CHANCE, threshold=found) == pytest.approx(max(tried))


def test_the_best_threshold_lies_between_probabilities_so_that_their_last_digit_flips_no_label() -> None:
    above = 0.4 + 1e-12  # the same number in float32
    positive = np.array([0.9, above, 0.4, 0.2, 0.1])
    found = best_threshold("f1", np.array([1, 1, 0, 0, 0]), positive)
    assert found == pytest.approx(0.3)
    nudged = np.nextafter(positive.astype(np.float32), np.float32(0)).astype(np.float64)
    assert ((nudged >= found) == (positive >= found)).all()


def test_the_best_threshold_may_call_every_row() -> None:
    assert best_threshold("f1", np.ones(4), np.full(4, 0.2)) == pytest.approx(0.1)
