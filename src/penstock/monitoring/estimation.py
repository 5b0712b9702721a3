"""How good predictions of rows without labels are, if their probabilities are as well calibrated as they were.

Confidence-based performance estimation (Białek, Kuberski, Perrakis and Bifet 2024, Estimating model performance under
covariate shift without labels): each row counts as every class, weighted by the probability that the model gives it. It
sees that rows have become harder; it cannot see that what the columns mean has changed, so it never stands for "no
loss".
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from penstock.evaluation.metrics import BINARY, ROWS, Choosing, Values, chosen, find_metric

SAMPLE = 5_000
DRAWINGS = 200


@dataclass(frozen=True, slots=True)
class Expected:
    """The score that probabilities promise, and the 95 % band of what rows would show of it; higher for better."""

    score: float
    low: float
    high: float


def expect(metric: str, probabilities: Values, choosing: Choosing, seed: int) -> Expected | None:
    """Return the score that calibrated probabilities promise, with its band.

    A mean over several classes is one over those that occur, so what is expected of it is the mean of drawings.

    Parameters
    ----------
    metric
        The name of one of `METRICS` of classifiers.
    probabilities
        Shape (n_rows, n_classes), the positive class last where there are two; of many rows a seeded sample is drawn,
        for which the band is too wide.
    choosing
        How a class is chosen.
    seed
        Of the drawings.

    Returns
    -------
    Expected or None
        None without rows, or for a metric of values.
    """
    score = expect_score(metric, probabilities, choosing, seed)
    if score is None:
        return None
    low, high = np.quantile(_draw(metric, probabilities, choosing, seed), [0.025, 0.975])
    return Expected(score, float(low), float(high))


def expect_score(metric: str, probabilities: Values, choosing: Choosing, seed: int) -> float | None:
    """Return the score alone that `expect` gives, which most metrics need no drawings for."""
    if probabilities.ndim == 1 or not len(probabilities):
        return None
    if metric in ROWS:
        return _expected_rows(metric, probabilities, choosing)
    if probabilities.shape[1] == BINARY:
        return SHAPED[metric](probabilities, choosing)
    return float(_draw(metric, probabilities, choosing, seed).mean())


def _draw(metric: str, probabilities: Values, choosing: Choosing, seed: int) -> Values:
    """Return the scores that rows would show if classes came true by the probabilities, shape (n_drawings,)."""
    random = np.random.default_rng(seed)
    if len(probabilities) > SAMPLE:
        probabilities = probabilities[random.choice(len(probabilities), SAMPLE, replace=False)]
    reached = probabilities.cumsum(axis=1)[:, :-1]
    scores = [
        find_metric(metric).measure((reached < random.random((len(reached), 1))).sum(axis=1), probabilities, choosing)
        for _ in range(DRAWINGS)
    ]
    return np.array(scores)


def _expected_rows(metric: str, p: Values, choosing: Choosing) -> float:
    scores = [ROWS[metric](np.full(len(p), k), p, choosing) for k in range(p.shape[1])]
    return float((p * np.column_stack(scores)).sum(axis=1).mean())


def _f1(p: Values, choosing: Choosing) -> float:
    called = chosen(p, choosing) == 1
    either = p[:, 1].sum() + np.count_nonzero(called)
    return float(2 * p[called, 1].sum() / max(either, 1e-12))


def _steps(value: Values) -> tuple[Values, Values]:
    """Return hits and misses promised at each distinct probability, the largest first."""
    distinct, counts = np.unique(value, return_counts=True)
    return (distinct * counts)[::-1], ((1 - distinct) * counts)[::-1]


def _auc(p: Values, choosing: Choosing) -> float:
    del choosing
    hits, misses = _steps(p[:, 1])
    if not hits.sum() or not misses.sum():
        return 0.5
    below = misses.sum() - np.cumsum(misses) + misses / 2
    return float((hits * below).sum() / (hits.sum() * misses.sum()))


def _precision(p: Values, choosing: Choosing) -> float:
    del choosing
    hits, misses = _steps(p[:, 1])
    found = np.cumsum(hits)
    return float((hits * found / (found + np.cumsum(misses))).sum() / found[-1]) if found[-1] else 0.0


SHAPED: dict[str, Callable[[Values, Choosing], float]] = {"roc_auc": _auc, "average_precision": _precision, "f1": _f1}
