"""Raw scores to probabilities, in numpy and as graph nodes."""

import numpy as np
from numpy.typing import NDArray

from penstock.graphs import GraphBuilder


def probabilities(raw: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return shares of shape (n, classes); one raw column is the second class of two."""
    if raw.shape[1] == 1:
        second = 1.0 / (1.0 + np.exp(-np.clip(raw, -500.0, 500.0)))
        return np.hstack([1.0 - second, second])
    grown = np.exp(raw - raw.max(axis=1, keepdims=True))
    shares: NDArray[np.float64] = grown / grown.sum(axis=1, keepdims=True)
    return shares


def write_probabilities(graph: GraphBuilder, raw: str, columns: int) -> str:
    """Add the nodes that do what `probabilities` does to `columns` raw columns."""
    if columns > 1:
        return graph.add("Softmax", raw, axis=1)
    second = graph.add("Sigmoid", raw)
    return graph.concat([graph.add("Sub", graph.constant(np.float32(1)), second), second])
