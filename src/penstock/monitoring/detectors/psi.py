"""The population stability index of a column's values, less what chance shows."""

from itertools import pairwise
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtrc

from penstock.monitoring.detectors._base import Column, DriftDetector, Kind, Moved

BINS = 10  # tenths of the reference: the usual number, to which the usual thresholds belong
RARE = 0.02  # a level with a smaller share is counted with the others: few rows say little of it
MOST_LEVELS = 30
FEWEST = 30  # rows with a value
OTHERS = "other levels"
PRIOR = 0.5  # rows in each bin beforehand (Jeffreys), so that an empty one is not infinitely far away


class Psi(DriftDetector):
    """How unlike the shares of bins (tenths of the reference's values) or levels are.

    The index sums (c - r) ln(c / r) over the shares c of the current and r of the reference rows; 0.1 is commonly
    called small, 0.25 large. Without any change it is expected to be (bins - 1)(1/n + 1/m) with n and m rows
    (Yurdakul 2018, Statistical properties of population stability index), which is taken off.
    """

    name: ClassVar[str] = "psi"
    kinds: ClassVar[frozenset[Kind]] = frozenset({"number", "category"})
    threshold: ClassVar[float] = 0.2

    def measure(self, reference: Column, current: Column) -> Moved | None:
        """Return the index, and Pearson's chi-squared test of the same bins."""
        reference, current = (side.only(side.present & (side.weights > 0)) for side in (reference, current))
        m, n = reference.rows, current.rows
        if min(m, n) < FEWEST:
            return None
        shares, names = _shares(reference, current)
        bins = shares.shape[1]
        if bins < 2:  # noqa: PLR2004  one bin cannot change
            return Moved(0.0, 0.0, 1.0, "one value only")
        counts = shares * np.array([[m], [n]])
        smooth = (counts + PRIOR) / (counts.sum(axis=1, keepdims=True) + PRIOR * bins)
        parts = (smooth[1] - smooth[0]) * np.log(smooth[1] / smooth[0])
        noise = (bins - 1) * (1 / m + 1 / n)
        return Moved(
            effect=max(0.0, float(parts.sum()) - noise),
            noise=noise,
            p_value=_chi_squared(counts),
            detail=_largest(parts, shares, names),
        )


def _shares(reference: Column, current: Column) -> tuple[NDArray[np.float64], list[str]]:
    """Return the shares of bins, shape (2, n_bins), and the bins' names."""
    sort = _number_bins if reference.kind == "number" else _level_bins
    codes, names = sort(reference, current)
    counted = [
        np.bincount(code, weights=column.weights, minlength=len(names))
        for code, column in zip(codes, (reference, current), strict=True)
    ]
    shares = np.array([count / count.sum() for count in counted])
    seen = shares.sum(axis=0) > 0
    return shares[:, seen], [name for name, kept in zip(names, seen, strict=True) if kept]


Codes = tuple[NDArray[np.int64], NDArray[np.int64]]


def _number_bins(reference: Column, current: Column) -> tuple[Codes, list[str]]:
    """Return the bin of each row: tenths of the reference, fewer where values are repeated."""
    order = np.argsort(reference.values, kind="stable")
    reached = np.cumsum(reference.weights[order])
    places = np.searchsorted(reached, np.arange(1, BINS) / BINS * reached[-1])
    cuts = np.unique(reference.values[order][places])
    if cuts.size and cuts[-1] == reference.values[order][-1]:
        cuts = cuts[:-1]  # the last bin would be empty
    names = [f"{low:.4g} to {high:.4g}" for low, high in pairwise(cuts)]
    names = [f"up to {cuts[0]:.4g}", *names, f"above {cuts[-1]:.4g}"] if cuts.size else ["all"]
    return (np.searchsorted(cuts, reference.values), np.searchsorted(cuts, current.values)), names


def _level_bins(reference: Column, current: Column) -> tuple[Codes, list[str]]:
    """Return the level of each row, rare and unknown ones as one."""
    weight = np.bincount(reference.values, weights=reference.weights, minlength=len(reference.levels))
    share = weight / reference.weights.sum()
    largest = np.sort(share)[-min(MOST_LEVELS, share.size)]
    common = np.flatnonzero((share >= RARE) & (share >= largest))
    place = np.full(share.size, common.size, dtype=np.int64)
    place[common] = np.arange(common.size)
    names = [repr(reference.levels[level]) for level in common]
    return (place[reference.values], place[current.values]), [*names, OTHERS]


def _chi_squared(counts: NDArray[np.float64]) -> float:
    """Return how often two samples of one distribution are as unlike (Pearson 1900)."""
    totals = counts.sum(axis=1, keepdims=True)
    expected = totals * counts.sum(axis=0) / totals.sum()
    statistic = float((np.square(counts - expected) / expected).sum())
    return float(chdtrc(counts.shape[1] - 1, statistic))


def _largest(parts: NDArray[np.float64], shares: NDArray[np.float64], names: list[str]) -> str:
    place = int(np.argmax(parts))
    return f"{names[place]}: {shares[0, place]:.1%} of the reference, {shares[1, place]:.1%} of the window"
