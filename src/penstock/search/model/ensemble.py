"""A weighted mean of candidates, by their out-of-fold predictions, and whether it is worth more than the best alone.

Greedy selection with replacement (Caruana, Niculescu-Mizil, Crew, Ksikes 2004, "Ensemble selection from libraries of
models"). Weights follow a proper loss, the log loss or the squared error, whatever the metric; whether they help is
measured by the metric, on folds that the weights were not learnt on.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock.evaluation import metrics
from penstock.search.model.scoring import Scoring

STEPS = 24  # of greedy selection: a weight is a multiple of one over it, before it is shrunk
LEAST_WEIGHT = 0.04  # less is not worth a member's latency
PRIOR_ROWS = 500.0  # weights count as if this many rows had spoken for equal ones
MOST_CELLS = 400_000  # rows times members that weights are learnt on: more rows change nothing but the time
ERRORS = 1.0  # standard errors of the gain from fold to fold that it must be above
LEAST_GAIN = 5e-4  # relative gain (of the distance to a perfect score): less is not worth more members' latency

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Evidence:
    """What weights are learnt on and measured by: target and fold of each row, the metric, perhaps a cost matrix."""

    target: NDArray[Any]
    fold: NDArray[Any]
    metric: str
    classes: int
    costs: Values | None = None

    def scores(self, predictions: Values, sides: Sequence[NDArray[np.bool_]]) -> tuple[float, ...]:
        """Return the score of each side's rows, higher is better."""
        return Scoring(self.metric, self.target, self.fold, self.classes, self.costs).scores(predictions, sides)


@dataclass(frozen=True, slots=True)
class Mixture:
    """Members by place with their weights, and what is known of them.

    `predictions` are out-of-fold with weights learnt on the other folds; `scores` are theirs by fold, `optimism` how
    much better the final weights look on the rows that they were learnt on; `gain` is that over the best single
    candidate, chosen on the other folds too, `error` its standard error from fold to fold.
    """

    weights: tuple[tuple[int, float], ...]
    predictions: Values
    scores: tuple[float, ...]
    optimism: float
    gain: float
    error: float

    @property
    def score(self) -> float:
        """The mean score over the folds."""
        return float(np.mean(self.scores))

    @property
    def pays(self) -> bool:
        """Whether it is better than the best single candidate by more than noise, and by enough to be felt."""
        return self.gain > ERRORS * self.error and self.gain > LEAST_GAIN * max(_room(self.score), 1e-12)


def mix(members: Sequence[Values], evidence: Evidence) -> Mixture:
    """Learn weights of members on all rows, and measure them by nested folds.

    Parameters
    ----------
    members
        Out-of-fold predictions of each, shape (n_rows, n_classes) or (n_rows,); NaN where a row was not predicted.
    evidence
        The target and how predictions are measured.

    Returns
    -------
    Mixture
        Its `predictions` are NaN where any member's are.
    """
    known = np.isfinite(np.stack([member.reshape(len(member), -1)[:, 0] for member in members])).all(axis=0)
    folds = [fold for fold in np.unique(evidence.fold[known]) if fold >= 0]
    shown = _shown(members, evidence)
    sides = [known & (evidence.fold == fold) for fold in folds]
    alone = np.array([evidence.scores(member, sides) for member in members])
    nested = np.full(members[0].shape, np.nan)
    for held in sides:
        others = known & ~held
        nested[held] = _blend(members, learn_weights(shown[others], _aims(evidence)[others], evidence.classes))[held]
    bests = [int(np.delete(alone, place, axis=1).mean(axis=1).argmax()) for place in range(len(sides))]
    scores = evidence.scores(nested, sides)
    gains = [score - alone[best, place] for place, (score, best) in enumerate(zip(scores, bests, strict=True))]
    weights = learn_weights(shown[known], _aims(evidence)[known], evidence.classes)
    told = _blend(members, weights)
    inside = float(np.mean(evidence.scores(told, sides)))
    return Mixture(
        weights=tuple((place, float(weight)) for place, weight in enumerate(weights) if weight > 0),
        predictions=nested,
        scores=scores,
        optimism=inside - float(np.mean(scores)),
        gain=float(np.mean(gains)),
        error=float(np.std(gains, ddof=1) / math.sqrt(len(gains))) if len(gains) > 1 else math.inf,
    )


def learn_weights(shown: Values, aims: Values, classes: int) -> Values:
    """Return a weight for each column of `shown` (n_rows, n_members), summing to 1; members of little weight have none.

    For classes, `shown` is the probability of each row's own class; for a regression the value, and `aims` the target.
    """
    count = shown.shape[1]
    stride = max(1, shown.size // MOST_CELLS)
    shown, aims = shown[::stride], aims[::stride]
    chosen = np.zeros(count)
    total = np.zeros(len(shown))
    best, lowest = chosen, math.inf
    for step in range(1, STEPS + 1):
        losses = _losses((total[:, None] + shown) / step, aims, classes)
        place = int(losses.argmin())
        chosen[place] += 1
        total = total + shown[:, place]
        if losses[place] < lowest:
            best, lowest = chosen / step, float(losses[place])
    return _shrunk(best, len(shown) * stride)


def _shrunk(weights: Values, rows: int) -> Values:
    """Move weights towards equal ones, the more the fewer rows spoke, and leave out the least."""
    kept = np.where(weights >= LEAST_WEIGHT, weights, 0.0)
    among = kept > 0
    moved = (rows * kept / kept.sum() + PRIOR_ROWS * among / among.sum()) / (rows + PRIOR_ROWS)
    shrunk: Values = np.where(among, moved, 0.0) / moved[among].sum()
    return shrunk


def _losses(mixed: Values, aims: Values, classes: int) -> Values:
    """Return the mean loss of each column."""
    losses = -np.log(np.maximum(mixed, metrics.SMALLEST)) if classes else np.square(mixed - aims[:, None])
    means: Values = losses.mean(axis=0)
    return means


def _shown(members: Sequence[Values], evidence: Evidence) -> Values:
    if not evidence.classes:
        return np.column_stack(members)
    rows, own = np.arange(len(evidence.target)), evidence.target
    return np.column_stack([member[rows, own] for member in members])


def _aims(evidence: Evidence) -> Values:
    return np.asarray(evidence.target, np.float64)


def _blend(members: Sequence[Values], weights: Values) -> Values:
    kept = [weight * member for weight, member in zip(weights, members, strict=True) if weight]
    blended: Values = np.sum(kept, axis=0)
    return blended


def _room(score: float) -> float:
    """Return how far a score is from a perfect one: 0 for a loss, else 1."""
    return -score if score <= 0 else 1.0 - score
