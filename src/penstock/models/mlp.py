"""A small network of dense layers, with periodic features of numbers."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock.domain.datasets import Problem
from penstock.domain.search import Choice, Real, SearchSpace, Value
from penstock.errors import MissingExtra, ModelError
from penstock.graphs import GraphBuilder
from penstock.models._base import BuildContext, Matrix, ModelFamily, Needs, Vector
from penstock.models._net import NetSettings, Weights, fit_net
from penstock.models._probabilities import probabilities, write_probabilities
from penstock.models._target import TargetScale, learn_scale

WAVE_VALUES = 6  # a feature of fewer different values gets no periodic features
SAMPLE = 5_000  # rows that the values are counted in
CHUNK = 20_000  # rows predicted at once


@dataclass(slots=True)
class NetEstimator:
    """A network whose weights are kept as arrays, so that predicting and loading need no torch."""

    context: BuildContext
    values: dict[str, Value]
    weights: Weights | None = None
    wave: tuple[int, ...] = ()
    scale: TargetScale | None = None

    def fit(
        self, x: Matrix, y: Vector, valid: tuple[Matrix, Vector] | None = None, weight: Vector | None = None
    ) -> "NetEstimator":
        """Fit epoch by epoch; with `valid` the best epoch's weights are kept."""
        if not self.context.classes:
            wanted = self.values.get("log_target")
            self.scale = learn_scale(y, None if wanted is None else bool(wanted))
        frequencies = int(self.values["frequencies"] or 0)
        self.wave = _waving(x) if frequencies else ()
        inner = None if valid is None else (valid[0], self._goal(valid[1]))
        self.weights = fit_net(x, self._goal(y), inner, weight, self._settings(frequencies, len(x)))
        if self.scale is not None:
            self.scale = self.scale.smear(self._raw(x)[:, 0], y)
        return self

    def predict(self, x: Matrix) -> NDArray[np.float64]:
        """Return probabilities of shape (n, classes), or values of shape (n,)."""
        raw = self._raw(x)
        return probabilities(raw) if self.scale is None else self.scale.invert(raw[:, 0])

    @property
    def parameters(self) -> int:
        """The number of weights."""
        learnt = self._learnt()
        layers = sum(matrix.size + shift.size for matrix, shift in learnt.layers)
        return layers + learnt.frequency.size + learnt.phase.size

    def refit_parameters(self) -> dict[str, Value]:
        """Return the epochs of the schedule and the one that was best."""
        learnt = self._learnt()
        return {"epochs": learnt.epochs, "stop": learnt.stop}

    def write(self, graph: GraphBuilder, features: str) -> str:
        """Add the nodes that do what `predict` does; a regression in float64, as here."""
        learnt, exact = self._learnt(), self.scale is not None
        given = graph.cast(features, "double") if exact else features
        if self.wave:
            given = graph.concat([given, self._write_waves(graph, given, exact)])
        for place, (matrix, shift) in enumerate(learnt.layers):
            if place:
                given = graph.add("Mul", given, graph.add("Sigmoid", given))
            constants = (graph.constant(part.astype(np.float64), double=exact) for part in (matrix, shift))
            given = graph.add("Gemm", given, *constants)
        if self.scale is not None:
            return self.scale.write(graph, given)
        return write_probabilities(graph, given, learnt.layers[-1][1].size)

    def _write_waves(self, graph: GraphBuilder, features: str, exact: bool) -> str:
        learnt = self._learnt()
        chosen = graph.add("Gather", features, graph.constant(np.array(self.wave, np.int64)), axis=1)
        wide = graph.add("Unsqueeze", chosen, graph.constant(np.array([2], np.int64)))
        frequency, phase = (
            graph.constant(part.astype(np.float64), double=exact) for part in (learnt.frequency, learnt.phase)
        )
        waves = graph.add("Cos", graph.add("Add", graph.add("Mul", wide, frequency), phase))
        return graph.add("Reshape", waves, graph.constant(np.array([0, learnt.frequency.size], np.int64)))

    def _raw(self, x: Matrix) -> NDArray[np.float64]:
        parts = [self._forward(x[start : start + CHUNK]) for start in range(0, len(x), CHUNK)]
        return np.vstack(parts) if parts else np.empty((0, self._learnt().layers[-1][1].size))

    def _forward(self, x: Matrix) -> NDArray[np.float64]:
        learnt = self._learnt()
        kind = np.float32 if self.scale is None else np.float64
        given: NDArray[Any] = x.astype(kind)
        if self.wave:
            waves = np.cos(given[:, self.wave, None] * learnt.frequency.astype(kind) + learnt.phase.astype(kind))
            given = np.hstack([given, waves.reshape(len(x), -1)])
        for place, (matrix, shift) in enumerate(learnt.layers):
            if place:
                given = given / (1 + np.exp(-np.maximum(given, -80)))
            given = given @ matrix.astype(kind) + shift.astype(kind)
        return given.astype(np.float64)

    def _learnt(self) -> Weights:
        if self.weights is None:
            raise ModelError("A network must be fitted before it predicts or is exported.")
        return self.weights

    def _goal(self, y: Vector) -> Vector:
        return np.asarray(y, np.int64) if self.scale is None else self.scale.apply(y)

    def _settings(self, frequencies: int, rows: int) -> NetSettings:
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
            wave=self.wave,
            frequencies=frequencies,
            spread=float(values["spread"] or 0),
            seed=context.seed,
            threads=context.threads,
            device=context.device,
            deadline=context.deadline,
        )


class MLP(ModelFamily):
    """Two dense layers with periodic features (after Holzmueller et al. 2024, "Better by Default")."""

    name = "mlp"
    flavour = "dense"
    library = "torch"

    def default(self, problem: Problem, rows: int, features: int) -> dict[str, Value]:
        """Return a width of 256 and one rise and fall of the rate in 40 epochs."""
        del features
        values: dict[str, Value] = {"width": 256, "layers": 2, "rate": 6e-3, "decay": 0.02, "dropout": 0.1}
        values |= {"epochs": 40, "batch": 256 if rows > 2000 else 64, "frequencies": 16, "spread": 0.1}  # noqa: PLR2004
        return {**values, "log_target": None} if problem == "regression" else values

    def space(self, problem: Problem, rows: int, features: int) -> SearchSpace:
        """Return rate, decay, dropout, width and how fast the periodic features turn."""
        del problem, rows, features
        return {
            "rate": Real(1e-3, 2e-2, log=True),
            "decay": Real(1e-3, 0.3, log=True),
            "dropout": Real(0.0, 0.4),
            "width": Choice((128, 256, 384)),
            "spread": Real(0.02, 0.5, log=True),
        }

    def needs(self, rows: int, features: int, classes: int) -> Needs:
        """Return the time of 40 epochs, measured."""
        wide = features * 3
        steps = 40 * max(1, rows / 256)
        seconds = 0.3 + steps * (5e-4 + 256 * (wide * 256 + 256 * 256 + 256 * max(classes, 1)) * 6 / 4e10)
        return Needs(memory_mb=150 + rows * (features * 4 + 16) / 1e6, seconds=seconds, gains_from_gpu=rows > 20_000)  # noqa: PLR2004

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
        width = max(1, estimator.context.classes)
        return graph.finish({"features": features}, estimator.write(graph, "features"), "scores", width)


def _waving(x: Matrix) -> tuple[int, ...]:
    sample = x[:: max(1, len(x) // SAMPLE)]
    return tuple(place for place in range(x.shape[1]) if len(np.unique(sample[:, place])) >= WAVE_VALUES)
