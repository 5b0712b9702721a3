"""Ranks, wins and what separates systems, with intervals from sets and seeds drawn again."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

DRAWS = 2000
LEVEL = 0.95
CLOSE = 1e-9  # relative: scores this near are equal

Cells = NDArray[np.float64]  # (sets, seeds, systems), higher is better, NaN where a run failed or is not there


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure and where it lies at 95 %."""

    value: float
    low: float
    high: float

    def separates(self, level: float) -> bool:
        """Return whether the whole interval is on one side of a level."""
        return self.low > level or self.high < level


def ranks(scores: Cells) -> Cells:
    """Return each system's rank in each cell, 1 for the best, ties shared, the last rank for what failed.

    A cell that no system has is NaN.
    """
    found = np.full(scores.shape, np.nan)
    for place in np.ndindex(scores.shape[:-1]):
        row = scores[place]
        known = np.isfinite(row)
        if not known.any():
            continue
        values = np.where(known, row, -np.inf)
        near = CLOSE * np.maximum(1.0, np.abs(np.where(known, row, 0.0)))
        better = [(values > value + gap).sum() for value, gap in zip(values, near, strict=True)]
        equal = [
            (np.abs(row[known] - value) <= gap).sum() if np.isfinite(value) else (~known).sum()
            for value, gap in zip(row, near, strict=True)
        ]
        found[place] = np.asarray(better) + (np.asarray(equal) + 1) / 2
    return found


def average_ranks(scores: Cells, seed: int = 0) -> list[Interval]:
    """Return each system's rank, averaged over seeds, then sets."""
    table = ranks(scores)
    drawn = np.array([_mean(table[sets][:, seeds]) for sets, seeds in _draws(scores.shape, seed)])
    return [_interval(value, drawn[:, place]) for place, value in enumerate(_mean(table))]


def wins(scores: Cells, first: int, second: int, seed: int = 0) -> Interval:
    """Return in which share of cells one system is better than another; a tie counts half, a failure loses.

    Cells that neither has are left out.
    """
    table = _outcomes(scores[..., first], scores[..., second])
    drawn = np.array([_mean(table[sets][:, seeds]) for sets, seeds in _draws(scores.shape, seed)])
    return _interval(float(_mean(table)), drawn)


def behind(shown: Sequence[float], *, higher_is_better: bool) -> list[float]:
    """Return by which share each figure is behind the best of them; NaN where there is none."""
    values = np.asarray(shown, np.float64)
    if not np.isfinite(values).any():
        return [float("nan")] * len(values)
    best = np.nanmax(values) if higher_is_better else np.nanmin(values)
    gap = best - values if higher_is_better else values - best
    return [float(share) for share in gap / max(abs(best), CLOSE)]


def _outcomes(ours: Cells, theirs: Cells) -> Cells:
    gap = CLOSE * np.maximum(1.0, np.nan_to_num(np.abs(ours)))
    table = np.where(np.abs(ours - theirs) <= gap, 0.5, (ours > theirs).astype(np.float64))
    table = np.where(np.isfinite(ours) & ~np.isfinite(theirs), 1.0, table)
    table = np.where(~np.isfinite(ours) & np.isfinite(theirs), 0.0, table)
    return np.where(np.isfinite(ours) | np.isfinite(theirs), table, np.nan)


def _mean(table: Cells) -> Cells:
    """Return the mean over seeds, then over sets; what is missing is left out."""
    return _without_gaps(_without_gaps(table, 1), 0)


def _without_gaps(table: Cells, axis: int) -> Cells:
    known = np.isfinite(table)
    count = known.sum(axis=axis)
    total = np.where(known, table, 0.0).sum(axis=axis)
    found: Cells = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    return found


def _draws(shape: tuple[int, ...], seed: int) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Return sets and seeds drawn again with replacement."""
    random = np.random.default_rng(seed)
    return [(random.integers(0, shape[0], shape[0]), random.integers(0, shape[1], shape[1])) for _ in range(DRAWS)]


def _interval(value: float, drawn: Cells) -> Interval:
    known = drawn[np.isfinite(drawn)]
    if not known.size:
        return Interval(float(value), float("nan"), float("nan"))
    low, high = np.quantile(known, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(float(value), float(low), float(high))
