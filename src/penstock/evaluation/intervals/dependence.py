"""Which rows belong together, and the error of a mean when they do.

Rows of one id, and rows of one stretch of time, are not independent: intervals treat each such cluster as one.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from penstock.evaluation.metrics import Values

Codes = NDArray[np.int64]
MIN_DAYS = 10  # fewer days than this say little of how days differ: runs of rows are taken instead
RUNS = 30
FEWEST = 2  # clusters; one alone has no spread


@dataclass(frozen=True, slots=True)
class Dependence:
    """The clusters of rows: by `group` and by `time` (codes from 0, shape (n_rows,)), None where rows stand alone."""

    rows: int
    group: Codes | None = None
    time: Codes | None = None
    words: str = "rows"

    @property
    def independent(self) -> bool:
        """Whether every row stands alone."""
        return self.group is None and self.time is None

    def take(self, rows: NDArray[Any]) -> "Dependence":
        """Return the clusters of some rows (positions, or a mask)."""
        kept = np.arange(self.rows)[rows]
        return Dependence(
            kept.size,
            None if self.group is None else _codes(self.group[kept]),
            None if self.time is None else _codes(self.time[kept]),
            self.words,
        )


def _codes(values: NDArray[Any]) -> Codes:
    return np.unique(values, return_inverse=True)[1].astype(np.int64)


def find_dependence(groups: NDArray[Any], times: NDArray[Any] | None, *, time_ordered: bool) -> Dependence:
    """Return which rows belong together.

    Parameters
    ----------
    groups
        What rows of one id, or repeated rows, share, shape (n_rows,).
    times
        When each row was, datetime64, shape (n_rows,), or None.
    time_ordered
        Whether rows are split by time: they are then taken in blocks of time.

    Returns
    -------
    Dependence
        Clusters by group where one repeats, and by time where rows are ordered by it.
    """
    codes = _codes(groups)
    repeated = bool(codes.size) and int(codes.max()) + 1 < codes.size
    blocks, words = _time_blocks(times) if time_ordered and times is not None else (None, "")
    parts = [words] if words else []
    if repeated:
        parts.append("groups of rows that belong together (one id, or repeated rows)")
    return Dependence(codes.size, codes if repeated else None, blocks, " and ".join(parts) or "rows")


def _time_blocks(times: NDArray[Any]) -> tuple[Codes | None, str]:
    """Return blocks of time: days, or runs of days where a day holds few rows (Künsch 1989: runs of n^(1/3))."""
    days = np.asarray(times).astype("datetime64[D]").astype(np.int64)
    n = days.size
    if n == 0:
        return None, ""
    codes = _codes(days)
    distinct = int(codes.max()) + 1
    if distinct < MIN_DAYS:
        order = np.argsort(np.asarray(times), kind="stable")
        runs = np.empty(n, dtype=np.int64)
        runs[order] = np.arange(n) * min(RUNS, n) // n
        return runs, "runs of rows in time order"
    length = int(np.ceil(n ** (1 / 3) / (n / distinct)))
    if length <= 1:
        return codes, "days"
    return codes // length, f"runs of {length} days"


def standard_error(influence: Values, dependence: Dependence) -> tuple[float, int]:
    """Return the standard error of a mean of influence values, and its degrees of freedom.

    Two ways of clustering at once follow Cameron, Gelbach and Miller (2011, Robust inference with multiway
    clustering), and the larger of the three errors is taken.
    """
    n = influence.size
    if n < FEWEST:
        return float("inf"), 1
    if dependence.independent:
        return float(np.sqrt(influence @ influence / (n * (n - 1)))), n - 1
    group, time = dependence.group, dependence.time
    if group is None or time is None:
        variance, freedom = _cluster_variance(influence, group if time is None else time)
        return float(np.sqrt(variance)), freedom
    by_group, by_time = _cluster_variance(influence, group), _cluster_variance(influence, time)
    crossed, _ = _cluster_variance(influence, _codes(group * (int(time.max()) + 1) + time))
    joint = by_group[0] + by_time[0] - crossed
    return float(np.sqrt(max(joint, by_group[0], by_time[0]))), min(by_group[1], by_time[1])


def _cluster_variance(influence: Values, codes: Codes | None) -> tuple[float, int]:
    """Return the variance of a mean by its clusters' sums, and its degrees of freedom."""
    if codes is None:
        return float("inf"), 1
    sums = np.bincount(codes, weights=influence)
    if sums.size < FEWEST:
        return float("inf"), 1
    return float(sums @ sums) * sums.size / (sums.size - 1) / influence.size**2, sums.size - 1


def lower_bound(value: float, influence: Values, dependence: Dependence, alpha: float) -> float:
    """Return the one-sided lower bound of a mean at error `alpha`, by Student's t over clusters."""
    error, freedom = standard_error(influence, dependence)
    if error == 0.0:
        return value
    return value - float(stdtrit(freedom, 1.0 - alpha)) * error
