"""Tables of tree nodes, and the one ONNX node that walks them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from penstock.graphs import ML, GraphBuilder

MANTISSA = 2.0**24  # steps that a float32 tells apart


@dataclass(frozen=True, slots=True)
class Tree:
    """One binary tree; node 0 is the root, leaves have `left` -1.

    A row goes left where `x[feature] <= threshold` and, if the value is missing, where `missing_left`.
    `values` are what leaves give, shape (n_nodes, n_targets).
    """

    feature: NDArray[np.int64]
    threshold: NDArray[np.float64]
    left: NDArray[np.int64]
    right: NDArray[np.int64]
    missing_left: NDArray[np.bool_]
    values: NDArray[np.float64]


def write_trees(graph: GraphBuilder, features: str, trees: list[Tree], base: NDArray[np.float64]) -> str:
    """Add the node that sums what all trees give to `base`, shape (n_targets,)."""
    sizes = np.array([len(tree.left) for tree in trees])
    leaf = np.concatenate([tree.left < 0 for tree in trees])
    places = np.concatenate([np.arange(size) for size in sizes])
    numbers = np.repeat(np.arange(len(trees)), sizes)
    weights = np.concatenate([tree.values for tree in trees])
    weights[~leaf] = 0.0
    rows, targets = _weights_of(weights, leaf)
    thresholds = _round_down(np.concatenate([tree.threshold for tree in trees]))
    return graph.add(
        "TreeEnsembleRegressor",
        features,
        domain=ML,
        n_targets=len(base),
        aggregate_function="SUM",
        post_transform="NONE",
        base_values=base,
        nodes_treeids=numbers,
        nodes_nodeids=places,
        nodes_featureids=np.where(leaf, 0, np.concatenate([tree.feature for tree in trees])),
        nodes_values=np.where(leaf, 0, thresholds),
        nodes_modes=np.where(leaf, b"LEAF", b"BRANCH_LEQ"),
        nodes_truenodeids=np.where(leaf, 0, np.concatenate([tree.left for tree in trees])),
        nodes_falsenodeids=np.where(leaf, 0, np.concatenate([tree.right for tree in trees])),
        nodes_missing_value_tracks_true=np.concatenate([tree.missing_left for tree in trees]),
        target_treeids=numbers[rows],
        target_nodeids=places[rows],
        target_ids=targets,
        target_weights=weights[rows, targets],
    )


def grid_step(largest: NDArray[np.float64]) -> float:
    """Return the step of a grid on which sums of leaves are exact in float32, in any order.

    `largest` is the largest leaf, without its sign, of each tree.
    """
    return float(2.0 ** np.ceil(np.log2(max(float(largest.sum()), 1e-30) / MANTISSA)))


def _weights_of(weights: NDArray[np.float64], leaf: NDArray[np.bool_]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the places of weights other than 0, and one of each leaf that has none: a leaf must name a target."""
    kept = weights != 0
    kept[leaf & ~kept.any(axis=1), 0] = True
    rows, targets = np.nonzero(kept)
    return rows, targets


def _round_down(thresholds: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return the largest float32 not above each threshold: a float32 is at most one exactly if at most the other."""
    rounded = thresholds.astype(np.float32)
    return np.where(rounded > thresholds, np.nextafter(rounded, np.float32(-np.inf)), rounded)
