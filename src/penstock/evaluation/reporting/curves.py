"""The points of the curves that a report and MLflow show."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from penstock.evaluation.metrics import Codes, Values

POINTS = 200  # of a curve; more cannot be told apart on paper
BINS = 10
MIN_IN_BIN = 15
Z = 1.96


@dataclass(frozen=True, slots=True)
class Bin:
    """Rows of like prediction: what was predicted on average, what came, with a 95 % interval, and how many."""

    predicted: float
    observed: float
    low: float
    high: float
    rows: int


def roc_points(positive: NDArray[np.bool_], value: Values) -> tuple[Values, Values]:
    """Return the false and true positive rates of falling thresholds, thinned, from (0, 0) to (1, 1)."""
    order = np.argsort(-value, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(value[order]) != 0, True))
    hits = np.append(0, np.cumsum(positive[order])[ends])
    misses = np.append(0, np.cumsum(~positive[order])[ends])
    true_rate = hits / max(int(positive.sum()), 1)
    false_rate = misses / max(int((~positive).sum()), 1)
    if false_rate.size <= POINTS:
        return false_rate, true_rate
    kept = np.unique(np.linspace(0, false_rate.size - 1, POINTS).astype(int))
    return false_rate[kept], true_rate[kept]


def reliability(hit: NDArray[np.bool_], probability: Values) -> tuple[Bin, ...]:
    """Return how often what was given a probability came, in ten bins of equal number (Wilson 1927 intervals)."""
    order = np.argsort(probability, kind="stable")
    number = max(1, min(BINS, probability.size // MIN_IN_BIN))
    bins = []
    for rows in np.array_split(order, number):
        if rows.size:
            low, high = wilson(int(hit[rows].sum()), rows.size)
            bins.append(Bin(float(probability[rows].mean()), float(hit[rows].mean()), low, high, rows.size))
    return tuple(bins)


def reliability_of_values(target: Codes, values: Values) -> tuple[Bin, ...]:
    """Return the mean target of rows of like prediction, in ten bins of equal number."""
    order = np.argsort(values, kind="stable")
    bins = []
    for rows in np.array_split(order, max(1, min(BINS, values.size // MIN_IN_BIN))):
        if rows.size:
            mean = float(target[rows].mean())
            error = Z * float(target[rows].std()) / np.sqrt(rows.size)
            bins.append(Bin(float(values[rows].mean()), mean, mean - error, mean + error, rows.size))
    return tuple(bins)


def wilson(hits: int, rows: int) -> tuple[float, float]:
    """Return the 95 % interval of a share (Wilson 1927, Probable inference)."""
    share = hits / rows
    middle = share + Z**2 / (2 * rows)
    width = Z * np.sqrt(share * (1 - share) / rows + Z**2 / (4 * rows**2))
    scale = 1 + Z**2 / rows
    return float((middle - width) / scale), float((middle + width) / scale)


def thinned(rows: int, most: int, seed: int = 7) -> NDArray[np.int64]:
    """Return at most `most` of the positions of rows, in order."""
    if rows <= most:
        return np.arange(rows)
    return np.sort(np.random.default_rng(seed).choice(rows, most, replace=False))
