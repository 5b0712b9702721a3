"""One model of several: members with their weights, each the mean of its parts, as one object and one graph."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock.features.graph import features_to_onnx
from penstock.features.pipeline import Pipeline
from penstock.graphs import Branch, mix
from penstock.models._base import Estimator, ModelFamily


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """An estimator with the pipeline whose features it was fitted on; parts may share a pipeline."""

    pipeline: Pipeline
    estimator: Estimator


@dataclass(frozen=True, slots=True, eq=False)
class Member:
    """A candidate: one part fitted on all rows, or the bag of its fold models."""

    family: ModelFamily
    weight: float
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Blend:
    """The weighted mean of members, before calibration; weights sum to 1."""

    members: tuple[Member, ...]

    def predict(self, numbers: NDArray[np.float32], texts: NDArray[Any]) -> NDArray[np.float64]:
        """Return raw predictions of decoded rows, shape (n_rows, n_classes) or (n_rows,)."""
        encoded: dict[int, NDArray[np.float32]] = {}
        total: NDArray[np.float64] | None = None
        for weight, _, part in self._shares():
            key = id(part.pipeline)
            if key not in encoded:
                encoded[key] = part.pipeline.transform(numbers, texts)
            said = weight * np.asarray(part.estimator.predict(encoded[key]), np.float64)
            total = said if total is None else total + said
        if total is None:
            raise ValueError("A blend must have at least one member, but has none.")
        return total

    @property
    def parameters(self) -> int:
        """The number of fitted parameters of all parts."""
        return sum(int(part.estimator.parameters) for _, _, part in self._shares())

    def to_onnx(self) -> bytes:
        """Return the graph from decoded arrays to raw scores: inputs `numbers` and `texts`, output `scores`.

        Raises
        ------
        ModelError
            If a family cannot be exported.
        """
        stems: dict[int, bytes] = {}
        branches = []
        for weight, family, part in self._shares():
            key = id(part.pipeline)
            if key not in stems:
                stems[key] = features_to_onnx(part.pipeline)
            graph = family.to_onnx(part.estimator, len(part.pipeline.features))
            branches.append(Branch(list(stems).index(key), graph, weight))
        return mix(list(stems.values()), branches)

    def _shares(self) -> list[tuple[float, ModelFamily, Part]]:
        """Return each part's weight in the whole, its family and itself."""
        return [
            (member.weight / len(member.parts), member.family, part) for member in self.members for part in member.parts
        ]
