"""Bounds of shares and of balances, each caller counting once.

A share of yes and no has exact bounds (Clopper and Pearson 1934), wider than need be where callers are harmed in part
(Hoeffding 1956). A balance is a mean of values between -1 and 1, such as harmed less helped: its bounds are Student's
over callers, after two callers are added, one at 1 and one at -1, so that few callers do not look alike by chance
(Bonett and Price 2012, who add one to each count of a paired table; two samples: Agresti and Caffo 2000).
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Values = NDArray[np.float64]
ADDED = 2  # callers


@dataclass(frozen=True, slots=True)
class Measured:
    """A harm as it was seen, with its bounds, and the smallest that so many could have shown; `what` it is."""

    what: str
    value: float
    low: float
    high: float
    smallest: float


def number_callers(names: Iterable[str]) -> NDArray[np.int64]:
    """Return a number for each caller, in the order in which they came first."""
    known: dict[str, int] = {}
    return np.array([known.setdefault(name, len(known)) for name in names], np.int64)


def caller_means(callers: NDArray[np.int64], values: ArrayLike) -> Values:
    """Return the mean of each caller's values, by the callers' numbers."""
    sums = np.bincount(callers, weights=np.asarray(values, np.float64))
    return np.asarray(sums / np.bincount(callers), np.float64)


def share_low(harmed: ArrayLike, number: float, error: float) -> Values:
    """Return the lower bound of a share; numbers need not be whole."""
    from scipy.special import betaincinv

    count = np.asarray(harmed, np.float64)
    low = betaincinv(np.maximum(count, 1e-300), np.maximum(number - count, 0) + 1, error)
    return np.where(count > 0, low, 0.0)


def share_high(harmed: ArrayLike, number: float, error: float) -> Values:
    """Return the upper bound of a share; numbers need not be whole."""
    from scipy.special import betaincinv

    count = np.asarray(harmed, np.float64)
    high = betaincinv(count + 1, np.maximum(number - count, 1e-300), 1 - error)
    return np.where(count < number, high, 1.0)


def balance(values: Values, error: float) -> tuple[float, float, float]:
    """Return the mean of callers' values, and its lower and upper bound, each at a one-sided error."""
    if not values.size:
        return 0.0, -1.0, 1.0
    centre, spread = _moments(values, (1.0, -1.0))
    width = _quantile(values.size, error) * spread
    return float(values.mean()), centre - width, centre + width


def apart(first: Values, second: Values, error: float) -> tuple[float, float, float]:
    """Return by how much the mean of a second sample of values between 0 and 1 is above the first's, with bounds."""
    if not first.size or not second.size:
        return 0.0, -1.0, 1.0
    (before, left), (after, right) = (_moments(each, (0.0, 1.0)) for each in (first, second))
    width = _quantile(min(first.size, second.size), error) * float(np.hypot(left, right))
    return float(second.mean() - first.mean()), after - before - width, after - before + width


def least(limit: float, value: float, low: float) -> float:
    """Return the smallest balance that would have been shown to be above a limit, were callers as unlike as these."""
    return float(min(1.0, limit + max(0.0, value - low)))


def _moments(values: Values, added: tuple[float, float]) -> tuple[float, float]:
    """Return mean and standard error of values and those added."""
    number = values.size + ADDED
    mean = (float(values.sum()) + sum(added)) / number
    square = (float(values @ values) + sum(each * each for each in added)) / number
    return mean, float(np.sqrt(max(square - mean * mean, 0.0) / number))


def _quantile(number: int, error: float) -> float:
    from scipy.special import stdtrit

    return float(stdtrit(number + ADDED - 1, 1 - error))
