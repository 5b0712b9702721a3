"""The fitted model: plan, pipeline, estimator and calibrator as one object, and as one graph."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock.data.decoding import compile_decoding
from penstock.domain.features import FeaturePlan
from penstock.domain.models import Signature
from penstock.features.graph import compose, features_to_onnx
from penstock.features.pipeline import Pipeline
from penstock.models._base import Estimator, ModelFamily
from penstock.search.calibration import Calibrator

CHUNK = 100_000  # rows encoded at once, so that a large table needs no second copy of itself


@dataclass(frozen=True, slots=True, eq=False)
class TrainedModel:
    """Everything from a table's columns to calibrated predictions, learnt on every training row.

    It pickles; nothing of it is compiled, and it loads its library only when it predicts.
    """

    signature: Signature
    plan: FeaturePlan
    pipeline: Pipeline
    family: ModelFamily
    estimator: Estimator
    calibrator: Calibrator

    def predict(self, frame: Mapping[str, Any]) -> NDArray[np.float64]:
        """Return predictions of a table.

        Parameters
        ----------
        frame
            A data frame, or arrays by column name, in canonical types; columns that are not required may be absent.

        Returns
        -------
        ndarray of float64
            Calibrated probabilities in the order of `signature.classes`, shape (n_rows, n_classes), or values of
            shape (n_rows,).
        """
        numbers, texts = compile_decoding(self.signature.decoding).columns(frame)
        starts = range(0, max(1, len(numbers)), CHUNK)
        parts = [self._scores(numbers[start : start + CHUNK], texts[start : start + CHUNK]) for start in starts]
        return np.concatenate(parts)

    def to_onnx(self) -> bytes:
        """Return the graph from decoded arrays to calibrated scores: inputs `numbers` and `texts`, output `scores`.

        Raises
        ------
        ModelError
            If the family cannot be exported.
        """
        model = self.family.to_onnx(self.estimator, len(self.pipeline.features))
        return compose(features_to_onnx(self.pipeline), model, self.calibrator.to_onnx())

    def _scores(self, numbers: NDArray[np.float32], texts: NDArray[Any]) -> NDArray[np.float64]:
        raw = np.asarray(self.estimator.predict(self.pipeline.transform(numbers, texts)), dtype=np.float64)
        return self.calibrator.apply(raw)
