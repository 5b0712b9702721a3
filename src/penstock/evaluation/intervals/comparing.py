"""Two models on the same rows: the paired gain and its one-sided lower bound."""

from dataclasses import dataclass

import numpy as np
from scipy.special import betaincinv

from penstock.evaluation.intervals.dependence import Dependence, lower_bound
from penstock.evaluation.intervals.influence import Estimate

ROUNDING = 1e-5  # of the largest influence: a graph computes in float32


@dataclass(frozen=True, slots=True)
class Gain:
    """How much better a challenger scored than a champion on the same rows, and the lower bound of that."""

    value: float
    low: float
    rows: int
    same: bool


def compare(champion: Estimate, challenger: Estimate, dependence: Dependence, alpha: float) -> Gain:
    """Return the paired gain of a challenger over a champion (higher is better), with its lower bound.

    The rows' influence on the two scores is subtracted row by row, so what the models share cancels; the error of
    its mean is that of clusters where rows are not independent. Where each row counts -1, 0 or 1 (accuracy), few
    rows decide and the normal bound is too bold: the exact sign test on them (McNemar 1947) bounds it as well. Where
    classes are scored apart (AUC), the rarer one's rows are what Student's t counts.

    Parameters
    ----------
    champion, challenger
        Scores and influence values on the same rows, in the same order.
    dependence
        Which rows belong together.
    alpha
        The one-sided error that may be spent, 0 to 1.

    Returns
    -------
    Gain
        The gain, and a bound that it is below with probability `alpha` at most.
    """
    gain = challenger.score - champion.score
    moved = challenger.influence - champion.influence
    if _same(champion, challenger):
        return Gain(0.0, 0.0, moved.size, same=True)
    low = lower_bound(gain, moved, dependence, alpha, challenger.classes)
    if champion.rows is not None and challenger.rows is not None and dependence.independent:
        low = min(low, _exact_bound(challenger.rows - champion.rows, alpha))
    return Gain(gain, low, moved.size, same=False)


def _same(champion: Estimate, challenger: Estimate) -> bool:
    """Return whether two models differ by no more than the rounding of float32 does."""
    size = max(float(np.abs(champion.influence).max(initial=0.0)), abs(champion.score))
    apart = np.abs(challenger.influence - champion.influence).max(initial=abs(challenger.score - champion.score))
    return bool(apart <= ROUNDING * size)


def _exact_bound(differences: np.ndarray, alpha: float) -> float:
    """Return the sign test's lower bound of a mean of -1, 0 and 1, or infinity for other differences."""
    wins = int(np.count_nonzero(differences == 1.0))
    losses = int(np.count_nonzero(differences == -1.0))
    deciding = int(np.count_nonzero(differences))
    if wins + losses != deciding:
        return float("inf")
    if wins == 0:
        return -losses / max(differences.size, 1)
    share = float(betaincinv(wins, losses + 1, alpha))  # Clopper and Pearson 1934
    return deciding * (2 * share - 1) / differences.size
