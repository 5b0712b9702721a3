"""Labels that come late: which rows are old enough to be measured, where one class is known sooner than another.

Who leaves tells so today, who stays is known to have stayed in three weeks: among the labels of the last days nearly
all are then of the class that comes first. Where delays depend on the class, rows are measured once so much time has
passed since they were answered that nearly all labels of the slowest class have come; until then the figure is
withheld. A row without a label is never taken to be of either class.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtrc
from scipy.stats import rankdata

from penstock.monitoring.labelled import Labelled

DIFFERENT = 0.001  # chance of delays as unlike among classes that are alike
NEARLY_ALL = 0.95  # of a class's labels have come when its rows are mature
FEWEST = 10  # labels of a class


@dataclass(frozen=True, slots=True)
class Mature:
    """Which of some rows may be measured, the time up to which they were answered, and what of that is to be said."""

    rows: NDArray[np.bool_]
    until: datetime | None
    note: str | None = None


def ripen(labelled: Labelled, matured_to: datetime | None, now: datetime) -> Mature:
    """Return which rows may be measured.

    Parameters
    ----------
    labelled
        Rows whose labels were not measured, answered after `matured_to`; the true class as a code.
    matured_to
        The time up to which rows were measured before, if delays were found to depend on the class.
    now
        The calendar's time.

    Returns
    -------
    Mature
        Every row where delays do not depend on the class.
    """
    waits = (labelled.received - labelled.at) / np.timedelta64(1, "s")
    if matured_to is None and not delays_differ(waits, labelled.target):
        return Mature(np.ones(labelled.rows, bool), None)
    horizon = _horizon(waits, labelled.target)
    until = max(now - timedelta(seconds=horizon), matured_to or datetime.min.replace(tzinfo=UTC))
    ripe = labelled.at <= plain_time(until)
    days = horizon / 86_400
    note = (
        "Labels of one class come later than those of another: rows are measured "
        f"{days:.1f} days after they were answered, when nearly all labels have come; "
        f"{int(np.count_nonzero(~ripe))} labels wait for that."
    )
    return Mature(ripe, until, note)


def delays_differ(waits: NDArray[np.float64], target: NDArray[Any]) -> bool:
    """Return whether the labels of some class come later than others (Kruskal and Wallis 1952, by ranks)."""
    if target.dtype.kind == "f":
        return False
    classes = [code for code in np.unique(target[target >= 0]) if np.count_nonzero(target == code) >= FEWEST]
    kept = np.isin(target, classes)
    if len(classes) < 2:  # noqa: PLR2004  one class cannot differ from itself
        return False
    ranks, codes, n = rankdata(waits[kept]), target[kept], int(kept.sum())
    spread = float(np.square(ranks - (n + 1) / 2).sum())
    apart = sum(np.count_nonzero(codes == k) * (ranks[codes == k].mean() - (n + 1) / 2) ** 2 for k in classes)
    return bool(spread) and float(chdtrc(len(classes) - 1, (n - 1) * apart / spread)) < DIFFERENT


def _horizon(waits: NDArray[np.float64], target: NDArray[Any]) -> float:
    """Return the seconds after which nearly all labels of the slowest class have come."""
    classes = [code for code in np.unique(target[target >= 0]) if np.count_nonzero(target == code) >= FEWEST]
    slowest = [float(np.quantile(waits[target == code], NEARLY_ALL)) for code in classes]
    return max(slowest, default=float(np.quantile(waits, NEARLY_ALL)) if waits.size else 0.0)


def plain_time(moment: datetime) -> np.datetime64:
    """Return a time as tables hold it: UTC without a zone."""
    return np.datetime64(moment.astimezone(UTC).replace(tzinfo=None), "us")
