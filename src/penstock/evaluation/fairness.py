"""Whether a model treats groups alike, and whether there are rows enough to say so."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

MIN_ROWS = 30  # fewer rows of a group than this are not judged, however small the error looks


@dataclass(frozen=True, slots=True)
class Gap:
    """The rates of the groups that could be judged, those that could not, and the largest gap (None: unknown)."""

    rates: tuple[tuple[str, float, int], ...]
    too_small: tuple[tuple[str, int], ...]
    gap: float | None


def find_gap(metric: str, target: NDArray[Any], called: NDArray[Any], groups: NDArray[Any], largest: float) -> Gap:
    """Return how far a rate lies apart between groups.

    A group is judged when it has 30 rows that count for the rate and the rate's standard error is at most half the
    largest gap allowed: with fewer rows neither a pass nor a failure would mean anything.

    Parameters
    ----------
    metric
        `recall`, `precision`, `accuracy`, `selection_rate` or `false_positive_rate`.
    target, called
        Class codes, shape (n_rows,); 1 is the positive class of a binary problem. With more than two classes
        `recall` and `precision` are those of all classes together, which is accuracy.
    groups
        The group of each row as text, shape (n_rows,).
    largest
        The largest gap allowed, 0 to 1.

    Returns
    -------
    Gap
        Rates by group, and the gap between the highest and the lowest.
    """
    counted, hit = _counted(metric, target, called)
    rates, too_small = [], []
    for name in np.unique(groups):
        rows = counted & (groups == name)
        number = int(rows.sum())
        rate = float(hit[rows].mean()) if number else 0.0
        smoothed = (rate * number + 1) / (number + 2)  # a rate of 0 or 1 has an error too
        error = float(np.sqrt(smoothed * (1 - smoothed) / max(number, 1)))
        if number < MIN_ROWS or error > max(largest, 1e-9) / 2:
            too_small.append((str(name), number))
        else:
            rates.append((str(name), rate, number))
    values = [rate for _, rate, _ in rates]
    return Gap(tuple(rates), tuple(too_small), max(values) - min(values) if len(values) > 1 else None)


def _counted(metric: str, target: NDArray[Any], called: NDArray[Any]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return which rows count for a rate, and which of them are hits."""
    everything = np.ones(target.size, dtype=bool)
    several = max(int(target.max(initial=0)), int(called.max(initial=0))) > 1
    if metric == "accuracy" or (several and metric in ("recall", "precision")):
        return everything, called == target
    if metric == "selection_rate":
        return everything, called == 1
    if metric == "precision":
        return called == 1, target == 1
    return target == (0 if metric == "false_positive_rate" else 1), called == 1
