"""From a fitted blend to a model: calibration, threshold and interval, learnt on its out-of-fold predictions."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock.domain.models import Signature
from penstock.search.encoding import TrainingRows
from penstock.search.fitting import TrainedModel
from penstock.search.model import calibration
from penstock.search.model.blend import Blend
from penstock.search.model.widths import learn_widths


@dataclass(frozen=True, slots=True)
class Aim:
    """What a model is chosen by: a metric of `evaluation.metrics`, and what a row of class i called j costs."""

    metric: str
    costs: NDArray[Any] | None = None


def finish(
    blend: Blend, raw: NDArray[np.float64], rows: TrainingRows, about: Signature, aim: Aim
) -> tuple[TrainedModel, NDArray[np.float64]]:
    """Learn on out-of-fold predictions what turns a blend's raw predictions into answers.

    Parameters
    ----------
    blend
        Fitted on all rows, or bags of fold models.
    raw
        Its out-of-fold predictions, shape (n_rows, n_classes) or (n_rows,); rows without one are NaN.
    rows
        What was learnt from; `raw` is in their order.
    about
        The signature without what is learnt here.
    aim
        Decides the threshold of two classes.

    Returns
    -------
    model : TrainedModel
    calibrated : the out-of-fold predictions after calibration, of the shape of `raw`
    """
    calibrator = calibration.calibrate(raw, rows.target, rows.fold, rows.classes)
    calibrated = calibrator.apply(raw)
    signature = signature_with(about, calibrated, rows.target, aim)
    if about.problem == "regression":
        widths, said = learn_widths(calibrated, rows.target, rows.numbers, rows.fold)
        signature, calibrator = replace(signature, widths=widths), replace(calibrator, reason=said)
    return TrainedModel(signature, rows.plan, blend, calibrator), calibrated


def signature_with(about: Signature, calibrated: NDArray[np.float64], target: NDArray[Any], aim: Aim) -> Signature:
    """Return a signature with the threshold, the costs or the interval that suit calibrated predictions."""
    if about.problem == "regression":
        width = calibration.half_width(calibrated, target)
        return replace(about, half_width=width, never_negative=bool((target >= 0).all()))
    if about.problem == "binary":
        return replace(about, positive=1, threshold=calibration.threshold(aim.metric, calibrated, target, aim.costs))
    if aim.costs is None:
        return about
    return replace(about, costs=tuple(tuple(float(cost) for cost in row) for row in aim.costs))
