"""A small network of dense layers, on features and on their bends."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from penstock.domain.datasets import Problem
from penstock.domain.search import Choice, Real, SearchSpace, Value
from penstock.errors import MissingExtra, ModelError
from penstock.graphs import GraphBuilder
from penstock.models._base import BuildContext, Matrix, ModelFamily, Needs, Vector
from penstock.models._bends import Bends, learn_bends
from penstock.models._net import NetSettings, Weights, fit_net
from penstock.models._probabilities import probabilities, write_probabilities
from penstock.models._target import SMEARED, TargetScale, learn_scale

CHUNK = 20_000  # rows predicted at once
BATCHES = ((4_000, 64), (10_000, 128))  # below so many rows batches are so small, or there would be too few steps
LARGEST_BATCH = 256
BENDS, MANY_CLASSES = 8, 7  # from so many classes on networks do better on numbers as they are
GPU_ROWS = 5_000  # above this a GPU's batches are worth the way there
BENDING = 12  # features that bend, of a usual table; the rest are indicators
STEP_SECONDS = 7e-4  # of a step, whatever its size (one core of 2024)
OPERATIONS = 1e11  # a second


@dataclass(slots=True)
class NetEstimator:
    """A network whose weights are kept as arrays, so that predicting and loading need no torch."""

    context: BuildContext
    values: dict[str, Value]
    weights: Weights | None = None
    pieces: Bends | None = None
    scale: TargetScale | None = None

    def fit(
        self, x: Matrix, y: Vector, valid: tuple[Matrix, Vector] | None = None, weight: Vector | None = None
    ) -> "NetEstimator":
        """Fit epoch by epoch; with `valid` the best epoch's weights are kept."""
        if not self.context.classes:
            wanted = self.values.get("log_target")
            self.scale = learn_scale(y, None if wanted is None else bool(wanted))
        said = self.values["bends"]
        bends = (0 if self.context.classes >= MANY_CLASSES else BENDS) if said is None else int(said)
        self.pieces = learn_bends(x, bends)
        inner = None if valid is None else (self.pieces.apply(valid[0]), self._goal(valid[1]))
        self.weights = fit_net(self.pieces.apply(x), self._goal(y), inner, weight, self._settings(len(x)))
        if self.scale is not None and self.scale.logarithm:
            some = slice(None, None, max(1, len(x) // SMEARED))
            self.scale = self.scale.smear(self._raw(x[some])[:, 0], y[some])
        return self

    def predict(self, x: Matrix) -> NDArray[np.float64]:
        """Return probabilities of shape (n, classes), or values of shape (n,)."""
        raw = self._raw(x)
        return probabilities(raw) if self.scale is None else self.scale.invert(raw[:, 0])

    @property
    def parameters(self) -> int:
        """The number of weights."""
        learnt = self._learnt()
        return sum(matrix.size + shift.size for matrix, shift in learnt.layers)

    def refit_parameters(self) -> dict[str, Value]:
        """Return the epochs of the schedule and the one that was best."""
        learnt = self._learnt()
        return {"epochs": learnt.epochs, "stop": learnt.stop}

    def write(self, graph: GraphBuilder, features: str) -> str:
        """Add the nodes that do what `predict` does; a regression in float64, as here."""
        learnt, exact = self._learnt(), self.scale is not None
        shown = self._bent().write(graph, features)
        given = graph.cast(shown, "double") if exact else shown
        before = ""
        for place, (matrix, shift) in enumerate(learnt.layers):
            if place:
                bent = graph.add("Mul", given, graph.add("Sigmoid", given))
                before = graph.add("Add", bent, before) if before and self._adds() else bent
                given = before
            constants = (graph.constant(part.astype(np.float64), double=exact) for part in (matrix, shift))
            given = graph.add("Gemm", given, *constants)
        if self.scale is not None:
            return self.scale.write(graph, given)
        return write_probabilities(graph, given, learnt.layers[-1][1].size)

    def _raw(self, x: Matrix) -> NDArray[np.float64]:
        parts = [self._forward(x[start : start + CHUNK]) for start in range(0, len(x), CHUNK)]
        return np.vstack(parts) if parts else np.empty((0, self._learnt().layers[-1][1].size))

    def _forward(self, x: Matrix) -> NDArray[np.float64]:
        learnt = self._learnt()
        kind = np.float32 if self.scale is None else np.float64
        given: NDArray[Any] = self._bent().apply(x).astype(kind)
        before: NDArray[Any] | None = None
        for place, (matrix, shift) in enumerate(learnt.layers):
            if place:
                bent = given / (1 + np.exp(-np.maximum(given, -80)))
                before = bent if before is None or not self._adds() else bent + before
                given = before
            given = given @ matrix.astype(kind) + shift.astype(kind)
        return given.astype(np.float64)

    def _adds(self) -> bool:
        return bool(self.values.get("residual"))

    def _bent(self) -> Bends:
        if self.pieces is None:
            raise ModelError("A network must be fitted before it predicts or is exported.")
        return self.pieces

    def _learnt(self) -> Weights:
        if self.weights is None:
            raise ModelError("A network must be fitted before it predicts or is exported.")
        return self.weights

    def _goal(self, y: Vector) -> Vector:
        return np.asarray(y, np.int64) if self.scale is None else self.scale.apply(y)

    def _settings(self, rows: int) -> NetSettings:
        values, context = self.values, self.context
        epochs = int(values["epochs"] or 1)
        return NetSettings(
            outputs=context.classes if context.classes > 2 else 1,  # noqa: PLR2004 - one raw score is a binary one
            width=int(values["width"] or 1),
            layers=int(values["layers"] or 1),
            rate=float(values["rate"] or 0),
            decay=float(values["decay"] or 0),
            dropout=float(values["dropout"] or 0),
            epochs=epochs,
            stop=int(values.get("stop") or epochs),
            batch=min(int(values["batch"] or 1), max(1, rows)),
            seed=context.seed,
            threads=context.threads,
            device=context.device,
            deadline=context.deadline,
            residual=self._adds(),
        )


class MLP(ModelFamily):
    """Two dense layers on features and their bends (after Holzmueller et al. 2024, "Better by Default")."""

    name = "mlp"
    flavour = "dense"
    library = "torch"
    bags = True
    brief: ClassVar[dict[str, Value]] = {"epochs": 1}

    def default(self, problem: Problem, rows: int, features: int) -> dict[str, Value]:
        """Return what did best untuned on the project's data sets; a binary problem overfits first."""
        del features
        common: dict[str, Value] = {"width": 256, "bends": None, "residual": False}
        common["batch"] = next((size for most, size in BATCHES if rows < most), LARGEST_BATCH)
        if problem == "binary":
            return {**common, "layers": 2, "rate": 3e-3, "decay": 0.05, "dropout": 0.25, "epochs": 12}
        if problem == "multiclass":
            return {**common, "layers": 2, "rate": 6e-3, "decay": 0.02, "dropout": 0.25, "epochs": 25}
        own: dict[str, Value] = {"layers": 3, "rate": 6e-3, "decay": 0.02, "dropout": 0.0, "epochs": 25}
        return {**common, **own, "log_target": None}

    def portfolio(self, problem: Problem, rows: int, features: int) -> tuple[dict[str, Value], ...]:
        """Return a network without bends, for more classes one that learns longer, for numbers a deeper residual one.

        They are wrong elsewhere than the default, which a mean of several gains from.
        """
        del rows, features
        plain: dict[str, Value] = {"bends": 0, "decay": 0.03}
        if problem == "multiclass":
            return ({"bends": 0, "epochs": 40}, {"bends": BENDS, "decay": 0.03})
        return (plain, {"layers": 4, "residual": True}) if problem == "regression" else (plain,)

    def space(self, problem: Problem, rows: int, features: int) -> SearchSpace:
        """Return epochs, rate, decay, dropout, the number of bends, and the shape: depth, width, residual or not."""
        del problem, rows, features
        return {
            "epochs": Choice((12, 25, 40)),
            "rate": Real(1e-3, 2e-2, log=True),
            "decay": Real(1e-3, 0.3, log=True),
            "dropout": Real(0.0, 0.4),
            "width": Choice((128, 256, 384)),
            "layers": Choice((1, 2, 3, 4)),
            "residual": Choice((False, True)),
            "bends": Choice((None, 0, 8, 16, 32)),
        }

    def needs(self, rows: int, features: int, classes: int) -> Needs:
        """Return the time of the default's steps: their overhead and six operations a weight and row, measured."""
        problem: Problem = "regression" if classes == 0 else "binary" if classes == 2 else "multiclass"  # noqa: PLR2004
        values = self.default(problem, rows, features)
        given = features + 8 * min(features, BENDING)
        weights = given * 256 + int(values["layers"] or 1) * 256 * 256 + 256 * max(classes, 1)
        batch = int(values["batch"] or 1)
        steps = int(values["epochs"] or 1) * max(1.0, rows / batch)
        seconds = 0.3 + steps * (STEP_SECONDS + batch * weights * 6 / OPERATIONS)
        megabytes = 140 + rows * (given * 4 + 16) / 1e6 + weights * 24 / 1e6
        return Needs(memory_mb=megabytes, seconds=seconds, gains_from_gpu=rows > GPU_ROWS)

    def build(self, parameters: dict[str, Value], context: BuildContext) -> NetEstimator:
        """Return an unfitted network.

        Raises
        ------
        MissingExtra
            If torch is not installed.
        """
        try:
            import torch
        except ImportError as missing:
            raise MissingExtra("The family mlp needs the package torch, which is not installed.") from missing
        if context.device != "cpu" and not torch.cuda.is_available():
            raise ModelError(f"The device {context.device!r} must be there, but torch sees no GPU. Use 'cpu'.")
        return NetEstimator(context, {**self.default(context.problem, 10_000, 1), **parameters})

    def to_onnx(self, estimator: Any, features: int) -> bytes:
        """Return the graph of the waves, the layers and the answer."""
        graph = GraphBuilder()
        return graph.finish_family(features, estimator.write(graph, "features"), estimator.context.classes)
