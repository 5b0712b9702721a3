"""Linear models: logistic and ridge regression, on features, on their bends and on products of two."""

import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # ships no types

from penstock.domain.datasets import Problem
from penstock.domain.search import Choice, Real, SearchSpace, Value
from penstock.errors import ModelError
from penstock.graphs import GraphBuilder
from penstock.models._base import BuildContext, Matrix, ModelFamily, Needs, Vector
from penstock.models._bends import Bends, learn_bends
from penstock.models._crosses import SAMPLE, Crosses, choose_crosses, no_crosses
from penstock.models._probabilities import probabilities, write_probabilities
from penstock.models._target import SMEARED, TargetScale, learn_scale

STRENGTHS = (0.03, 0.3, 3.0)  # tried in this order on an inner split when no `c` is given, each from the last
PLAIN = 1.0  # the strength without an inner split
FEW_ROWS = 5_000  # below this fewer products do better
STEPS = 100  # of L-BFGS; more change the fourth digit of the log loss at most


@dataclass(slots=True)
class LinearEstimator:
    """Weights of features, of their bends and of products of two.

    `c` is how little weights are shrunk, None to choose on an inner split; `crosses` is the number of products.
    """

    context: BuildContext
    c: float | None
    bends: int
    crosses: int = 0
    pieces: Bends | None = None
    products: Crosses = field(default_factory=no_crosses)
    weights: NDArray[np.float64] = field(default_factory=lambda: np.empty((0, 0)))
    intercepts: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    scale: TargetScale | None = None
    chosen: float = PLAIN

    def fit(
        self, x: Matrix, y: Vector, valid: tuple[Matrix, Vector] | None = None, weight: Vector | None = None
    ) -> "LinearEstimator":
        """Fit for each strength, from strong shrinking to weak, and keep what does best on `valid`.

        Weights are not stopped early, so that those rows are learnt from too, once they have chosen.
        """
        with threadpool_limits(self.context.threads):
            self._fit(x, y, valid, weight)
            if valid is not None and self.c is None and weight is None and not self._late():
                self.c = self.chosen
                self._fit(np.vstack([x, valid[0]]), np.concatenate([y, valid[1]]), None, None)
        return self

    def _fit(self, x: Matrix, y: Vector, valid: tuple[Matrix, Vector] | None, weight: Vector | None) -> None:
        self.pieces = learn_bends(x, self.bends)
        goal = self._goal(y)
        share = np.ones(len(x)) / len(x) if weight is None else np.asarray(weight, np.float64) / np.sum(weight)
        shown = self._cross(x, self.pieces, goal, share)
        best = np.inf
        strengths = STRENGTHS if self.c is None and valid is not None else (PLAIN if self.c is None else self.c,)
        self.weights, self.intercepts = _start(goal, share, shown.shape[1], self.context.classes)
        for strength in strengths:
            found = self._solve(shown, goal, share, strength)
            loss = self._loss(valid, found) if len(strengths) > 1 and valid is not None else -1.0
            if loss >= best:
                break
            best, self.chosen = loss, strength
            self.weights, self.intercepts = found
            if self._late():
                break
        if self.scale is not None and self.scale.logarithm:
            some = slice(None, None, max(1, len(x) // SMEARED))
            self.scale = self.scale.smear(self._raw(x[some])[:, 0], y[some])

    def _cross(self, x: Matrix, pieces: Bends, goal: NDArray[np.float64], share: NDArray[np.float64]) -> Matrix:
        """Choose products by what a model without them leaves; return features, pieces and products."""
        shown = pieces.apply(x)
        self.products = no_crosses()
        if not self.crosses:
            return shown
        self.weights, self.intercepts = _start(goal, share, shown.shape[1], self.context.classes)
        weights, intercepts = self._solve(shown, goal, share, PLAIN)
        some = slice(None, None, max(1, len(x) // SAMPLE))
        raw = shown[some].astype(np.float64) @ weights + intercepts
        said = raw if self.scale is not None else probabilities(raw)[:, -goal.shape[1] :]
        source = np.concatenate([np.arange(x.shape[1]), pieces.feature])
        self.products = choose_crosses(shown[some], goal[some] - said, source, self.crosses)
        return self.products.apply(shown)

    def predict(self, x: Matrix) -> NDArray[np.float64]:
        """Return probabilities of shape (n, classes), or values of shape (n,)."""
        raw = self._raw(x)
        if self.scale is not None:
            return self.scale.invert(raw[:, 0])
        return probabilities(raw)

    @property
    def parameters(self) -> int:
        """The number of weights and intercepts."""
        return self.weights.size + self.intercepts.size

    def refit_parameters(self) -> dict[str, Value]:
        """Return the strength that was chosen."""
        return {"c": self.chosen}

    def write(self, graph: GraphBuilder, features: str) -> str:
        """Add the nodes that do what `predict` does."""
        if self.pieces is None:
            raise ModelError("A linear model must be fitted before it is exported.")
        shown = self.products.write(graph, self.pieces.write(graph, features))
        exact = self.scale is not None
        given = graph.cast(shown, "double") if exact else shown
        weights, intercepts = (graph.constant(part, double=exact) for part in (self.weights, self.intercepts))
        raw = graph.add("Gemm", given, weights, intercepts)
        if self.scale is not None:
            return self.scale.write(graph, raw)
        return write_probabilities(graph, raw, self.weights.shape[1])

    def _goal(self, y: Vector) -> NDArray[np.float64]:
        classes = self.context.classes
        if classes:
            return np.asarray(np.asarray(y)[:, None] == np.arange(classes), np.float64)
        self.scale = learn_scale(y)
        return self.scale.apply(y)[:, None]

    def _solve(
        self, x: Matrix, goal: NDArray[np.float64], share: NDArray[np.float64], strength: float
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        shrink = 1.0 / (strength * len(x))
        if self.context.classes == 0:
            return _ridge(x, goal, share, shrink)
        return self._descend(x, goal, share, shrink)

    def _descend(
        self, x: Matrix, goal: NDArray[np.float64], share: NDArray[np.float64], shrink: float
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Minimise the mean log loss with a squared penalty; stops at the deadline."""
        outputs, width = self.weights.shape[1], self.weights.shape[0]
        aims = goal[:, 1:] if outputs == 1 else goal

        def loss(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
            weights = flat.reshape(width + 1, outputs)
            raw = (x @ weights[:width].astype(np.float32)).astype(np.float64) + weights[width]
            shares = probabilities(raw)
            seen = np.einsum("ij,ij->i", shares, goal)
            off = (shares[:, 1:] if outputs == 1 else shares) - aims
            off *= share[:, None]
            slope = np.vstack([x.T @ off.astype(np.float32), off.sum(axis=0)]).astype(np.float64)
            slope[:width] += shrink * weights[:width]
            value = -share @ np.log(np.maximum(seen, 1e-15)) + shrink / 2 * np.sum(weights[:width] ** 2)
            return float(value), slope.ravel()

        def check(_: object) -> None:
            if self._late():
                raise StopIteration

        start = np.vstack([self.weights, self.intercepts]).ravel()
        options = {"maxiter": STEPS, "gtol": 1e-5, "ftol": 1e-7, "maxcor": 10}
        found = minimize(loss, start, jac=True, method="L-BFGS-B", callback=check, options=options).x
        weights = found.reshape(width + 1, outputs)
        return weights[:width], weights[width]

    def _loss(self, valid: tuple[Matrix, Vector], found: tuple[NDArray[np.float64], NDArray[np.float64]]) -> float:
        x, y = valid
        if self.pieces is None:
            return np.inf
        raw = self.products.apply(self.pieces.apply(x)).astype(np.float64) @ found[0] + found[1]
        if self.scale is not None:
            return float(np.mean((raw[:, 0] - self.scale.apply(y)) ** 2))
        return float(-np.mean(np.log(np.maximum(probabilities(raw)[np.arange(len(y)), y], 1e-15))))

    def _raw(self, x: Matrix) -> NDArray[np.float64]:
        if self.pieces is None:
            raise ModelError("A linear model must be fitted before it predicts.")
        shown = self.products.apply(self.pieces.apply(x))
        raw: NDArray[np.float64] = shown.astype(np.float64) @ self.weights + self.intercepts
        return raw

    def _late(self) -> bool:
        return self.context.deadline is not None and time.monotonic() > self.context.deadline


class Linear(ModelFamily):
    """Logistic and ridge regression; numbers may bend at their quantiles, and features be multiplied."""

    name = "linear"
    flavour = "dense"
    stops_early = True

    def default(self, problem: Problem, rows: int, features: int) -> dict[str, Value]:
        """Return eight bends a number; products for a regression, where they seldom do harm."""
        del features
        return {"c": None, "bends": 8, "crosses": _crosses(rows) if problem == "regression" else 0}

    def portfolio(self, problem: Problem, rows: int, features: int) -> tuple[dict[str, Value], ...]:
        """Return it with products where the default has none, and without where it has."""
        del features
        return ({"crosses": {"regression": 0, "binary": 64, "multiclass": _crosses(rows)}[problem]},)

    def space(self, problem: Problem, rows: int, features: int) -> SearchSpace:
        """Return the strength, and the numbers of bends and of products."""
        del problem, rows, features
        return {
            "c": Real(0.003, 100.0, log=True),
            "bends": Choice((0, 4, 8, 16)),
            "crosses": Choice((0, 64, 200)),
        }

    def needs(self, rows: int, features: int, classes: int) -> Needs:
        """Return what four strengths take: two products of rows by features and classes a step, measured."""
        wide = features * 3 + 64  # bends of the numbers among them, and products
        outputs = 0.3 if classes == 0 else max(1, classes if classes > 2 else 1)  # noqa: PLR2004 - ridge takes no steps
        seconds = 0.05 + rows * wide * outputs * 1.3e-9 * STEPS
        return Needs(memory_mb=20 + rows * (wide * 8 + max(classes, 1) * 64) / 1e6, seconds=seconds)

    def build(self, parameters: dict[str, Value], context: BuildContext) -> LinearEstimator:
        """Return an unfitted linear model."""
        c, bends, crosses = (parameters.get(name) for name in ("c", "bends", "crosses"))
        return LinearEstimator(context, None if c is None else float(c), int(bends or 0), int(crosses or 0))

    def to_onnx(self, estimator: Any, features: int) -> bytes:
        """Return the graph of one matrix product after the bends."""
        graph = GraphBuilder()
        return graph.finish_family(features, estimator.write(graph, "features"), estimator.context.classes)


def _crosses(rows: int) -> int:
    return 64 if rows < FEW_ROWS else 200


def _start(
    goal: NDArray[np.float64], share: NDArray[np.float64], width: int, classes: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return weights of nothing and intercepts that give the mean."""
    mean = share @ goal
    if classes == 0:
        return np.zeros((width, 1)), mean
    logs = np.log(np.maximum(mean, 1e-6))
    if classes == 2:  # noqa: PLR2004 - one raw column says all of a binary problem
        return np.zeros((width, 1)), logs[1:] - logs[:1]
    return np.zeros((width, classes)), logs


def _ridge(
    x: Matrix, goal: NDArray[np.float64], share: NDArray[np.float64], shrink: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    middle, aim = share @ x, share @ goal
    centred = x - middle.astype(np.float32)
    gram = (centred * share[:, None].astype(np.float32)).T @ centred
    gram = gram.astype(np.float64) + max(shrink, 1e-7) * np.eye(len(gram))
    slope = ((goal - aim) * share[:, None]).astype(np.float32).T @ centred
    weights: NDArray[np.float64] = np.asarray(np.linalg.solve(gram, slope.astype(np.float64).T), np.float64)
    return weights, aim - middle @ weights
