"""Products of two features, chosen by what a straight model of each alone leaves unexplained."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from penstock.graphs import GraphBuilder
from penstock.models._base import Matrix

SAMPLE = 4_000  # rows that products are chosen on
LOOKED_AT = 20_000  # of the best products: enough to find some of several pairs of features
OF_ONE_PAIR = 25  # products of one pair of features: one in so many of all, so that no pair takes them all
OUTPUTS = 8  # that products are chosen for: those with most left unexplained
LEAST_SPREAD = 1e-4  # a product that varies less is the same for nearly all rows


@dataclass(frozen=True, slots=True)
class Crosses:
    """Which features are multiplied with which."""

    first: NDArray[np.int64]
    second: NDArray[np.int64]

    def apply(self, x: Matrix) -> Matrix:
        """Return the features, then the products."""
        if not len(self.first):
            return x
        return np.hstack([x, x[:, self.first] * x[:, self.second]], dtype=np.float32)

    def write(self, graph: GraphBuilder, features: str) -> str:
        """Add the nodes that do what `apply` does."""
        if not len(self.first):
            return features
        sides = [graph.add("Gather", features, graph.constant(side), axis=1) for side in (self.first, self.second)]
        return graph.concat([features, graph.add("Mul", *sides)])


def no_crosses() -> Crosses:
    """Return no products."""
    return Crosses(np.empty(0, np.int64), np.empty(0, np.int64))


def choose_crosses(x: Matrix, left: NDArray[np.float64], source: NDArray[np.int64], count: int) -> Crosses:
    """Choose products of two features whose covariance with what is left unexplained is large for their spread.

    Parameters
    ----------
    x
        Features of some rows, shape (n_rows, n_features).
    left
        What a model of the features alone leaves of the target, shape (n_rows, n_outputs).
    source
        The feature that each of them is a piece of, shape (n_features,): no product is of two pieces of one.
    count
        How many products to choose at most.
    """
    rows, width = x.shape
    if not count or width < 2 or rows < 2:  # noqa: PLR2004 - a product needs two features, a spread two rows
        return no_crosses()
    outputs = np.argsort(-left.var(axis=0), kind="stable")[:OUTPUTS]
    told = sum(np.square((x * column[:, None].astype(np.float32)).T @ x) for column in left.T[outputs])
    mean = (x.T @ x) / rows
    spread = (np.square(x).T @ np.square(x)) / rows - np.square(mean)
    pairs = np.triu_indices(width, 1)
    worth = np.where(spread > LEAST_SPREAD, told / np.maximum(spread, LEAST_SPREAD), 0.0)[pairs]
    worth[source[pairs[0]] == source[pairs[1]]] = 0.0
    order = np.argsort(-worth, kind="stable")[:LOOKED_AT]
    kept: list[int] = []
    seen: dict[tuple[int, int], int] = {}
    for place in order[worth[order] > 0]:
        pair = (int(source[pairs[0][place]]), int(source[pairs[1][place]]))
        if seen.get(pair, 0) < max(1, count // OF_ONE_PAIR):
            seen[pair] = seen.get(pair, 0) + 1
            kept.append(int(place))
        if len(kept) == count:
            break
    chosen = np.array(kept, np.int64)
    return Crosses(pairs[0][chosen], pairs[1][chosen])
