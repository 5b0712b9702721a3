"""How well one column alone tells the target: a small binned model, learnt on one half and scored on the other."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from penstock.data.types.canonical import canonical_type

BINS = 64
SMOOTHING = 5.0  # rows of the average class mix that a bin begins with

Half = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Aim:
    """The target of the rows looked at: class codes, or ranks in [0, 1] of numbers; and which half learns."""

    codes: NDArray[np.int64] | None
    ranks: NDArray[np.float64] | None
    learns: Half

    @property
    def classes(self) -> int:
        """The number of classes, 0 for numbers."""
        return 0 if self.codes is None else int(self.codes.max()) + 1


def make_aim(target: pd.Series, learns: Half, *, regression: bool) -> Aim:
    """Return the target in the form that columns are scored against.

    Numbers are ranked, so that a few extreme ones do not decide.
    """
    if not regression:
        return Aim(np.asarray(pd.factorize(target)[0], dtype=np.int64), None, learns)
    ranks = target.rank(method="average").to_numpy(np.float64)
    return Aim(None, (ranks - 1) / max(1, len(ranks) - 1), learns)


def alone(values: pd.Series, aim: Aim) -> float:
    """Return how well a column alone tells the target: mean AUC of the classes, or R2 of the ranks."""
    return told(bins_of(values), aim)


def told(bins: NDArray[np.int64], aim: Aim) -> float:
    """Return how well bins tell the target, learnt on one half of the rows and scored on the other."""
    count = int(bins.max()) + 1
    if aim.codes is not None:
        learnt = _table(bins[aim.learns], aim.codes[aim.learns], (count, aim.classes))
        seen = _table(bins[~aim.learns], aim.codes[~aim.learns], (count, aim.classes))
        return _auc(learnt, seen)
    assert aim.ranks is not None  # noqa: S101  an aim has codes or ranks
    return _r2(bins, aim.ranks, aim.learns)


def bins_of(values: pd.Series) -> NDArray[np.int64]:
    """Return a column as bins: quantiles of numbers and dates, each level of texts; missing is a bin of its own."""
    kind = canonical_type(values)
    if kind in ("string", "boolean"):
        return np.asarray(pd.factorize(values)[0], dtype=np.int64) + 1
    missing = values.isna().to_numpy()
    if kind == "date":
        array = values.to_numpy("datetime64[s]").astype(np.int64).astype(np.float64)
    else:
        array = values.to_numpy(np.float64)
    present = array[~missing]
    if not len(present):
        return np.zeros(len(array), np.int64)
    unique = np.unique(present)
    if len(unique) > BINS:
        unique = np.unique(np.quantile(present, np.arange(1, BINS) / BINS))
    bins = np.searchsorted(unique, array, side="right") + 1
    bins[missing] = 0
    return np.asarray(bins, dtype=np.int64)


def _table(bins: NDArray[np.int64], codes: NDArray[np.int64], shape: tuple[int, int]) -> NDArray[np.float64]:
    flat = np.bincount(bins * shape[1] + codes, minlength=shape[0] * shape[1])
    return flat.reshape(shape).astype(np.float64)


def _auc(learnt: NDArray[np.float64], seen: NDArray[np.float64]) -> float:
    """Return the mean over classes of the area under the curve, with ties counted half."""
    mix = learnt.sum(axis=0) / max(1.0, learnt.sum())
    scores = (learnt + SMOOTHING * mix) / (learnt.sum(axis=1, keepdims=True) + SMOOTHING)
    areas = []
    for code in range(seen.shape[1]):
        ones, zeros = seen[:, code], seen.sum(axis=1) - seen[:, code]
        if ones.sum() == 0 or zeros.sum() == 0:
            continue
        _, place = np.unique(np.round(scores[:, code], 12), return_inverse=True)
        hits, misses = np.bincount(place, ones), np.bincount(place, zeros)
        below = np.cumsum(misses) - misses
        areas.append(float((hits * (below + misses / 2)).sum() / (hits.sum() * misses.sum())))
    return float(np.mean(areas)) if areas else 0.5


def _r2(bins: NDArray[np.int64], ranks: NDArray[np.float64], learns: Half) -> float:
    count = int(bins.max()) + 1
    average = float(ranks[learns].mean())
    rows = np.bincount(bins[learns], minlength=count)
    means = (np.bincount(bins[learns], ranks[learns], minlength=count) + SMOOTHING * average) / (rows + SMOOTHING)
    scored = ranks[~learns]
    total = float(((scored - scored.mean()) ** 2).sum())
    return 1 - float(((scored - means[bins[~learns]]) ** 2).sum()) / total if total > 0 else 0.0
