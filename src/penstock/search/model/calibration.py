"""Probabilities that mean what they say, a threshold, an interval: all from out-of-fold predictions."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock.evaluation import metrics
from penstock.evaluation.costs import best_threshold
from penstock.graphs import GraphBuilder

SMALLEST = metrics.SMALLEST
FEWEST_ROWS = 100  # with fewer rows two figures are learnt from noise
STEPS = 50  # Newton's method needs fewer than ten
COVERAGE = 0.9  # of the conformal interval
HOTTEST, COLDEST = 10.0, 0.1  # temperatures beyond these say that the model is broken, not that it is unsure
LEAST_WEIGHT = 1e-10  # of a row in Newton's method: certain rows would leave it without a slope
PRECISION = 1e-8  # of slope and shift: far below what a probability shows
MOST_ODDS = 500.0  # exp of more is no float
SEARCH_STEPS = 60  # of the golden section: the interval shrinks by 0.618 each time

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Calibrator:
    """How probabilities are moved: `slope` times the log odds plus `shift`, of two classes or of each of many.

    `reason` says why, or why not; a slope of 1 and a shift of 0 change nothing.
    """

    slope: float
    shift: float
    classes: int
    reason: str

    @property
    def changes(self) -> bool:
        """Whether probabilities are moved at all."""
        return self.classes > 0 and (self.slope, self.shift) != (1.0, 0.0)

    def apply(self, predictions: Values) -> Values:
        """Return calibrated probabilities, shape (n_rows, n_classes); values of a regression stay as they are."""
        if not self.changes:
            return predictions
        if self.classes == 2:  # noqa: PLR2004  binary
            second = _sigmoid(self.slope * _log_odds(predictions) + self.shift)
            return np.column_stack([1.0 - second, second])
        return _tempered(np.log(np.clip(predictions, SMALLEST, 1.0)), self.slope)

    def to_onnx(self) -> bytes | None:
        """Return a graph that does what `apply` does, input `raw`, output `scores`; None where nothing changes."""
        if not self.changes:
            return None
        graph = GraphBuilder()
        logs = graph.add("Log", graph.add("Clip", "raw", graph.constant(SMALLEST), graph.constant(1.0)))
        if self.classes == 2:  # noqa: PLR2004  binary
            first, second = (graph.add("Gather", logs, graph.constant(np.array([k], np.int64)), axis=1) for k in (0, 1))
            odds = graph.add("Mul", graph.add("Sub", second, first), graph.constant(self.slope))
            share = graph.add("Sigmoid", graph.add("Add", odds, graph.constant(self.shift)))
            given = graph.concat([graph.add("Sub", graph.constant(1.0), share), share])
        else:
            given = graph.add("Softmax", graph.add("Mul", logs, graph.constant(self.slope)), axis=1)
        return graph.finish({"raw": self.classes}, given, "scores", self.classes)


def calibrate(predictions: Values, target: NDArray[Any], fold: NDArray[Any], classes: int) -> Calibrator:
    """Learn on out-of-fold predictions how to move probabilities, and keep it only if that helps on other folds.

    Two classes by a line through the log odds (Platt 1999, Probabilistic outputs for support vector machines), more
    by a temperature (Guo, Pleiss, Sun, Weinberger 2017, On calibration of modern neural networks).

    Parameters
    ----------
    predictions
        Out-of-fold probabilities, shape (n_rows, n_classes); rows without any are NaN.
    target
        Class codes, shape (n_rows,).
    fold
        The fold that each row was predicted in, shape (n_rows,).
    classes
        The number of classes; 0 for a regression, which is not calibrated.

    Returns
    -------
    Calibrator
        One that changes nothing, with the reason, where it would not lower the log loss of rows it has not seen by
        more than a standard error.
    """
    if classes == 0:
        return Calibrator(1.0, 0.0, 0, "values are not calibrated")
    known = np.isfinite(predictions).all(axis=1)
    predictions, target, fold = predictions[known], target[known], fold[known]
    if len(target) < FEWEST_ROWS or len(np.unique(fold)) < 2:  # noqa: PLR2004  one fold cannot be held back
        return Calibrator(1.0, 0.0, classes, f"not calibrated: {len(target)} out-of-fold rows are too few")
    gains = np.zeros(len(target))
    for held in np.unique(fold):
        inside = fold == held
        slope, shift = _learn(predictions[~inside], target[~inside], classes)
        moved = Calibrator(slope, shift, classes, "").apply(predictions[inside])
        gains[inside] = _row_gain(moved, predictions[inside], target[inside])
    gain, error = float(gains.mean()), float(gains.std() / math.sqrt(len(gains)))
    said = f"log loss of rows not learnt from {'falls' if gain > 0 else 'rises'} by {abs(gain):.2g} (± {error:.1g})"
    if gain <= error:
        return Calibrator(1.0, 0.0, classes, f"not calibrated: {said}")
    slope, shift = _learn(predictions, target, classes)
    kind = "Platt scaling" if classes == 2 else "temperature"  # noqa: PLR2004  binary
    return Calibrator(slope, shift, classes, f"{kind}: {said}")


def half_width(predictions: Values, target: Values) -> float:
    """Return half the width of an interval that holds a fresh row's value with a probability of at least 90 %.

    The finite-sample quantile of out-of-fold residuals (Vovk 2015, Cross-conformal predictors; Barber, Candès,
    Ramdas, Tibshirani 2021, Predictive inference with the jackknife+).

    Parameters
    ----------
    predictions
        Out-of-fold values, shape (n_rows,); rows without one are NaN.
    target
        Values, shape (n_rows,).
    """
    return covering(np.abs(target - predictions)[np.isfinite(predictions)])


def covering(misses: Values) -> float:
    """Return what a fresh row's miss does not exceed with a probability of at least 90 %, by those of other rows."""
    place = math.ceil((misses.size + 1) * COVERAGE)
    return float(np.sort(misses)[min(place, misses.size) - 1])


