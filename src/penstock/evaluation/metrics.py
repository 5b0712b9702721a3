"""The metrics: what each needs, and its score, which inside the program is higher for better, always.

Predictions of a classifier are probabilities of shape (n_rows, n_classes), or of shape (n_rows,) for the positive
class of a binary problem. In a binary problem class code 1 is the positive one; `positive_last` turns other
arrangements into that. Predictions of a regression are values of shape (n_rows,).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from penstock.domain.datasets import Problem
from penstock.domain.metrics import METRIC_PROBLEMS, USUAL_METRICS
from penstock.errors import ModelError, NotFound

Values = NDArray[np.float64]
Codes = NDArray[Any]

BINARY = 2  # classes
SMALLEST = 1e-7  # the smallest probability that float32 graphs tell from 0 beside 1; bounds the loss of one row


@dataclass(frozen=True, slots=True)
class Choosing:
    """How a version chooses a class from probabilities, and what its choices cost.

    It goes by `threshold` on the positive probability (binary), or by `costs` of shape (n_classes, n_classes): what a
    row of class i costs when it is called j. Without either the most probable class is chosen. `mistakes`, of the same
    shape, is what the project says of that today, which scores; None: each costs 1. `places` says in which columns of
    the probabilities the classes are that the version knows, in its order; None: they are the columns.
    """

    threshold: float | None = None
    costs: Values | None = None
    mistakes: Values | None = None
    places: NDArray[np.intp] | None = None


MOST_PROBABLE = Choosing()
Measure = Callable[[Codes, Values, Choosing], float]


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric: `title` is its name for people; `measure` is higher for better."""

    name: str
    title: str
    problems: frozenset[Problem]
    higher_is_better: bool
    needs: Literal["probabilities", "values"]
    measure: Measure

    def score(
        self, target: Codes, predictions: Values, threshold: float | None = None, costs: Values | None = None
    ) -> float:
        """Return the score, higher for better."""
        return self.measure(np.asarray(target), as_matrix(predictions, self.needs), Choosing(threshold, costs, costs))


def as_matrix(predictions: Any, needs: str) -> Values:
    """Return probabilities of shape (n_rows, n_classes), or values of shape (n_rows,), as float64."""
    array = np.asarray(predictions, dtype=np.float64)
    flat = array[:, 0] if array.ndim > 1 and array.shape[1] == 1 else array
    if needs == "values" or flat.ndim > 1:
        return flat
    return np.column_stack([1.0 - flat, flat])


def positive_last(target: Codes, predictions: Values, positive: int | None) -> tuple[Codes, Values]:
    """Return codes and probabilities of a binary problem with the positive class as code 1."""
    if positive != 0:
        return np.asarray(target), np.asarray(predictions)
    return 1 - np.asarray(target), np.asarray(predictions)[:, ::-1]


def chosen(probabilities: Values, choosing: Choosing = MOST_PROBABLE) -> NDArray[np.int64]:
    """Return the class that each row is called, shape (n_rows,)."""
    if choosing.places is not None:
        own = replace(choosing, places=None)
        return np.asarray(choosing.places[chosen(probabilities[:, choosing.places], own)], dtype=np.int64)
    if choosing.threshold is not None and probabilities.shape[1] == BINARY:
        return (probabilities[:, 1] >= choosing.threshold).astype(np.int64)
    if choosing.costs is not None:
        expected: Values = probabilities @ choosing.costs
        return np.asarray(expected.argmin(axis=1), dtype=np.int64)
    return np.asarray(probabilities.argmax(axis=1), dtype=np.int64)


def auc(positive: NDArray[np.bool_], value: Values) -> float:
    """Return the area under the ROC curve by mid-ranks (Mann and Whitney 1947); 0.5 when a class is absent."""
    hits = int(positive.sum())
    misses = positive.size - hits
    if not hits or not misses:
        return 0.5
    ranks = rankdata(value)
    return float((ranks[positive].sum() - hits * (hits + 1) / 2) / (hits * misses))


def _roc_auc(target: Codes, p: Values, choosing: Choosing) -> float:
    del choosing
    if p.shape[1] == BINARY:
        return auc(target == 1, p[:, 1])
    seen = [k for k in range(p.shape[1]) if 0 < np.count_nonzero(target == k) < target.size]
    return float(np.mean([auc(target == k, p[:, k]) for k in seen])) if seen else 0.5


def precision_of_hits(positive: NDArray[np.bool_], value: Values) -> float:
    """Return average precision; ties share the precision at their end (as scikit-learn does)."""
    hits = int(positive.sum())
    if not hits:
        return 0.0
    order = np.argsort(-value, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(value[order]) != 0, True))
    found = np.cumsum(positive[order])[ends]
    return float(np.sum(np.diff(found, prepend=0) * found / (ends + 1)) / hits)


def _average_precision(target: Codes, p: Values, choosing: Choosing) -> float:
    del choosing
    if p.shape[1] == BINARY:
        return precision_of_hits(target == 1, p[:, 1])
    seen = [k for k in range(p.shape[1]) if np.any(target == k)]
    return float(np.mean([precision_of_hits(target == k, p[:, k]) for k in seen]))


