"""What a slot is to do, how large a search is, and which of its trials is best."""

import math
from dataclasses import dataclass

import numpy as np

from penstock.domain.features import Flavour
from penstock.search.trial_records import Ended, Kind

BASELINE = "baseline"


@dataclass(frozen=True, slots=True)
class Shape:
    """The size of a search: training rows of each fold, all rows, features by flavour, classes (0: regression)."""

    fold_rows: tuple[int, ...]
    rows: int
    features: dict[Flavour, int]
    classes: int

    @property
    def folds(self) -> tuple[int, ...]:
        """The folds, in order."""
        return tuple(range(len(self.fold_rows)))

    @property
    def growth(self) -> float:
        """How many times more rows the final fit has than a fold's."""
        return self.rows / max(1.0, float(np.mean(self.fold_rows)))


@dataclass(frozen=True, slots=True)
class Plan:
    """What a slot does next, until when; `predicted` seconds are for all of it; `place` is that in a portfolio."""

    family: str
    kind: Kind
    folds: tuple[int, ...]
    deadline: float
    predicted: float
    most_rows: int | None = None
    place: int = 0


def score_of(ended: Ended) -> float:
    """Return a trial's score, higher is better; one without a score is below all."""
    return -math.inf if ended.trial.score is None else ended.trial.score


def eligible(finished: list[Ended]) -> list[Ended]:
    """Return the trials that may win: whole ones, or where only the baseline's is whole, partial ones beside it."""
    whole = [one for one in finished if one.whole]
    return whole if any(one.trial.family != BASELINE for one in whole) else finished


def best_of(ended: list[Ended]) -> Ended:
    """Return the trial with the highest score; of equals the earlier."""
    return max(ended, key=lambda one: (score_of(one), -one.trial.number))
