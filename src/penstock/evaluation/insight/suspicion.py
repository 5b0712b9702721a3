"""Labels that look wrong, by predictions of models that never saw them."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock.domain.evaluation import Suspicion
from penstock.evaluation.answers import Answers
from penstock.evaluation.metrics import Values
from penstock.evaluation.wording import figure

KEPT = 100  # the worst are listed; the number of all stands beside them
BANDS = 20  # of predictions, within which errors are taken to be alike
FAR = 5.0  # robust standard deviations: one row in 1.7 million if errors were normal
MAD_TO_DEVIATION = 1.4826


def find_suspicions(out_of_fold: Answers) -> tuple[tuple[Suspicion, ...], int]:
    """Return the rows whose labels look wrong, worst first, and how many there are in all.

    Classes: a row is suspect when another class's probability is above that class's usual (its mean over the rows
    that carry it) and above that of the row's own label; ranked by how far (confident learning: Northcutt, Jiang
    and Chuang 2021, Estimating uncertainty in dataset labels). Values: when the error is five robust standard
    deviations from the median error of rows with a like prediction.

    Parameters
    ----------
    out_of_fold
        Out-of-fold predictions with the labels that the rows carry.

    Returns
    -------
    tuple[tuple[Suspicion, ...], int]
        At most 100 suspicions; `doubt` is between 0 and 1, or in robust standard deviations.
    """
    if not out_of_fold.rows:
        return (), 0
    doubt = class_doubt(out_of_fold) if out_of_fold.classes else value_doubt(out_of_fold)
    suspect = np.flatnonzero(doubt > (0 if out_of_fold.classes else FAR))
    worst = suspect[np.argsort(-doubt[suspect], kind="stable")][:KEPT]
    return tuple(_worded(out_of_fold, int(place), float(doubt[place])) for place in worst), int(suspect.size)


def class_doubt(answers: Answers) -> Values:
    """Return how strongly each row's label is doubted, 0 to 1; negative where it is not."""
    p, target = answers.predictions, answers.target.astype(np.int64)
    everything = np.arange(target.size)
    own = p[everything, target]
    usual = np.array([own[target == k].mean() if np.any(target == k) else 1.0 for k in range(len(answers.classes))])
    others = np.where(p >= usual, p, -1.0)
    others[everything, target] = -1.0
    rival = others.max(axis=1)
    doubted = (rival > own) & (own < usual[target])
    return np.where(doubted, np.maximum(rival - own, 1e-9), -1.0)


def value_doubt(answers: Answers) -> Values:
    """Return each row's error in robust standard deviations of the errors of rows with a like prediction."""
    errors = answers.target - answers.predictions
    order = np.argsort(answers.predictions, kind="stable")
    doubt = np.zeros(errors.size)
    overall = _deviation(errors)
    for rows in np.array_split(order, max(1, min(BANDS, errors.size // 50))):
        if rows.size:
            spread = max(_deviation(errors[rows]), overall / 4, 1e-12)
            doubt[rows] = np.abs(errors[rows] - np.median(errors[rows])) / spread
    return doubt


def _deviation(errors: NDArray[Any]) -> float:
    return float(np.median(np.abs(errors - np.median(errors))) * MAD_TO_DEVIATION)


def _worded(answers: Answers, place: int, doubt: float) -> Suspicion:
    row = int(answers.row[place])
    if not answers.classes:
        label, prediction = float(answers.target[place]), float(answers.predictions[place])
        return Suspicion(row, figure(label, 6), figure(prediction, 4), doubt)
    rival = answers.predictions[place].copy()
    rival[int(answers.target[place])] = -1
    return Suspicion(
        row, str(answers.classes[int(answers.target[place])]), str(answers.classes[int(rival.argmax())]), doubt
    )
