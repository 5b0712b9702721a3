"""The fitted model: plan, estimator and calibrator as one object, and as one graph."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock.data.decoding import compile_decoding
from penstock.domain.features import FeaturePlan
from penstock.domain.models import Signature
from penstock.graphs import join
from penstock.search.model.blend import Blend
from penstock.search.model.calibration import Calibrator

CHUNK = 100_000  # rows encoded at once, so that a large table needs no second copy of itself


@dataclass(frozen=True, slots=True, eq=False)
class TrainedModel:
    """Everything from a table's columns to calibrated predictions, learnt on every training row.

    It pickles; nothing of it is compiled, and it loads its libraries only when it predicts. `estimator` is the
    candidate that was chosen, on all rows or as the bag of its fold models, or a weighted mean of several.
    """

    signature: Signature
    plan: FeaturePlan
    estimator: Blend
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
        calibration = self.calibrator.to_onnx()
        return join([self.estimator.to_onnx(), *([] if calibration is None else [calibration])])

    def _scores(self, numbers: NDArray[np.float32], texts: NDArray[Any]) -> NDArray[np.float64]:
        return self.calibrator.apply(self.estimator.predict(numbers, texts))
