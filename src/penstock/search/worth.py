"""What each group of features gained: a quick booster with and without it, on rows of the first fold alone."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock.domain.features import GroupGain
from penstock.features._base import Feature
from penstock.search.encoding import TrainingRows, folds_folder, read_pipeline

MOST_ROWS = 4_000  # on either side; noise of the difference is told by its standard error
MOST_CLASSES = 10  # above this a booster of each class takes seconds
ROUNDS, RATE, LEAVES = 60, 0.1, 16
NOISE = 2  # standard errors
GROUPS = {
    "target means": ("target ", "how often: "),
    "parts of dates": (".year", ".month", ".day", ".weekday", ".hour", ".day_of_year", ".days", ".minutes"),
    "times between dates": (" since ",),
    "words": (": direction ", ": words for ", ": known words", ": linear model of "),
    "counts of letters": (".letters", ".digits", ".capitals", ".marks"),
}


def group_of(feature: Feature) -> str:
    """Return the group of a feature that is made and not merely picked; "columns" for one that is a column itself."""
    if feature.name == feature.source:
        return "columns"
    if feature.name.startswith(GROUPS["target means"]):
        return "target means"
    added = feature.name.removeprefix(feature.source)
    for group, marks in GROUPS.items():
        if added in marks or added.startswith(tuple(mark for mark in marks if mark[0] in ": ")):
            return group
    return "columns"


def group_gains(rows: TrainingRows, folder: Path, seed: int) -> tuple[GroupGain, ...]:
    """Measure what each group of made features gains on the rows that validate the first fold.

    Parameters
    ----------
    rows
        The training rows of a search.
    folder
        The study's folder; its first fold must be encoded for trees.
    seed
        Seeds the choice of rows and the booster.

    Returns
    -------
    tuple of GroupGain
        One a group there is, in the order of `GROUPS`; empty with more than ten classes, or where no family of trees
        was searched. Nothing is chosen by it.
    """
    folds = folds_folder(folder)
    if rows.classes > MOST_CLASSES or not (folds / "tree-0.npy").exists():
        return ()
    features = read_pipeline(folds, "tree", 0).features
    groups = np.array([group_of(feature) for feature in features])
    x = np.load(folds / "tree-0.npy", mmap_mode="r")
    random = np.random.default_rng(seed)
    trains, scored = (_some(np.flatnonzero(side), random) for side in (rows.training(0), rows.fold == 0))
    given, others = np.asarray(x[trains]), np.asarray(x[scored])
    y, true = rows.target[trains], rows.target[scored]
    whole = _losses(rows, (given, y), (others, true), seed)
    gains = []
    for group in (name for name in GROUPS if name in groups):
        kept = groups != group
        without = (
            _losses(rows, (given[:, kept], y), (others[:, kept], true), seed) if kept.any() else _plain(y, true, rows)
        )
        apart = (without - whole) / max(float(without.mean()), 1e-12)
        error = float(apart.std() / np.sqrt(len(apart)))
        gains.append(GroupGain(group, int((~kept).sum()), float(apart.mean()), error))
    return tuple(gains)


def gains_told(gains: tuple[GroupGain, ...]) -> tuple[str, ...]:
    """Return a sentence of what each group of features gained, and of what is not told from noise."""
    return tuple(
        f"{each.group} ({each.features} features) change a quick model's loss on the first fold by "
        f"{-each.gain:+.1%} ± {each.error:.1%}" + ("" if abs(each.gain) > NOISE * each.error else ", within noise")
        for each in gains
    )


def _some(places: NDArray[np.intp], random: np.random.Generator) -> NDArray[np.intp]:
    chosen: NDArray[np.intp] = places
    if len(places) > MOST_ROWS:
        chosen = np.sort(random.choice(places, MOST_ROWS, replace=False))
    return chosen


def _losses(rows: TrainingRows, given: tuple[Any, Any], scored: tuple[Any, Any], seed: int) -> NDArray[np.float64]:
    """Return the loss of each scored row: squared error, or minus the logarithm of its class's probability."""
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    settings = {"max_iter": ROUNDS, "learning_rate": RATE, "max_leaf_nodes": LEAVES, "early_stopping": False}
    if not rows.classes:
        booster = HistGradientBoostingRegressor(**settings, random_state=seed).fit(*given)
        return np.asarray(np.square(booster.predict(scored[0]) - scored[1]), np.float64)
    if len(np.unique(given[1])) < 2:  # noqa: PLR2004 - a booster needs two classes
        return _plain(given[1], scored[1], rows)
    booster = HistGradientBoostingClassifier(**settings, random_state=seed).fit(*given)
    shares = np.full((len(scored[1]), rows.classes), 1e-6)
    shares[:, booster.classes_] = booster.predict_proba(scored[0])
    losses: NDArray[np.float64] = -np.log(np.maximum(shares[np.arange(len(scored[1])), scored[1]], 1e-6))
    return losses


def _plain(y: NDArray[Any], true: NDArray[Any], rows: TrainingRows) -> NDArray[np.float64]:
    """Return the losses of a model that looks at nothing."""
    if not rows.classes:
        return np.asarray(np.square(true - y.mean()), np.float64)
    shares = np.bincount(y, minlength=rows.classes) / len(y)
    losses: NDArray[np.float64] = -np.log(np.maximum(shares[true], 1e-6))
    return losses