def threshold(metric: str, predictions: Values, target: NDArray[Any], costs: Values | None) -> float:
    """Return the threshold on the positive class's calibrated out-of-fold probability that suits the metric."""
    known = np.isfinite(predictions).all(axis=1)
    return best_threshold(metric, target[known], predictions[known, 1], costs)


def _learn(predictions: Values, target: NDArray[Any], classes: int) -> tuple[float, float]:
    if classes == 2:  # noqa: PLR2004  binary
        return _line(_log_odds(predictions), target == 1)
    return _temperature(np.log(np.clip(predictions, SMALLEST, 1.0)), target), 0.0


def _line(odds: Values, positive: NDArray[np.bool_]) -> tuple[float, float]:
    """Return slope and shift of the log odds by Newton's method, with Platt's targets against certainty."""
    hits = int(positive.sum())
    wanted = np.where(positive, (hits + 1) / (hits + 2), 1 / (positive.size - hits + 2))
    given = np.column_stack([odds, np.ones_like(odds)])

    def loss(at: Values) -> float:
        moved = given @ at
        return float(np.mean(np.logaddexp(0.0, moved) - wanted * moved))

    line = np.array([1.0, 0.0])
    for _ in range(STEPS):
        share = _sigmoid(given @ line)
        weight = np.maximum(share * (1.0 - share), LEAST_WEIGHT)
        slopes = (given * weight[:, None]).T @ given  # singular where all odds are alike, as the baseline's are
        step = np.linalg.lstsq(slopes, given.T @ (wanted - share))[0]
        while loss(line + step) > loss(line) and float(np.abs(step).max()) > PRECISION:
            step /= 2
        line += step
        if float(np.abs(step).max()) <= PRECISION:
            break
    return float(np.clip(line[0], COLDEST, HOTTEST)), float(line[1])


def _temperature(logs: Values, target: NDArray[Any]) -> float:
    """Return the factor on log probabilities with the least log loss, by golden section on its logarithm."""
    rows = np.arange(len(target))

    def loss(log_slope: float) -> float:
        return -float(np.log(np.clip(_tempered(logs, math.exp(log_slope))[rows, target], SMALLEST, 1.0)).mean())

    low, high = math.log(COLDEST), math.log(HOTTEST)
    ratio = (math.sqrt(5) - 1) / 2
    for _ in range(SEARCH_STEPS):
        left, right = high - ratio * (high - low), low + ratio * (high - low)
        low, high = (low, right) if loss(left) < loss(right) else (left, high)
        if high - low < 1e-4:  # noqa: PLR2004  of the logarithm of a factor
            break
    return math.exp((low + high) / 2)


def _tempered(logs: Values, slope: float) -> Values:
    grown = np.exp(slope * logs - (slope * logs).max(axis=1, keepdims=True))
    shares: Values = grown / grown.sum(axis=1, keepdims=True)
    return shares


def _sigmoid(odds: Values) -> Values:
    share: Values = 1.0 / (1.0 + np.exp(-np.clip(odds, -MOST_ODDS, MOST_ODDS)))
    return share


def _log_odds(predictions: Values) -> Values:
    """Return the log odds of the second of two classes; of both shares, which float32 tells from 1 as from 0."""
    first, second = np.log(np.clip(predictions, SMALLEST, 1.0)).T
    odds: Values = second - first
    return odds


def _row_gain(moved: Values, before: Values, target: NDArray[Any]) -> Values:
    rows = np.arange(len(target))
    after, was = (np.log(np.clip(p[rows, target], SMALLEST, 1.0)) for p in (moved, before))
    gain: Values = after - was
    return gain
