"""The baseline: what a model that looks at no feature says."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock.domain.datasets import Problem
from penstock.domain.search import Choice, SearchSpace, Value
from penstock.graphs import GraphBuilder
from penstock.models._base import BuildContext, Matrix, ModelFamily, Needs, Vector


@dataclass(slots=True)
class ConstantEstimator:
    """Gives every row the classes' shares, or the target's mean or median."""

    classes: int
    centre: str = "mean"
    answer: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))

    def fit(
        self, x: Matrix, y: Vector, valid: tuple[Matrix, Vector] | None = None, weight: Vector | None = None
    ) -> "ConstantEstimator":
        """Learn shares or the middle; `valid` is not used."""
        del x, valid
        if self.classes:
            counts = np.bincount(y, weight, self.classes)
            self.answer = counts / counts.sum()
        elif self.centre == "median":
            self.answer = np.array([np.median(y)])
        else:
            self.answer = np.array([np.average(y, weights=weight)])
        return self

    def predict(self, x: Matrix) -> NDArray[np.float64]:
        """Return the same answer for each row."""
        answers: NDArray[np.float64] = np.repeat(self.answer[None, :], len(x), axis=0)
        return answers if self.classes else answers[:, 0]

    @property
    def parameters(self) -> int:
        """The number of figures learnt."""
        return len(self.answer)

    def refit_parameters(self) -> dict[str, Value]:
        """Return nothing: no figure depends on an inner split."""
        return {}


class Baseline(ModelFamily):
    """The classes' shares, or the target's mean (`centre` median where the metric is an absolute error)."""

    name = "baseline"
    flavour = "tree"

    def default(self, problem: Problem, rows: int, features: int) -> dict[str, Value]:
        """Return the mean."""
        del problem, rows, features
        return {"centre": "mean"}

    def space(self, problem: Problem, rows: int, features: int) -> SearchSpace:
        """Return mean or median for a regression."""
        del rows, features
        return {"centre": Choice(("mean", "median"))} if problem == "regression" else {}

    def needs(self, rows: int, features: int, classes: int) -> Needs:
        """Return next to nothing."""
        del rows, features, classes
        return Needs(memory_mb=1, seconds=0.01)

    def build(self, parameters: dict[str, Value], context: BuildContext) -> ConstantEstimator:
        """Return an unfitted constant."""
        return ConstantEstimator(context.classes, str(parameters.get("centre", "mean")))

    def to_onnx(self, estimator: Any, features: int) -> bytes:
        """Return a graph that gives the constant to each row."""
        graph = GraphBuilder()
        shape = graph.add("Shape", "features", start=0, end=1)
        width = len(estimator.answer)
        size = graph.add("Concat", shape, graph.constant(np.array([width], np.int64)), axis=0)
        answer = graph.constant(estimator.answer[None, :], double=not estimator.classes)
        return graph.finish_family(features, graph.add("Expand", answer, size), estimator.classes)
