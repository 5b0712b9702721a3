"""The interval of a score by drawing clusters of rows again (Efron 1979; Davison and Hinkley 1997, section 3.8).

Every drawing is a row of weights, and scores of weighted rows are sums and cumulative sums: a thousand drawings of
ten thousand rows take a few tenths of a second.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from penstock.evaluation.intervals.dependence import Dependence, standard_error
from penstock.evaluation.intervals.influence import Estimate, estimate
from penstock.evaluation.metrics import (
    BINARY,
    MOST_PROBABLE,
    ROWS,
    Choosing,
    Codes,
    Values,
    as_matrix,
    chosen,
    find_metric,
)

Weighted = Callable[[Values], Values]
WORK = 4_000_000  # drawings times rows: about a quarter of a second
CHUNK = 500_000  # weights in memory at once
MOST, FEWEST = 1000, 200
BY_CLASS = frozenset({"roc_auc", "average_precision"})  # sorted once a class: drawn again they take seconds


@dataclass(frozen=True, slots=True)
class Interval:
    """The two-sided interval of a score, higher for better."""

    low: float
    high: float


def interval(
    metric: str, target: Codes, predictions: Values, setting: "Resampling", confidence: float = 0.95
) -> Interval:
    """Return the percentile interval of a score, which always holds the score.

    Parameters
    ----------
    metric
        The name of one of `METRICS`.
    target
        Class codes, or values, shape (n_rows,).
    predictions
        Probabilities, shape (n_rows, n_classes), or values, shape (n_rows,).
    setting
        Which rows belong together, how a class is chosen, and the seed.
    confidence
        The share of intervals that hold the true score.

    Returns
    -------
    Interval
        Bounds, higher for better.
    """
    found = find_metric(metric)
    target, matrix = np.asarray(target), as_matrix(predictions, found.needs)
    value = found.measure(target, matrix, setting.choosing)
    if metric in BY_CLASS and matrix.shape[1] > BINARY:
        return normal_interval(estimate(metric, target, matrix, setting.choosing), setting.dependence, (0.0, 1.0))
    weighted = _weighted(metric, target, matrix, setting.choosing)
    times = int(np.clip(WORK / max(target.size, 1), FEWEST, MOST))
    with np.errstate(invalid="ignore", divide="ignore"):
        drawn = np.concatenate([weighted(weights) for weights in _weights(setting, times)])
    drawn = drawn[np.isfinite(drawn)]
    if not drawn.size:
        return Interval(value, value)
    tail = (1 - confidence) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail])
    return Interval(min(float(low), value), max(float(high), value))


@dataclass(frozen=True, slots=True)
class Resampling:
    """Which rows belong together, how a class is chosen, and the seed of the drawings."""

    dependence: Dependence
    choosing: Choosing = MOST_PROBABLE
    seed: int = 7


def normal_interval(found: Estimate, dependence: Dependence, bounds: tuple[float, float]) -> Interval:
    """Return a 95 % interval from influence values, kept inside the metric's range; for figures beside the headline."""
    error, _ = standard_error(found.influence, dependence)
    low, high = found.score - 1.96 * error, found.score + 1.96 * error
    return Interval(min(max(low, bounds[0]), found.score), max(min(high, bounds[1]), found.score))


def _weights(setting: Resampling, times: int) -> Iterator[Values]:
    """Give the weights of rows in drawings of clusters, shape (some drawings, n_rows), until there are `times`."""
    generator = np.random.default_rng(setting.seed)
    dependence = setting.dependence
    codes = dependence.time if dependence.time is not None else dependence.group
    clusters = dependence.rows if codes is None else int(codes.max()) + 1
    at_once = max(1, CHUNK // max(dependence.rows, 1))
    for start in range(0, times, at_once):
        some = min(at_once, times - start)
        picks = generator.integers(0, clusters, size=(some, clusters))
        picks += np.arange(some)[:, None] * clusters
        weights = np.bincount(picks.ravel(), minlength=some * clusters).reshape(some, clusters).astype(np.float64)
        yield weights if codes is None else weights[:, codes]


def _weighted(metric: str, target: Codes, matrix: Values, choosing: Choosing) -> Weighted:
    """Return a function from weights of shape (n_drawings, n_rows) to scores of shape (n_drawings,)."""
    if metric in ROWS:
        rows = ROWS[metric](target, matrix, choosing)
        if metric == "rmse":
            return lambda weights: -np.sqrt(-(weights @ rows) / weights.sum(axis=1))
        return lambda weights: (weights @ rows) / weights.sum(axis=1)
    if metric == "r2":
        return _weighted_r2(target, matrix)
    if metric == "f1":
        return _weighted_f1(target, matrix, choosing)
    one = _weighted_auc if metric == "roc_auc" else _weighted_precision
    return one(target == 1, matrix[:, 1])


def _weighted_r2(target: Codes, values: Values) -> Weighted:
    stacked = np.column_stack([np.square(target - values), target, np.square(target), np.ones(target.size)])

    def score(weights: Values) -> Values:
        error, first, second, total = (weights @ stacked).T
        return np.asarray(1 - error / (second - first**2 / total), dtype=np.float64)

    return score


def _weighted_f1(target: Codes, p: Values, choosing: Choosing) -> Weighted:
    called = chosen(p, choosing)
    classes = [1] if p.shape[1] == BINARY else [k for k in range(p.shape[1]) if np.any((target == k) | (called == k))]
    both = np.column_stack([2.0 * ((target == k) & (called == k)) for k in classes])
    either = np.column_stack([1.0 * (target == k) + (called == k) for k in classes])

    def score(weights: Values) -> Values:
        return np.asarray(((weights @ both) / np.maximum(weights @ either, 1e-12)).mean(axis=1))

    return score


def _steps(value: Values) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the order of rising values, and where each distinct value starts in it."""
    order = np.argsort(value, kind="stable")
    starts = np.flatnonzero(np.append(True, np.diff(value[order]) != 0))
    return order, starts


def _weighted_auc(positive: NDArray[np.bool_], value: Values) -> Weighted:
    order, starts = _steps(value)
    label = positive[order].astype(np.float64)

    def score(weights: Values) -> Values:
        ranked = weights[:, order]
        hits = np.add.reduceat(ranked * label, starts, axis=1)
        misses = np.add.reduceat(ranked, starts, axis=1) - hits
        below = np.cumsum(misses, axis=1) - misses / 2
        return np.asarray((hits * below).sum(axis=1) / (hits.sum(axis=1) * misses.sum(axis=1)))

    return score


def _weighted_precision(positive: NDArray[np.bool_], value: Values) -> Weighted:
    order, starts = _steps(-value)
    label = positive[order].astype(np.float64)

    def score(weights: Values) -> Values:
        ranked = weights[:, order]
        hits = np.add.reduceat(ranked * label, starts, axis=1)
        found = np.cumsum(hits, axis=1)
        seen = np.cumsum(np.add.reduceat(ranked, starts, axis=1), axis=1)
        precision = np.divide(found, seen, out=np.zeros_like(found), where=seen > 0)
        return np.asarray((hits * precision).sum(axis=1) / found[:, -1])

    return score
