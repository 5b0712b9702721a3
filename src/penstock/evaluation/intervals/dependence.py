"""Which rows belong together, and the error of a mean when they do.

Rows of one id, and rows of one stretch of time, are not independent: intervals treat each such cluster as one.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from penstock.evaluation.metrics import BINARY, Values

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


def standard_error(
    influence: Values, dependence: Dependence, classes: NDArray[Any] | None = None
) -> tuple[float, float]:
    """Return the standard error of a mean of influence values, and its degrees of freedom.

    Two ways of clustering at once follow Cameron, Gelbach and Miller (2011, Robust inference with multiway
    clustering), and the larger of the three errors is taken.

    Parameters
    ----------
    influence
        With mean 0, shape (n_rows,).
    dependence
        Which rows belong together.
    classes
        The class of each row, shape (n_rows,), where a rare one decides: the error is then as uncertain as that is
        rare. None where classes do not count.
    """
    group, time = dependence.group, dependence.time
    if group is None or time is None:
        codes = group if time is None else time
        variance, freedom = _variance(influence, np.arange(influence.size) if codes is None else codes, classes)
        return float(np.sqrt(variance)), freedom
    by_group, by_time = _variance(influence, group, classes), _variance(influence, time, classes)
    crossed, _ = _variance(influence, _codes(group * (int(time.max()) + 1) + time), classes)
    joint = by_group[0] + by_time[0] - crossed
    return float(np.sqrt(max(by_group[0], by_time[0], joint))), min(by_group[1], by_time[1])


def _variance(influence: Values, codes: Codes, classes: NDArray[Any] | None) -> tuple[float, float]:
    """Return the variance of a mean by its clusters' sums, and its degrees of freedom.

    Each class counts with its own m / (m - 1), m being the clusters that hold it (DeLong, DeLong and Clarke-Pearson
    1988). A class in one cluster alone shows no spread and is given the mean of the others' (as Lumley 2010, Complex
    surveys, does with lonely clusters).
    """
    if influence.size < FEWEST:
        return float("inf"), 1.0
    kinds = np.zeros(influence.size, dtype=np.int64) if classes is None else _codes(classes)
    width = int(kinds.max()) + 1
    cells, place = np.unique(codes * width + kinds, return_inverse=True)
    cluster, kind = cells // width, cells % width
    held = np.bincount(kind)
    several = held >= FEWEST
    if not several.any():
        return float("inf"), 1.0
    each = np.maximum(held - 1, 1)
    sums = np.bincount(place, weights=influence) * np.sqrt(held / each)[kind] / influence.size
    parts = np.asarray(np.bincount(kind, weights=np.square(sums)), dtype=np.float64)
    lonely = np.where(several, 0.0, (parts * held)[several].mean())
    variance = float(np.square(np.bincount(cluster, weights=sums)).sum() + lonely.sum())
    return variance, min(_freedom(parts + lonely, each), max(float(codes.max()), 1.0))


def _freedom(parts: Values, each: NDArray[np.int64]) -> float:
    """Return the degrees of freedom of a sum of variances, given those of each.

    Of two classes the smaller, which is safe; of more, where that would let the rarest alone rule a mean over all, as
    many as their shares of the sum are worth (Satterthwaite 1946, An approximate distribution of estimates of variance
    components).
    """
    if parts.size <= BINARY or not parts.any():
        return float(each.min())
    return float(np.square(parts.sum()) / np.sum(np.square(parts) / each))


def lower_bound(
    value: float, influence: Values, dependence: Dependence, alpha: float, classes: NDArray[Any] | None = None
) -> float:
    """Return the one-sided lower bound of a mean at error `alpha`, by Student's t over clusters."""
    error, freedom = standard_error(influence, dependence, classes)
    if error == 0.0:
        return value
    return value - float(stdtrit(freedom, 1.0 - alpha)) * error
