"""How wide a regression's intervals are, by what a row is: a small tree whose leaves have widths of their own.

Conformal intervals that differ by groups of rows (Vovk, Gammerman, Shafer 2005, Algorithmic learning in a random
world, section 4.5, Mondrian predictors; Boström, Johansson 2020, Mondrian conformal regressors). One part of the
out-of-fold rows decides on the groups, the others on their widths, so that a width is not learnt on the rows that asked
for it.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock.domain.models import Widths
from penstock.search.model.calibration import COVERAGE, covering

MOST_LEAVES = 8
LEAF_ROWS = 100  # a quantile of nine tenths is off by 3 % of the rows with so many
LEAF_SHARE = 0.04  # of the rows: smaller groups change little for most
MOST_ROWS = 100_000  # more teach a tree of eight leaves nothing
FLOOR = 0.01  # of the mean miss: below it, how much smaller a miss is tells nothing of the next

Values = NDArray[np.float64]


def learn_widths(
    predictions: Values, target: Values, numbers: NDArray[np.float32], fold: NDArray[Any]
) -> tuple[Widths | None, str]:
    """Learn on out-of-fold predictions which rows have wide intervals, and keep it only if that helps on other folds.

    Parameters
    ----------
    predictions
        Out-of-fold values, shape (n_rows,); rows without one are NaN.
    target
        Values, shape (n_rows,).
    numbers
        The decoded numbers of the rows, shape (n_rows, k); missing ones are NaN.
    fold
        The fold that each row was predicted in, shape (n_rows,); in time order if folds are.

    Returns
    -------
    widths : Widths or None
        None where one width for all rows does as well.
    reason : str
    """
    known = np.flatnonzero(np.isfinite(predictions))
    misses = np.abs(target[known] - predictions[known])
    given = np.column_stack([numbers[known], predictions[known]]).astype(np.float32)
    folds = np.unique(fold[known])
    asks = np.isin(fold[known], folds[: (len(folds) + 1) // 2])
    if min(asks.sum(), (~asks).sum()) < 2 * LEAF_ROWS or not misses[asks].any():
        return None, "intervals are equally wide: there are too few out-of-fold rows to tell rows apart"
    tree, leaf = _grow(given, misses, asks)
    if tree is None:
        return None, "intervals are equally wide: no rows are told apart by how far predictions miss"
    before = _by_leaf(misses[asks], leaf[asks])
    apart = np.array([before[one] for one in leaf[~asks]])
    gains = _cost(covering(misses[asks]), misses[~asks]) - _cost(apart, misses[~asks])
    gain, error = float(gains.mean()), float(gains.std() / np.sqrt(gains.size))
    if gain <= error:
        return None, "intervals are equally wide: widths by row do no better on rows that they were not learnt on"
    halves = _by_leaf(misses[~asks], leaf[~asks])
    said = f"{len(halves)} widths of intervals by what a row is, from ±{min(halves.values()):.3g} to ±"
    return _written(tree, halves, given.shape[1] - 1), f"{said}{max(halves.values()):.3g}"


def _grow(given: NDArray[np.float32], misses: Values, asks: NDArray[np.bool_]) -> tuple[Any, NDArray[np.int64]]:
    """Return the largest tree whose leaves have rows enough on both sides, and the leaf of each row; None for none."""
    from sklearn.tree import DecisionTreeRegressor

    learnt = np.flatnonzero(asks)
    learnt = learnt[:: max(1, len(learnt) // MOST_ROWS)]
    size = np.log(misses[learnt] + FLOOR * float(misses[learnt].mean()) + np.finfo(np.float64).tiny)
    leaves, least = MOST_LEAVES, max(LEAF_ROWS, int(LEAF_SHARE * len(learnt)))
    while leaves > 1:
        model = DecisionTreeRegressor(max_leaf_nodes=leaves, min_samples_leaf=least, random_state=0)
        leaf = np.asarray(model.fit(given[learnt], size).apply(given), np.int64)
        found, counts = np.unique(leaf[~asks], return_counts=True)
        if found.size == model.get_n_leaves() > 1 and counts.min() >= LEAF_ROWS // 2:
            return model.tree_, leaf
        leaves //= 2
    return None, np.zeros(len(misses), np.int64)


def _by_leaf(misses: Values, leaf: NDArray[np.int64]) -> dict[int, float]:
    return {int(one): covering(misses[leaf == one]) for one in np.unique(leaf)}


def _cost(half: Values | float, misses: Values) -> Values:
    """Return each row's interval score (Gneiting, Raftery 2007, section 6.2): its width, and how far it is missed."""
    cost: Values = 2 * (half + np.maximum(misses - half, 0) / (1 - COVERAGE))
    return cost


def _written(tree: Any, halves: dict[int, float], value: int) -> Widths:
    """Return a tree as the signature keeps it; input `value` is the predicted one."""
    inner = tree.children_left >= 0
    return Widths(
        asks=tuple(-1 if place == value else int(place) for place in np.where(inner, tree.feature, -1)),
        cuts=tuple(float(cut) for cut in np.where(inner, tree.threshold, 0.0)),
        left=tuple(int(node) for node in tree.children_left),
        right=tuple(int(node) for node in tree.children_right),
        missing_left=tuple(bool(goes) for goes in tree.missing_go_to_left),
        halves=tuple(0.0 if inside else halves[node] for node, inside in enumerate(inner)),
    )
