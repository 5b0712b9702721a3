"""Metrics against scikit-learn, their direction, and their errors."""

import numpy as np
import pytest
from sklearn import metrics as peers

from penstock.domain.metrics import METRIC_PROBLEMS, USUAL_METRICS
from penstock.errors import ModelError, NotFound
from penstock.evaluation import metrics

ROWS = 2000
RANDOM = np.random.default_rng(0)
BINARY = RANDOM.integers(0, 2, ROWS)
CHANCE = np.clip(np.round(0.3 * BINARY + 0.7 * RANDOM.random(ROWS), 2), 0, 1)
CODES = RANDOM.integers(0, 4, ROWS)
SHARES = RANDOM.dirichlet(np.ones(4), ROWS)
VALUES = RANDOM.normal(size=ROWS)
GUESSES = VALUES + RANDOM.normal(size=ROWS)


@pytest.mark.parametrize(
    ("name", "peer"),
    [
        ("roc_auc", peers.roc_auc_score(BINARY, CHANCE)),
        ("average_precision", peers.average_precision_score(BINARY, CHANCE)),
        ("accuracy", peers.accuracy_score(BINARY, CHANCE >= 0.4)),
        ("f1", peers.f1_score(BINARY, CHANCE >= 0.4)),
    ],
)
def test_binary_scores_are_those_of_scikit_learn(name: str, peer: float) -> None:
    assert metrics.score(name, BINARY, CHANCE, threshold=0.4) == pytest.approx(peer, abs=1e-12)


def test_multiclass_scores_are_those_of_scikit_learn() -> None:
    assert metrics.score("f1", CODES, SHARES) == pytest.approx(
        peers.f1_score(CODES, SHARES.argmax(axis=1), average="macro")
    )
    assert metrics.score("roc_auc", CODES, SHARES) == pytest.approx(
        peers.roc_auc_score(CODES, SHARES, multi_class="ovr")
    )
    assert metrics.score("log_loss", CODES, SHARES) == pytest.approx(-peers.log_loss(CODES, SHARES), rel=1e-6)


def test_scores_are_higher_for_better_and_shown_in_their_own_units() -> None:
    score = metrics.score("rmse", VALUES, GUESSES)
    assert score < 0
    assert metrics.shown("rmse", score) == pytest.approx(peers.root_mean_squared_error(VALUES, GUESSES))
    assert metrics.score("r2", VALUES, GUESSES) == pytest.approx(peers.r2_score(VALUES, GUESSES))


def test_rows_of_a_metric_average_to_its_score() -> None:
    rows = metrics.ROWS["log_loss"](CODES, SHARES, metrics.MOST_PROBABLE)
    assert rows.mean() == pytest.approx(metrics.score("log_loss", CODES, SHARES))


def test_one_class_alone_scores_chance_and_not_an_error() -> None:
    assert metrics.score("roc_auc", np.ones(10), np.linspace(0, 1, 10)) == 0.5


def test_the_names_that_a_project_file_is_checked_by_are_those_of_the_metrics() -> None:
    assert {name: metric.problems for name, metric in metrics.METRICS.items()} == METRIC_PROBLEMS
    assert all(metrics.find_metric(name, problem).name == name for problem, name in USUAL_METRICS.items())


def test_an_unknown_metric_lists_those_of_the_problem() -> None:
    with pytest.raises(NotFound, match="accuracy, average_precision, cost, f1, log_loss, roc_auc"):
        metrics.find_metric("auc", "binary")
    with pytest.raises(ModelError, match="must be one of mae, r2, rmse, but is 'roc_auc'"):
        metrics.find_metric("roc_auc", "regression")
