"""How good predictions of rows without labels are, if their probabilities are as well calibrated as they were.

Confidence-based performance estimation (Białek, Kuberski, Perrakis and Bifet 2024, Estimating model performance under
covariate shift without labels): each row counts as every class, weighted by the probability that the model gives it. It
sees that rows have become harder; it cannot see that what the columns mean has changed, so it never stands for "no
loss".
"""

from collections.abc import Callable

import numpy as np

from penstock.evaluation.metrics import BINARY, ROWS, Choosing, Values, chosen, find_metric

SAMPLE = 5_000
DRAWINGS = 200


def expect_score(metric: str, probabilities: Values, choosing: Choosing) -> float | None:
    """Return the score that calibrated probabilities promise, higher for better.

    Parameters
    ----------
    metric
        The name of one of `METRICS` of classifiers.
    probabilities
        Shape (n_rows, n_classes), the positive class last where there are two.
    choosing
        How a class is chosen.

    Returns
    -------
    float or None
        None without rows, or for a metric of values.
    """
    if probabilities.ndim == 1 or not len(probabilities):
        return None
    if metric in ROWS:
        return _expected_rows(metric, probabilities, choosing)
    if metric == "f1":
        return _expected_f1(probabilities, choosing)
    measure = SHAPED.get(metric)
    if measure is None:
        return None
    classes = [1] if probabilities.shape[1] == BINARY else range(probabilities.shape[1])
    return float(np.mean([measure(probabilities[:, k]) for k in classes]))


def expect_band(metric: str, probabilities: Values, choosing: Choosing, seed: int) -> tuple[float, float]:
    """Return the 95 % band of the score that rows would show, if classes came true by the probabilities.

    Parameters
    ----------
    metric, probabilities, choosing
        As for `expect_score`, with at least one row; of many a seeded sample is drawn, for which the band is too wide.
    seed
        Of the drawings.

    Returns
    -------
    tuple of float
        Lower and upper bound, higher for better.
    """
    random = np.random.default_rng(seed)
    if len(probabilities) > SAMPLE:
        probabilities = probabilities[random.choice(len(probabilities), SAMPLE, replace=False)]
    reached = probabilities.cumsum(axis=1)[:, :-1]
    scores = [
        find_metric(metric).measure((reached < random.random((len(reached), 1))).sum(axis=1), probabilities, choosing)
        for _ in range(DRAWINGS)
    ]
    low, high = np.quantile(scores, [0.025, 0.975])
    return float(low), float(high)


def _expected_rows(metric: str, p: Values, choosing: Choosing) -> float:
    scores = [ROWS[metric](np.full(len(p), k), p, choosing) for k in range(p.shape[1])]
    return float((p * np.column_stack(scores)).sum(axis=1).mean())


def _expected_f1(p: Values, choosing: Choosing) -> float:
    called = chosen(p, choosing)
    classes = [1] if p.shape[1] == BINARY else range(p.shape[1])
    both = [2 * p[called == k, k].sum() for k in classes]
    either = [p[:, k].sum() + np.count_nonzero(called == k) for k in classes]
    return float(np.mean(np.divide(both, np.maximum(either, 1e-12))))


def _steps(value: Values) -> tuple[Values, Values]:
    """Return hits and misses promised at each distinct probability, the largest first."""
    distinct, counts = np.unique(value, return_counts=True)
    return (distinct * counts)[::-1], ((1 - distinct) * counts)[::-1]


def _auc(value: Values) -> float:
    hits, misses = _steps(value)
    if not hits.sum() or not misses.sum():
        return 0.5
    below = misses.sum() - np.cumsum(misses) + misses / 2
    return float((hits * below).sum() / (hits.sum() * misses.sum()))


def _precision(value: Values) -> float:
    hits, misses = _steps(value)
    found = np.cumsum(hits)
    return float((hits * found / (found + np.cumsum(misses))).sum() / found[-1]) if found[-1] else 0.0


SHAPED: dict[str, Callable[[Values], float]] = {"roc_auc": _auc, "average_precision": _precision}
