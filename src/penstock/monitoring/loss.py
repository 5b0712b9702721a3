"""How much worse a version does than on its own holdout, with an interval that knows of days."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from penstock.evaluation.answers import Answers
from penstock.evaluation.intervals.dependence import Dependence, find_dependence, standard_error
from penstock.evaluation.intervals.influence import Estimate, estimate
from penstock.evaluation.metrics import find_metric

LOST_ERROR = 0.005  # one-sided: the holdout's own luck stays the same window after window, so 5 % would be too much
RELATIVE = 0.05  # of what is expected: the loss that is borne of a metric without a scale of its own, such as RMSE
TWO_SIDED = 0.975


@dataclass(frozen=True, slots=True)
class Evidence:
    """A score (higher is better) with its standard error, how far days differ, and the degrees of freedom."""

    score: float
    error: float
    daily: float
    freedom: float
    rows: int

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval."""
        width = float(stdtrit(self.freedom, TWO_SIDED)) * self.error
        return self.score - width, self.score + width


@dataclass(frozen=True, slots=True)
class Loss:
    """How much worse the measured score is, its lower bound, and what is borne."""

    value: float
    low: float
    tolerance: float

    @property
    def lost(self) -> bool:
        """Whether even the lower bound is above what is borne."""
        return self.low > self.tolerance


def weigh(metric: str, answers: Answers, *, time_ordered: bool, daily: float = 0.0) -> Evidence:
    """Return the score of answered rows with its error.

    Parameters
    ----------
    metric
        The name of one of `METRICS`.
    answers
        Rows with known targets.
    time_ordered
        Whether the project has a time column: rows are then taken in blocks of time, as hours are not independent.
    daily
        The variance of the score from day to day, as another set of rows showed it: few days tell little, however many
        rows they hold.

    Returns
    -------
    Evidence
    """
    found = estimate(metric, answers.target, answers.predictions, answers.choosing)
    dependence = find_dependence(answers.group, answers.time, time_ordered=time_ordered)
    error, freedom = standard_error(found.influence, dependence, found.classes)
    alone = _alone(found, answers.group)
    days = _days(answers.time) if time_ordered else 0
    if days:
        error = max(error, float(np.sqrt(alone**2 + daily / days)))
    # a variance from few blocks is itself uncertain by this much: what may be chance is not taken for days that differ
    own = max(0.0, error**2 * (1 - float(np.sqrt(2 / freedom))) - alone**2) * days
    return Evidence(found.score, error, own, freedom, answers.rows)


def lose(metric: str, expected: Evidence, measured: Evidence, quality: float) -> Loss:
    """Return how much worse a score is than expected.

    Parameters
    ----------
    metric
        The name of one of `METRICS`.
    expected
        Of the version's own holdout, whose error counts as well.
    measured
        Of rows with labels.
    quality
        `rollout.tolerate.quality`: the loss that is borne of a score between 0 and 1. Of errors, such as RMSE, log
        loss and cost, 5 % of the expected are.

    Returns
    -------
    Loss
        Higher is worse, whatever the metric.
    """
    value = expected.score - measured.score
    error = float(np.hypot(expected.error, measured.error))
    low = value - float(stdtrit(min(expected.freedom, measured.freedom), 1 - LOST_ERROR)) * error
    scaled = find_metric(metric).higher_is_better
    return Loss(value, low, quality if scaled else RELATIVE * abs(expected.score))


def _alone(found: Estimate, group: NDArray[Any]) -> float:
    """Return the standard error if rows of different times had nothing to do with each other."""
    codes = np.unique(group, return_inverse=True)[1].astype(np.int64)
    repeated = bool(codes.size) and int(codes.max()) + 1 < codes.size
    return standard_error(found.influence, Dependence(codes.size, codes if repeated else None), found.classes)[0]


def _days(times: NDArray[Any] | None) -> int:
    return 0 if times is None else int(np.unique(times.astype("datetime64[D]")).size)