def _f1(target: Codes, p: Values, choosing: Choosing) -> float:
    called = chosen(p, choosing)
    classes = [1] if p.shape[1] == BINARY else [k for k in range(p.shape[1]) if np.any((target == k) | (called == k))]
    both = np.array([np.count_nonzero((target == k) & (called == k)) for k in classes], dtype=np.float64)
    either = np.array([np.count_nonzero(target == k) + np.count_nonzero(called == k) for k in classes])
    return float(np.mean(2 * both / np.maximum(either, 1)))


def row_log_loss(target: Codes, p: Values, choosing: Choosing) -> Values:
    """Return the log probability of each row's class."""
    del choosing
    picked = np.clip(p[np.arange(target.size), target.astype(np.int64)], SMALLEST, 1.0)
    return np.asarray(np.log(picked), dtype=np.float64)


def row_accuracy(target: Codes, p: Values, choosing: Choosing) -> Values:
    """Return 1 where a row is called its class, else 0."""
    return np.asarray(chosen(p, choosing) == target, dtype=np.float64)


def row_cost(target: Codes, p: Values, choosing: Choosing) -> Values:
    """Return minus the cost of what each row is called; every mistake costs 1 without a cost matrix."""
    mistakes = 1.0 - np.eye(p.shape[1]) if choosing.mistakes is None else choosing.mistakes
    return -np.asarray(mistakes[target.astype(np.int64), chosen(p, choosing)], dtype=np.float64)


def row_squares(target: Codes, values: Values, choosing: Choosing) -> Values:
    """Return minus the squared error of each row."""
    del choosing
    return -np.square(target - values)


def row_absolutes(target: Codes, values: Values, choosing: Choosing) -> Values:
    """Return minus the absolute error of each row."""
    del choosing
    return -np.abs(target - values)


def _rmse(target: Codes, values: Values, choosing: Choosing) -> float:
    return -float(np.sqrt(-row_squares(target, values, choosing).mean()))


def _r2(target: Codes, values: Values, choosing: Choosing) -> float:
    spread = float(np.var(target))
    error = -float(row_squares(target, values, choosing).mean())
    return 1.0 - error / spread if spread else (1.0 if not error else 0.0)


ROWS: dict[str, Callable[[Codes, Values, Choosing], Values]] = {
    "log_loss": row_log_loss,
    "accuracy": row_accuracy,
    "cost": row_cost,
    "rmse": row_squares,
    "mae": row_absolutes,
}


def _mean_of(name: str) -> Callable[[Codes, Values, Choosing], float]:
    return lambda target, predictions, choosing: float(ROWS[name](target, predictions, choosing).mean())


def _metric(name: str, title: str, higher: bool, needs: Literal["probabilities", "values"], measure: Measure) -> Metric:
    return Metric(name, title, METRIC_PROBLEMS[name], higher, needs, measure)


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        _metric("roc_auc", "AUC", True, "probabilities", _roc_auc),
        _metric("average_precision", "average precision", True, "probabilities", _average_precision),
        _metric("log_loss", "log loss", False, "probabilities", _mean_of("log_loss")),
        _metric("accuracy", "accuracy", True, "probabilities", _mean_of("accuracy")),
        _metric("f1", "F1", True, "probabilities", _f1),
        _metric("cost", "cost per row", False, "probabilities", _mean_of("cost")),
        _metric("rmse", "RMSE", False, "values", _rmse),
        _metric("mae", "MAE", False, "values", _mean_of("mae")),
        _metric("r2", "R²", True, "values", _r2),
    )
}


def default_metric(problem: Problem) -> str:
    """Return the metric of a project that names none."""
    return USUAL_METRICS[problem]


def find_metric(name: str, problem: Problem | None = None) -> Metric:
    """Return a metric by its name.

    Raises
    ------
    NotFound
        If no metric has the name.
    ModelError
        If the metric does not fit the problem.
    """
    known = [metric.name for metric in METRICS.values() if problem is None or problem in metric.problems]
    if name not in METRICS:
        kind = f"a {problem} problem" if problem else "any problem"
        raise NotFound(f"No metric is named {name!r}. For {kind} there are: {', '.join(sorted(known))}.")
    if name not in known:
        raise ModelError(
            f"The metric of a {problem} problem must be one of {', '.join(sorted(known))}, but is {name!r}."
        )
    return METRICS[name]


def score(
    metric: str, target: Codes, predictions: Values, threshold: float | None = None, costs: Values | None = None
) -> float:
    """Return the score of predictions, higher for better (so RMSE is negative).

    Parameters
    ----------
    metric
        The name of one of `METRICS`.
    target
        Class codes, or values, shape (n_rows,).
    predictions
        Probabilities, shape (n_rows, n_classes), or (n_rows,) of the positive class; or values, shape (n_rows,).
    threshold
        On the positive probability (binary): which rows are called positive.
    costs
        Shape (n_classes, n_classes): the cost of a row of class i called j.

    Returns
    -------
    float
        Higher is better.

    Raises
    ------
    NotFound
        If no metric has the name.
    """
    return find_metric(metric).score(target, predictions, threshold, costs)


def shown(metric: str, value: float) -> float:
    """Return a score in the metric's own units (RMSE positive)."""
    return value if find_metric(metric).higher_is_better else -value
