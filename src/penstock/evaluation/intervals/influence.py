"""How much each row moves a score: what paired intervals are made of.

An estimate's influence values have mean 0, and the score's error is that of their mean (Hampel 1974, The influence
curve and its role in robust estimation). The difference of two models' values on the same rows is then paired.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from penstock.evaluation.metrics import (
    BINARY,
    MOST_PROBABLE,
    ROWS,
    Choosing,
    Codes,
    Values,
    as_matrix,
    auc,
    chosen,
    find_metric,
    precision_of_hits,
)

BY_CLASS = frozenset({"roc_auc", "average_precision"})  # each class against the others: the rows of a rare one decide


@dataclass(frozen=True, slots=True)
class Estimate:
    """A score (higher is better) and what each row contributes to its error, shape (n_rows,).

    `rows` are the scores of the rows where the metric is their mean, else None; `classes` the rows' classes where a
    rare one decides (`BY_CLASS`), else None.
    """

    score: float
    influence: Values
    rows: Values | None = None
    classes: Codes | None = None


def estimate(metric: str, target: Codes, predictions: Values, choosing: Choosing = MOST_PROBABLE) -> Estimate:
    """Return a model's score with the influence of each row.

    Parameters
    ----------
    metric
        The name of one of `METRICS`.
    target
        Class codes, or values, shape (n_rows,).
    predictions
        Probabilities, shape (n_rows, n_classes), or values, shape (n_rows,).
    choosing
        How a class is chosen from probabilities.

    Returns
    -------
    Estimate
        The score, higher for better, and influence values of shape (n_rows,) with mean 0.
    """
    found = find_metric(metric)
    target, matrix = np.asarray(target), as_matrix(predictions, found.needs)
    value = found.measure(target, matrix, choosing)
    if metric in SHAPED:
        classes = target if metric in BY_CLASS else None
        return Estimate(value, SHAPED[metric](target, matrix, choosing), classes=classes)
    rows = ROWS[metric](target, matrix, choosing)
    if metric == "rmse":
        return Estimate(value, (rows - rows.mean()) / (-2 * value) if value else np.zeros_like(rows))
    return Estimate(value, rows - value, rows)


def auc_influence(positive: NDArray[np.bool_], value: Values) -> Values:
    """Return the influence of each row on the AUC by placements (DeLong, DeLong and Clarke-Pearson 1988)."""
    hits = int(positive.sum())
    misses = positive.size - hits
    if not hits or not misses:
        return np.zeros(positive.size)
    ranks = rankdata(value)
    area = auc(positive, value)
    influence = np.empty(positive.size)
    below = (ranks[positive] - rankdata(value[positive])) / misses
    above = 1 - (ranks[~positive] - rankdata(value[~positive])) / hits
    influence[positive] = (below - area) * (positive.size / hits)
    influence[~positive] = (above - area) * (positive.size / misses)
    return influence


def precision_influence(positive: NDArray[np.bool_], value: Values) -> Values:
    """Return the influence of each row on average precision, by its derivative in the rows' weights."""
    n, hits = positive.size, int(positive.sum())
    if not hits:
        return np.zeros(n)
    order = np.argsort(-value, kind="stable")
    starts = np.flatnonzero(np.append(True, np.diff(value[order]) != 0))
    step = np.repeat(np.arange(starts.size), np.diff(np.append(starts, n)))
    ends = np.append(starts[1:], n)
    found = np.cumsum(positive[order])[ends - 1]
    precision = found / ends
    new_hits = np.diff(found, prepend=0)
    # a row counts in the precision of its own step and of every later one
    later = _from_here(new_hits * n / ends)[step]
    later_precision = _from_here(new_hits * precision * n / ends)[step]
    area = precision_of_hits(positive, value)
    label = positive[order].astype(np.float64)
    moved = label * (precision[step] - area) * (n / hits) + (label * later - later_precision) / hits
    influence = np.empty(n)
    influence[order] = moved
    return np.asarray(influence - influence.mean(), dtype=np.float64)


def _from_here(values: Values) -> Values:
    return np.cumsum(values[::-1])[::-1]


def _classwise(
    measure: Callable[[NDArray[np.bool_], Values], Values], *, needs_both: bool
) -> Callable[[Codes, Values, Choosing], Values]:
    def influence(target: Codes, p: Values, choosing: Choosing) -> Values:
        del choosing
        if p.shape[1] == BINARY:
            return measure(target == 1, p[:, 1])
        counts = [np.count_nonzero(target == k) for k in range(p.shape[1])]
        seen = [k for k, count in enumerate(counts) if count and (count < target.size or not needs_both)]
        parts = [measure(target == k, p[:, k]) for k in seen]
        return np.mean(parts, axis=0) if parts else np.zeros(target.size)

    return influence


def _f1_influence(target: Codes, p: Values, choosing: Choosing) -> Values:
    called = chosen(p, choosing)
    classes = [1] if p.shape[1] == BINARY else [k for k in range(p.shape[1]) if np.any((target == k) | (called == k))]
    parts = []
    for k in classes:
        both = 2.0 * ((target == k) & (called == k))
        either = (target == k).astype(np.float64) + (called == k)
        weight = max(either.mean(), 1.0 / target.size)
        parts.append((both - both.mean()) / weight - both.mean() * (either - either.mean()) / weight**2)
    return np.asarray(np.mean(parts, axis=0), dtype=np.float64)


def _r2_influence(target: Codes, values: Values, choosing: Choosing) -> Values:
    del choosing
    spread = float(np.var(target))
    if not spread:
        return np.zeros(target.size)
    errors = np.square(target - values)
    share = np.square(target - target.mean())
    moved = -(errors - errors.mean()) / spread + errors.mean() * (share - spread) / spread**2
    return np.asarray(moved, dtype=np.float64)


SHAPED: dict[str, Callable[[Codes, Values, Choosing], Values]] = {
    "roc_auc": _classwise(auc_influence, needs_both=True),
    "average_precision": _classwise(precision_influence, needs_both=False),
    "f1": _f1_influence,
    "r2": _r2_influence,
}
