"""What every encoder is: it learns on training rows, turns arrays into features, and writes itself into a graph."""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from penstock.graphs import GraphBuilder

Matrix = NDArray[np.float32]
Texts = NDArray[Any]

INNER_FOLDS = 5  # of cross-fitting: each row is encoded by the rows of the other four
MOST_CLASSES = 10  # above this only the most frequent classes get features of their own


@dataclass(frozen=True, slots=True)
class Feature:
    """One feature: its name, the table's column it comes from, and whether it holds codes of a category."""

    name: str
    source: str
    categorical: bool = False


@dataclass(frozen=True, slots=True)
class Targets:
    """What encoders that look at the target learn from: one column of numbers for each thing to predict.

    `values` has shape (n_rows, n_targets): the value of a regression, one column of a binary problem, one column a
    class of a multiclass problem; `folds` says which inner fold each row belongs to.
    """

    values: NDArray[np.float64]
    names: tuple[str, ...]
    folds: NDArray[np.int64]


class Encoder(Protocol):
    """Turns some columns of the decoded arrays into features."""

    @property
    def features(self) -> tuple[Feature, ...]:
        """The features, in order; known after fitting."""
        ...

    def fit_transform(self, numbers: Matrix, texts: Texts, targets: Targets) -> Matrix:
        """Learn, and return the features of the rows that were learnt from."""
        ...

    def transform(self, numbers: Matrix, texts: Texts) -> Matrix:
        """Return the features of other rows."""
        ...

    def write(self, graph: GraphBuilder, numbers: str, texts: str) -> str:
        """Add nodes that do what `transform` does and return the name of what they give."""
        ...


def prepare_targets(y: NDArray[Any], classes: int, seed: int, groups: NDArray[np.uint64] | None = None) -> Targets:
    """Lay a target out for the encoders that look at it; `classes` is 0 for a regression.

    Rows of one of the `groups`, shape (n_rows,), are in one inner fold; where there are no two groups, each row is one.
    """
    group = np.arange(len(y))
    if groups is not None:
        found, places = np.unique(groups, return_inverse=True)
        group = places if len(found) > 1 else group
    folds = np.random.default_rng(seed).permutation(np.arange(group.max(initial=-1) + 1) % INNER_FOLDS)[group]
    if classes == 0:
        return Targets(np.asarray(y, np.float64)[:, None], ("mean",), folds)
    if classes == 2:  # noqa: PLR2004 - one probability says all of a binary problem
        return Targets(np.asarray(y == 1, np.float64)[:, None], ("share",), folds)
    counts = np.bincount(y, minlength=classes)
    kept = np.sort(np.argsort(-counts, kind="stable")[:MOST_CLASSES])
    return Targets((y[:, None] == kept).astype(np.float64), tuple(f"share {code}" for code in kept), folds)
