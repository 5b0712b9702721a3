"""Selection scores: where what a row is called counts, of calibrated probabilities cut where the served model cuts."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock.evaluation import metrics
from penstock.evaluation.costs import best_threshold
from penstock.search.model.calibration import calibrate

CALLS = frozenset({"cost", "f1"})  # metrics of what rows are called, whose best cut is not the most probable class
MOST_ROWS = 50_000  # that a calibrator of two figures is learnt on: more rows change nothing but the time

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Scoring:
    """How out-of-fold predictions are scored; `costs` of a row of class i called j, shape (n_classes, n_classes).

    `target` and `fold` are of all rows. Ranks and probabilities are scored as they are. Cost and F1 depend on a cut,
    and a model whose probabilities are off would look worse than it is served, since it is served calibrated.
    """

    metric: str
    target: NDArray[Any]
    fold: NDArray[Any]
    classes: int
    costs: Values | None = None

    @property
    def calls(self) -> bool:
        """Whether what rows are called is scored, so that predictions are calibrated first."""
        return self.classes > 0 and self.metric in CALLS

    def scores(self, predictions: Values, sides: Sequence[NDArray[Any]]) -> tuple[float, ...]:
        """Return the score of each side's rows, higher is better.

        Parameters
        ----------
        predictions
            Out-of-fold, shape (n_rows, n_classes) or (n_rows,); NaN where a row was not predicted.
        sides
            Rows, by mask or position, each predicted.
        """
        cut = None
        if self.calls:
            predictions = self._calibrated(predictions)
            cut = self._cut(predictions)
        return tuple(
            float(metrics.score(self.metric, self.target[side], predictions[side], cut, self.costs)) for side in sides
        )

    def _calibrated(self, predictions: Values) -> Values:
        known = np.flatnonzero(np.isfinite(predictions).all(axis=1))
        known = known[:: max(1, len(known) // MOST_ROWS)]
        learnt = calibrate(predictions[known], self.target[known], self.fold[known], self.classes)
        return learnt.apply(predictions)

    def _cut(self, calibrated: Values) -> float | None:
        if self.classes != metrics.BINARY:
            return None
        known = np.isfinite(calibrated).all(axis=1)
        return best_threshold(self.metric, self.target[known], calibrated[known, 1], self.costs)
