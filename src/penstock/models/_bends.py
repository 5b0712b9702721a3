"""Numbers as pieces between their quantiles, so that a straight line may bend."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from penstock.graphs import GraphBuilder
from penstock.models._base import Matrix

FEW_VALUES = 8  # a feature with fewer different values is left as it is
SAMPLE = 10_000  # rows that the quantiles are taken from
NARROWEST = 1e-3  # of a feature's width; a narrower piece would make the last digit of a float32 count


@dataclass(frozen=True, slots=True)
class Bends:
    """Which feature each piece is of, where it starts, and one over its width.

    A piece is 0 below its start, 1 above its end and straight between (Gorishniy et al. 2022, "On embeddings for
    numerical features in tabular deep learning").
    """

    feature: NDArray[np.int64]
    start: NDArray[np.float32]
    slope: NDArray[np.float32]

    def apply(self, x: Matrix) -> Matrix:
        """Return the features, then the pieces."""
        if not len(self.feature):
            return x
        pieces = np.clip((x[:, self.feature] - self.start) * self.slope, 0.0, 1.0)
        return np.hstack([x, pieces], dtype=np.float32)

    def write(self, graph: GraphBuilder, features: str) -> str:
        """Add the nodes that do what `apply` does."""
        if not len(self.feature):
            return features
        chosen = graph.add("Gather", features, graph.constant(self.feature), axis=1)
        moved = graph.add("Sub", chosen, graph.constant(self.start))
        scaled = graph.add("Mul", moved, graph.constant(self.slope))
        pieces = graph.add("Clip", scaled, graph.constant(np.float32(0)), graph.constant(np.float32(1)))
        return graph.concat([features, pieces])


def learn_bends(x: Matrix, count: int) -> Bends:
    """Return up to `count` pieces for each feature of many values, shape of `x` (n_rows, n_features)."""
    sample = x[:: max(1, len(x) // SAMPLE)]
    features: list[int] = []
    knots: list[NDArray[np.float32]] = []
    for place in range(x.shape[1] if count else 0):
        values = np.unique(sample[:, place])
        if len(values) < FEW_VALUES:
            continue
        ends = _knots(sample[:, place], count)
        if len(ends) <= 2:  # noqa: PLR2004 - one piece is the feature itself
            ends = _knots(values, count)
        features += [place] * (len(ends) - 1)
        knots.append(np.column_stack([ends[:-1], ends[1:]]))
    table = np.vstack(knots) if knots else np.empty((0, 2), np.float32)
    return Bends(np.array(features, np.int64), table[:, 0], (1 / (table[:, 1] - table[:, 0])).astype(np.float32))


def _knots(values: NDArray[np.float32], count: int) -> NDArray[np.float32]:
    """Return quantiles, smallest first, without those too near to the one before."""
    ends = np.unique(np.quantile(values, np.linspace(0, 1, count + 1)).astype(np.float32))
    least = NARROWEST * (ends[-1] - ends[0])
    kept = [ends[0]]
    for end in ends[1:]:
        if end - kept[-1] > least:
            kept.append(end)
    return np.array(kept, np.float32)
