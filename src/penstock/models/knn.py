"""The nearest rows, where features count by what trees make of them."""

import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # ships no types

from penstock.domain.datasets import Problem
from penstock.domain.search import Real, SearchSpace, Value, Whole
from penstock.errors import ModelError
from penstock.graphs import GraphBuilder
from penstock.models._base import BuildContext, Matrix, ModelFamily, Needs, Vector
from penstock.models._target import TargetScale, learn_scale

MOST_ROWS = 5_000  # above this a mean of models gained nothing from it on any set, and it took seconds a fold
MOST_CELLS = 1_000_000  # rows times features: 4 MB of graph
TRIED = (5, 10, 20, 40, 80)  # numbers of neighbours, compared by leaving one row out
COMPARED_ROWS = 500
WEIGHING_TREES = 40
TREES_AT_ONCE = 8  # grown between two looks at the clock
LEAST_SPREAD = 0.05  # of a feature: a rare indicator would count for more than all others
EXACT = 2.0**24  # whole numbers below this are float32
CHUNK = 1_000  # rows answered at once


@dataclass(slots=True)
class NearestEstimator:
    """Rows on a grid of whole numbers, so that distances are exact in float32 whoever adds them up.

    `k` None is chosen by leaving one row out; `sharp` is how fast a neighbour's weight falls with its distance, and
    `weigh` the power of a feature's importance to trees that it counts by.
    """

    context: BuildContext
    k: int | None
    sharp: float
    weigh: float
    chosen: int = 0
    factors: Matrix = field(default_factory=lambda: np.empty(0, np.float32))
    highest: float = 0.0
    rows: Matrix = field(default_factory=lambda: np.empty((0, 0), np.float32))
    answers: Matrix = field(default_factory=lambda: np.empty((0, 0), np.float32))
    shares: Matrix = field(default_factory=lambda: np.empty(0, np.float32))
    middle: Matrix = field(default_factory=lambda: np.empty(0, np.float32))
    scale: TargetScale | None = None

    def fit(
        self, x: Matrix, y: Vector, valid: tuple[Matrix, Vector] | None = None, weight: Vector | None = None
    ) -> "NearestEstimator":
        """Learn what features count, keep the rows, choose how many neighbours answer; `valid` is not used."""
        del valid
        with threadpool_limits(self.context.threads):
            self._fit(x, y, weight)
        return self

    def _fit(self, x: Matrix, y: Vector, weight: Vector | None) -> None:
        if self.context.classes:
            self.answers = np.eye(self.context.classes, dtype=np.float32)[y]
        else:
            self.scale = learn_scale(y)
            self.answers = self.scale.apply(y).astype(np.float32)[:, None]
        share = np.ones(len(x)) if weight is None else np.asarray(weight, np.float64) / np.mean(weight)
        self.shares = share.astype(np.float32)
        self.middle = (share @ self.answers / share.sum()).astype(np.float32)
        counts = self._importance(x, y, weight) / np.maximum(x.std(axis=0), LEAST_SPREAD)
        self.highest = np.floor(np.sqrt(EXACT / x.shape[1]) / 2)
        largest = float(np.abs(x * counts).max(initial=1e-6))
        self.factors = (counts * self.highest / largest).astype(np.float32)
        self.rows = self._on_grid(x)
        some = np.arange(0, len(x), max(1, len(x) // COMPARED_ROWS))
        self.chosen = self._choose(some) if self.k is None else min(self.k, len(x))
        if self.scale is not None and self.scale.logarithm:
            self.scale = self.scale.smear(self._blend(self.rows[some], self.chosen, some)[:, 0], y[some])

    def predict(self, x: Matrix) -> NDArray[np.float64]:
        """Return probabilities of shape (n, classes), or values of shape (n,)."""
        with threadpool_limits(self.context.threads):
            said = self._blend(self._on_grid(x), self.chosen)
        return said.astype(np.float64) if self.scale is None else self.scale.invert(said[:, 0])

    @property
    def parameters(self) -> int:
        """The number of figures kept of the rows."""
        return self.rows.size + self.answers.size

    def refit_parameters(self) -> dict[str, Value]:
        """Return how many neighbours answer."""
        return {"k": self.chosen}

    def _importance(self, x: Matrix, y: Vector, weight: Vector | None) -> NDArray[np.float64]:
        """Return what each feature counts, the first 1; all the same where trees find nothing."""
        kind = ExtraTreesClassifier if self.context.classes else ExtraTreesRegressor
        trees = kind(
            TREES_AT_ONCE,
            min_samples_leaf=5,
            max_features=0.5,
            n_jobs=self.context.threads,
            random_state=self.context.seed,
            warm_start=True,
        )
        goal = y if self.scale is None else self.scale.apply(y)
        for count in range(TREES_AT_ONCE, WEIGHING_TREES + 1, TREES_AT_ONCE):
            trees.set_params(n_estimators=count).fit(x, goal, weight)
            if self._late():
                break
        found = np.asarray(trees.feature_importances_, np.float64)
        if not found.max() > 0:
            return np.ones(len(found))
        counts: NDArray[np.float64] = (found / found.max()) ** self.weigh
        return counts

    def _late(self) -> bool:
        return self.context.deadline is not None and time.monotonic() > self.context.deadline

    def _on_grid(self, x: Matrix) -> Matrix:
        near: Matrix = np.clip(np.rint(x * self.factors), -self.highest, self.highest).astype(np.float32)
        return near

    def _choose(self, some: NDArray[np.intp]) -> int:
        """Return the number of neighbours whose mean is nearest to the answers of rows left out one by one."""
        tried = [k for k in TRIED if k < len(self.rows)] or [1]
        if self._late():
            return tried[len(tried) // 2]
        near, places = self._neighbours(self.rows[some], tried[-1], some)
        true, losses = self.answers[some], []
        for k in tried:
            said = self._mean(near[:, :k], places[:, :k])
            gone = np.mean((said - true) ** 2) if self.scale else -np.mean(np.log((said * true).sum(axis=1) + 1e-9))
            losses.append(float(gone))
        return tried[int(np.argmin(losses))]

    def _blend(self, given: Matrix, k: int, own: NDArray[np.intp] | None = None) -> Matrix:
        """Return the weighted mean of the answers of the k nearest rows, `own` being each row's place among them."""
        blended = [
            self._mean(*self._neighbours(given[start:][:CHUNK], k, None if own is None else own[start:][:CHUNK]))
            for start in range(0, len(given), CHUNK)
        ]
        return np.vstack(blended) if blended else np.empty((0, self.answers.shape[1]), np.float32)

    def _neighbours(self, given: Matrix, k: int, own: NDArray[np.intp] | None) -> tuple[Matrix, NDArray[np.intp]]:
        """Return how far away the nearest rows are and their places, the nearest first, of equals the first row."""
        squares = np.square(self.rows).sum(axis=1)
        away = np.square(given).sum(axis=1)[:, None] + squares - 2 * (given @ self.rows.T)
        if own is not None:
            away[np.arange(len(own)), own] = 2 * EXACT
        count = len(self.rows)
        keys = away.astype(np.float64) * count + np.arange(count)  # no two are equal: the graph takes the same rows
        kept = min(k, count)
        places = np.argpartition(keys, kept - 1, axis=1)[:, :kept]
        order = np.argsort(np.take_along_axis(keys, places, axis=1), axis=1)
        places = np.take_along_axis(places, order, axis=1)
        return np.take_along_axis(away, places, axis=1), places

    def _mean(self, near: Matrix, places: NDArray[np.intp]) -> Matrix:
        weights = np.exp(-self.sharp * near / (near[:, -1:] + 1)) * self.shares[places]
        total = weights.sum(axis=1, keepdims=True)
        mean = (weights[:, :, None] * self.answers[places]).sum(axis=1) / total
        if self.scale is not None:
            plain: Matrix = mean.astype(np.float32)
            return plain
        seen = np.square(total) / np.square(weights).sum(axis=1, keepdims=True)
        shown: Matrix = ((mean * seen + self.middle) / (seen + 1)).astype(np.float32)
        return shown

    def write(self, graph: GraphBuilder, features: str) -> str:
        """Add the nodes that do what `predict` does."""
        if not self.chosen:
            raise ModelError("The nearest rows must be fitted before they are exported.")

        def number(value: float) -> str:
            return graph.constant(np.float32(value))

        axis = graph.constant(np.array([1], np.int64))
        last = graph.constant(np.array([2], np.int64))
        near = graph.add("Round", graph.add("Mul", features, graph.constant(self.factors)))
        given = graph.add("Clip", near, number(-self.highest), number(self.highest))
        own = graph.add("ReduceSum", graph.add("Mul", given, given), axis, keepdims=1)
        squares = graph.constant(np.square(self.rows).sum(axis=1))
        twice = graph.add("MatMul", given, graph.constant(2 * self.rows.T))
        away = graph.add("Sub", graph.add("Add", own, squares), twice)
        nearest, places = graph.add_many("TopK", 2, away, graph.constant(np.array([self.chosen])), largest=0)
        bound = graph.add("Add", graph.add("ReduceMax", nearest, axis, keepdims=1), number(1))
        falls = graph.add("Exp", graph.add("Mul", graph.add("Div", nearest, bound), number(-self.sharp)))
        weights = graph.add("Mul", falls, graph.add("Gather", graph.constant(self.shares), places, axis=0))
        total = graph.add("ReduceSum", weights, axis, keepdims=1)
        answers = graph.add("Gather", graph.constant(self.answers), places, axis=0)
        each = graph.add("Mul", graph.add("Unsqueeze", weights, last), answers)
        mean = graph.add("Div", graph.add("ReduceSum", each, axis, keepdims=0), total)
        if self.scale is not None:
            return self.scale.write(graph, graph.cast(mean, "double"))
        squared = graph.add("ReduceSum", graph.add("Mul", weights, weights), axis, keepdims=1)
        seen = graph.add("Div", graph.add("Mul", total, total), squared)
        shown = graph.add("Add", graph.add("Mul", mean, seen), graph.constant(self.middle))
        return graph.add("Div", shown, graph.add("Add", seen, number(1)))


class Nearest(ModelFamily):
    """The nearest rows (Fix, Hodges 1951), features weighted by trees; it keeps the rows, and its graph holds them."""

    name = "knn"
    flavour = "dense"

    def default(self, problem: Problem, rows: int, features: int) -> dict[str, Value]:
        """Return a number of neighbours that is chosen by leaving one row out."""
        del problem, rows, features
        return {"k": None, "sharp": 1.5, "weigh": 0.5}

    def space(self, problem: Problem, rows: int, features: int) -> SearchSpace:
        """Return the number of neighbours, how their weight falls, and how much features differ."""
        del problem, features
        return {
            "k": Whole(3, max(4, min(150, rows // 10)), log=True),
            "sharp": Real(0.0, 4.0),
            "weigh": Real(0.2, 1.0),
        }

    def refusal(self, problem: Problem, rows: int, features: int) -> str | None:
        """Return why a table is too large: the graph holds every row."""
        del problem
        if rows <= MOST_ROWS and rows * features <= MOST_CELLS:
            return None
        return (
            f"it keeps every row, so that there may be at most {MOST_ROWS} rows and {MOST_CELLS} values, but there are "
            f"{rows} rows of {features} features"
        )

    def needs(self, rows: int, features: int, classes: int) -> Needs:
        """Return the time of the trees, and of comparing rows with rows, measured."""
        trees = WEIGHING_TREES * rows * (4 + features * 0.5) * 1.5e-7
        seconds = 0.1 + trees + rows * (COMPARED_ROWS + rows / 4) * (features * 3e-10 + 2e-8)
        megabytes = 30 + rows * (features * 12 + max(classes, 1) * 4 + CHUNK * 0.024) / 1e6
        return Needs(memory_mb=megabytes + rows * CHUNK * 24 / 1e6, seconds=float(seconds))

    def build(self, parameters: dict[str, Value], context: BuildContext) -> NearestEstimator:
        """Return an unfitted estimator."""
        known = {**self.default(context.problem, 0, 0), **parameters}
        k = known["k"]
        return NearestEstimator(
            context, None if k is None else int(k), float(known["sharp"] or 0), float(known["weigh"] or 0)
        )

    def in_bag(self, estimator: Any, place: int, parts: int) -> NearestEstimator | None:
        """Return the first fold's alone: the others keep hardly other rows."""
        del parts
        kept: NearestEstimator = estimator
        return kept if place == 0 else None

    def to_onnx(self, estimator: Any, features: int) -> bytes:
        """Return the graph of one matrix product with all rows, and the blend of the nearest."""
        graph = GraphBuilder()
        return graph.finish_family(features, estimator.write(graph, "features"), estimator.context.classes)
