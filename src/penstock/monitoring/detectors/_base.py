"""What every drift detector is: it says how far one column has moved, as an effect size that rows do not inflate."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

Kind = Literal["number", "category"]
Weights = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Column:
    """The values of one column, shape (n_rows,), with the weight of each row (mean 1; rows of weight 0 do not count).

    Numbers are float64 with NaN where a value is missing; categories are places in `levels`, which the columns that
    are compared share, and -1 where a value is missing.
    """

    kind: Kind
    values: NDArray[Any]
    weights: Weights
    levels: tuple[str, ...] = ()

    @property
    def present(self) -> NDArray[np.bool_]:
        """Which rows have a value."""
        if self.kind == "number":
            return np.asarray(~np.isnan(self.values))
        return np.asarray(self.values >= 0)

    @property
    def rows(self) -> float:
        """How many equally weighted rows would tell as much (Kish 1965, Survey sampling)."""
        return effective_rows(self.weights)

    def only(self, rows: NDArray[np.bool_]) -> "Column":
        """Return some of the rows."""
        return Column(self.kind, self.values[rows], self.weights[rows], self.levels)


@dataclass(frozen=True, slots=True)
class Moved:
    """How far a column has moved.

    `effect` is 0 for a column that has not moved, whatever the number of rows: what chance alone is expected to show
    (`noise`) is taken off. `p_value` is how often chance would show as much. `detail` says what moved.
    """

    effect: float
    noise: float
    p_value: float
    detail: str


class DriftDetector(ABC):
    """A way of comparing one column of two sets of rows.

    `kinds` are those that it measures; `threshold` is the effect above which a column drifted, unless the project file
    says otherwise under `drift`.
    """

    name: ClassVar[str]
    kinds: ClassVar[frozenset[Kind]]
    threshold: ClassVar[float]

    @abstractmethod
    def measure(self, reference: Column, current: Column) -> Moved | None:
        """Return how far `current` has moved from `reference`, None where there is too little to say."""


def effective_rows(weights: Weights) -> float:
    """Return how many equally weighted rows would tell as much."""
    squares = float(weights @ weights)
    return float(weights.sum()) ** 2 / squares if squares else 0.0
