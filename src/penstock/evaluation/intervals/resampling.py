"""The interval of a score by drawing clusters of rows again (Efron 1979; Davison and Hinkley 1997, section 3.8).

Every drawing is a row of weights, and scores of weighted rows are sums and cumulative sums: a thousand drawings of
ten thousand rows take a few tenths of a second. Where drawing would say too little, Student's t says more.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit, stdtrit

from penstock.evaluation.intervals.dependence import Dependence, standard_error
from penstock.evaluation.intervals.influence import BY_CLASS, Estimate, estimate
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
FEW = 30  # rows of a class, or clusters: fewer, drawn again, differ too little
RANGES: dict[str, tuple[float, float]] = {  # of scores, higher for better
    "roc_auc": (0.0, 1.0),
    "average_precision": (0.0, 1.0),
    "accuracy": (0.0, 1.0),
    "f1": (0.0, 1.0),
    "r2": (-np.inf, 1.0),
}


@dataclass(frozen=True, slots=True)
class Interval:
    """The two-sided interval of a score, higher for better; `drawn` where rows were drawn again for it."""

    low: float
    high: float
    drawn: bool = False


def interval(
    metric: str, target: Codes, predictions: Values, setting: "Resampling", confidence: float = 0.95
) -> Interval:
    """Return the interval of a score, which always holds the score.

    It is the percentile interval of drawings of clusters, but for these: clusters of two kinds at once, of which
    drawing sees one; few rows of a class, or few clusters, which drawn again differ too little; AUC and average
    precision of several classes, which are sorted once a class and take seconds.

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
    target, matrix = np.asarray(target), as_matrix(predictions, find_metric(metric).needs)
    found = estimate(metric, target, matrix, setting.choosing)
    slow = metric in BY_CLASS and matrix.shape[1] > BINARY
    if slow or _is_poorly_drawn(found, setting.dependence):
        return normal_interval(metric, found, setting.dependence, confidence)
    weighted = _weighted(metric, target, matrix, setting.choosing)
    times = int(np.clip(WORK / max(target.size, 1), FEWEST, MOST))
    with np.errstate(invalid="ignore", divide="ignore"):
        drawn = np.concatenate([weighted(weights) for weights in _weights(setting, times)])
    drawn = drawn[np.isfinite(drawn)]
    if not drawn.size:
        return Interval(found.score, found.score)
    tail = (1 - confidence) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail])
    return Interval(min(float(low), found.score), max(float(high), found.score), drawn=True)


@dataclass(frozen=True, slots=True)
class Resampling:
    """Which rows belong together, how a class is chosen, and the seed of the drawings."""

    dependence: Dependence
    choosing: Choosing = MOST_PROBABLE
    seed: int = 7


def normal_interval(metric: str, found: Estimate, dependence: Dependence, confidence: float = 0.95) -> Interval:
    """Return an interval by Student's t on influence values, kept inside the metric's range.

    Scores between 0 and 1 have it on the logit scale, which holds the truth more often near the ends (Pepe 2003, The
    statistical evaluation of medical tests for classification and prediction).
    """
    error, freedom = standard_error(found.influence, dependence, found.classes)
    width = float(stdtrit(freedom, (1 + confidence) / 2)) * error
    lowest, highest = RANGES.get(metric, (-np.inf, 0.0))
    value = found.score
    if lowest == 0.0 < value < highest:
        ends = expit(logit(value) + np.array([-1.0, 1.0]) * width / (value * (1.0 - value)))
    else:
        ends = np.clip([value - width, value + width], lowest, highest)
    return Interval(min(float(ends[0]), value), max(float(ends[1]), value))


def _is_poorly_drawn(found: Estimate, dependence: Dependence) -> bool:
    """Return whether drawing rows again would show too little of how far a score may be off."""
    error, freedom = standard_error(found.influence, dependence, found.classes)
    both = dependence.group is not None and dependence.time is not None
    return bool(np.isfinite(error)) and (both or freedom < FEW - 1)


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
