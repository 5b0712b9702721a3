"""Forests: extremely randomised trees, or trees of the best splits of drawn rows."""

import copy
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor, RandomForestClassifier, RandomForestRegressor

from penstock.domain.datasets import Problem
from penstock.domain.search import Choice, Real, SearchSpace, Value, Whole
from penstock.errors import ModelError
from penstock.graphs import GraphBuilder
from penstock.models._base import BuildContext, Matrix, ModelFamily, Needs, Vector
from penstock.models._trees import Tree, grid_step, write_trees

EXTRA_TREES = (ExtraTreesClassifier, ExtraTreesRegressor)
RANDOM_FORESTS = (RandomForestClassifier, RandomForestRegressor)
FIRST_TREES = 4  # grown before the time of one is known
TREES = 100
# Rows times trees for each row that a leaf must hold: 10 to 20 MB of graph; deeper trees gain little on so many rows.
# A class is often pure before, a number never.
ROWS_A_LEAF = {"binary": 1_200_000, "multiclass": 1_200_000, "regression": 300_000}


@dataclass(slots=True)
class ForestEstimator:
    """Trees grown in batches until their number or the deadline is reached.

    `best_splits` grows each tree on rows drawn anew, by the best split of the features at hand and not by a random one.
    """

    context: BuildContext
    trees: int
    leaf_rows: int
    share: float
    best_splits: bool = False
    forest: Any = None

    def fit(
        self, x: Matrix, y: Vector, valid: tuple[Matrix, Vector] | None = None, weight: Vector | None = None
    ) -> "ForestEstimator":
        """Grow trees; `valid` is not used: more trees never do harm."""
        del valid
        kinds = RANDOM_FORESTS if self.best_splits else EXTRA_TREES
        kind = kinds[0 if self.context.classes else 1]
        self.forest = kind(
            n_estimators=min(FIRST_TREES, self.trees),
            min_samples_leaf=self.leaf_rows,
            max_features=self.share,
            n_jobs=self.context.threads,
            random_state=self.context.seed,
            warm_start=True,
        )
        began = time.monotonic()
        self.forest.fit(x, y, weight)
        while len(self.forest.estimators_) < self.trees:
            more = self._affordable((time.monotonic() - began) / len(self.forest.estimators_))
            if more < 1:
                break
            self.forest.set_params(n_estimators=len(self.forest.estimators_) + more)
            self.forest.fit(x, y, weight)
        if not self.context.classes:
            self._round_leaves()
        return self

    def predict(self, x: Matrix) -> NDArray[np.float64]:
        """Return probabilities of shape (n, classes), or values of shape (n,)."""
        if not self.context.classes:
            return np.asarray(self.forest.predict(x), np.float64)
        shares = np.zeros((len(x), self.context.classes))
        shares[:, self.forest.classes_] = self.forest.predict_proba(x)
        return shares

    @property
    def parameters(self) -> int:
        """The number of splits and leaves."""
        return int(sum(tree.tree_.node_count for tree in self.forest.estimators_))

    def refit_parameters(self) -> dict[str, Value]:
        """Return nothing: trees do not depend on an inner split."""
        return {}

    def _round_leaves(self) -> None:
        """Put a regression's leaves on a grid, so that float32 sums of them are exact."""
        grown = [tree.tree_.value for tree in self.forest.estimators_]
        step = grid_step(np.array([np.abs(values).max() for values in grown]))
        for values in grown:
            values[:] = np.round(values / step) * step

    def tables(self) -> list[Tree]:
        """Return the trees as tables: a classifier's sum is its answer, a regression's is that times its trees."""
        if self.forest is None:
            raise ModelError("A forest must be fitted before it is exported.")
        grown = self.forest.estimators_
        return [self._table(tree.tree_, len(grown)) for tree in grown]

    def _table(self, tree: Any, count: int) -> Tree:
        values = tree.value[:, 0, :]
        if self.context.classes:
            values = np.zeros((len(values), self.context.classes))
            values[:, self.forest.classes_] = tree.value[:, 0, :] / count
        nodes = tree.__getstate__()["nodes"]
        missing = nodes["missing_go_to_left"].astype(bool)
        return Tree(tree.feature, tree.threshold, tree.children_left, tree.children_right, missing, values)

    def _affordable(self, seconds: float) -> int:
        """Return how many trees the next batch grows: those left, or about half of those there is time for."""
        left = self.trees - len(self.forest.estimators_)
        if self.context.deadline is None:
            return left
        remaining = self.context.deadline - time.monotonic()
        fitting = int(remaining / max(seconds, 1e-6))
        return left if fitting > 2 * left else min(left, (fitting + 1) // 2)


class Forest(ModelFamily):
    """Extremely randomised trees (Geurts, Ernst, Wehenkel 2006), or a random forest (Breiman 2001)."""

    name = "forest"
    flavour = "tree"

    def default(self, problem: Problem, rows: int, features: int) -> dict[str, Value]:
        """Return 100 trees, drawn as in a random forest for a binary problem; leaves as small as the graph allows."""
        del features
        best = problem == "binary"
        own: dict[str, Value] = {"best_splits": best, "share": 0.3 if best else 0.6}
        return {"trees": TREES, "leaf_rows": _smallest(problem, rows), **own}

    def portfolio(self, problem: Problem, rows: int, features: int) -> tuple[dict[str, Value], ...]:
        """Return the other kind of forest, which is wrong elsewhere."""
        del rows, features
        best = problem != "binary"
        return ({"best_splits": best, "share": 0.3 if best else 0.6},)

    def space(self, problem: Problem, rows: int, features: int) -> SearchSpace:
        """Return the size of leaves, the share of features that a split chooses from, and how it is chosen."""
        del features
        least = max(1, _least(problem, rows))
        return {
            "trees": Choice((TREES,)),
            "leaf_rows": Whole(least, max(20, 2 * least), log=True),
            "share": Real(0.2, 1.0),
            "best_splits": Choice((False, True)),
        }

    def needs(self, rows: int, features: int, classes: int) -> Needs:
        """Return the time of 100 trees, which grows with rows, depth and the features tried at a split, measured."""
        depth = np.log2(max(rows, 2))
        seconds = 0.1 + TREES * rows * depth * (2 + features * 0.6) * 6e-9 * (1 + classes / 50)
        nodes = TREES * rows / 2
        return Needs(memory_mb=20 + nodes * (64 + 8 * max(classes, 1)) / 1e6, seconds=float(seconds))

    def build(self, parameters: dict[str, Value], context: BuildContext) -> ForestEstimator:
        """Return an unfitted forest."""
        trees, leaf_rows = int(parameters["trees"] or TREES), int(parameters["leaf_rows"] or 1)
        best = bool(parameters.get("best_splits"))
        return ForestEstimator(context, trees, leaf_rows, float(parameters["share"] or 1.0), best)

    def in_bag(self, estimator: Any, place: int, parts: int) -> ForestEstimator:
        """Return the first of its trees, so that a bag has as many as one forest."""
        del place
        kept: ForestEstimator = copy.copy(estimator)
        kept.forest = copy.copy(estimator.forest)
        kept.forest.estimators_ = estimator.forest.estimators_[: max(1, len(estimator.forest.estimators_) // parts)]
        kept.forest.n_estimators = len(kept.forest.estimators_)
        return kept

    def to_onnx(self, estimator: Any, features: int) -> bytes:
        """Return a graph of one node that walks all trees."""
        graph = GraphBuilder()
        classes, trees = estimator.context.classes, estimator.tables()
        scores = write_trees(graph, "features", trees, np.zeros(max(1, classes)))
        if not classes:
            count = graph.constant(float(len(trees)), double=True)
            scores = graph.add("Div", graph.cast(scores, "double"), count)
        return graph.finish_family(features, scores, classes)


def _smallest(problem: Problem, rows: int) -> int:
    """Return the rows of a leaf that did best untuned; shares of fewer are too sure of themselves."""
    return max({"binary": 15, "multiclass": 1, "regression": 2}[problem], _least(problem, rows))


def _least(problem: Problem, rows: int) -> int:
    return rows * TREES // ROWS_A_LEAF[problem]
