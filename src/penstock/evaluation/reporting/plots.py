"""The charts of a version: for its report, and as files for MLflow."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from penstock.domain.evaluation import Evaluation, Explanation
from penstock.domain.models import FittedModel
from penstock.domain.workspace import Workspace
from penstock.evaluation.answers import codes_of, matrix_of
from penstock.evaluation.metrics import Values, positive_last
from penstock.evaluation.reporting import charts, curves
from penstock.store import frames

BARS = 15
SPECKS = 700
FILES = {"roc": "roc", "scatter": "residuals", "drivers": "importance", "calibration": "calibration"}
STYLE = """<style>
svg { background: #fff; } text { font: 10.5px Helvetica, Arial, sans-serif; fill: #5d656d; }
.label { font-size: 12.5px; fill: #1c2024; } .strong { fill: #1c2024; font-weight: 600; }
.grid { stroke: #e4e1db; } .coin { stroke: #8b939a; stroke-dasharray: 3 4; fill: none; }
.curve { stroke: #23618e; stroke-width: 2; fill: none; } .area { fill: #d8e6f0; opacity: .55; }
.dot { fill: #23618e; } .speck { fill: #23618e; opacity: .35; } .bar { fill: #23618e; opacity: .8; }
.whisker { stroke: #1c2024; stroke-width: 1.2; opacity: .65; }
</style>"""


@dataclass(frozen=True, slots=True)
class Points:
    """Targets (codes, the positive class last; or values) and predictions, without what intervals need."""

    target: NDArray[Any]
    predictions: Values
    classes: int


def write_plots(
    evaluation: Evaluation, explanation: Explanation, model: FittedModel, folder: Path, workspace: Workspace
) -> dict[str, Path]:
    """Draw the charts of a version as files: ROC or residuals, importance, calibration.

    They are SVG drawn by hand: matplotlib takes a second to import and as long to draw, and MLflow shows SVG.

    Parameters
    ----------
    evaluation, explanation, model
        The records of the version.
    folder
        Where the files are written.
    workspace
        Where predictions are read.

    Returns
    -------
    dict[str, Path]
        The file by the chart's name: `roc` (binary) or `residuals` (regression), `importance`, `calibration`.
    """
    figures = figures_of(read_points(evaluation, model, workspace), evaluation, explanation)
    drawn = {name: _alone(str(figures[part])) for part, name in FILES.items() if part in figures}
    files = {name: folder / f"{name}.svg" for name in drawn}
    for name, chart in drawn.items():
        files[name].write_text(chart, encoding="utf-8")
    return files


def read_points(evaluation: Evaluation, model: FittedModel, workspace: Workspace) -> Points:
    """Return the targets and predictions that an evaluation stands on."""
    frame = frames.load_table(evaluation.predictions, workspace)
    signature = model.signature
    if "target" in frame:
        target = frame["target"].to_numpy()
    else:
        whole = frames.load_table(evaluation.dataset, workspace, [signature.target])[signature.target]
        target = codes_of(whole.iloc[frame["row"].to_numpy()], signature)
    predictions = matrix_of(frame)
    if signature.problem == "binary":
        target, predictions = positive_last(target, predictions, signature.positive)
    known = np.isfinite(predictions.reshape(target.size, -1)).all(axis=1)
    regression = signature.problem == "regression"
    known &= np.isfinite(target) if regression else (target >= 0) & (target < predictions.shape[1])
    return Points(target[known], predictions[known], len(signature.classes))


def _alone(chart: str) -> str:
    """Return a chart that stands as a file of its own."""
    opening, rest = chart.split(">", 1)
    opening = opening.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" width="640" ')
    return f"{opening}>{STYLE}{rest}"


def figures_of(points: Points, evaluation: Evaluation, explanation: Explanation) -> dict[str, Markup]:
    """Return the charts of a version by name: strip, drivers, calibration, and roc or scatter."""
    found = {
        "strip": charts.strip_chart(evaluation.score, evaluation.baseline),
        "drivers": charts.bar_chart(explanation.importances[:BARS]),
    }
    if not points.classes:
        return found | _value_figures(points)
    if points.classes == 2:  # noqa: PLR2004
        return found | _binary_figures(points, evaluation)
    best = points.predictions.argmax(axis=1)
    bins = curves.reliability(best == points.target, points.predictions.max(axis=1))
    return found | {"calibration": charts.calibration_chart(bins, "how sure it was", "how often it was right")}


def _binary_figures(points: Points, evaluation: Evaluation) -> dict[str, Markup]:
    positive, value = points.target == 1, points.predictions[:, 1]
    scores = (evaluation.score, *evaluation.others)
    area = next(score.value for score in scores if score.metric == "roc_auc")
    bins = curves.reliability(positive, value)
    return {
        "roc": charts.roc_chart(*curves.roc_points(positive, value), area),
        "calibration": charts.calibration_chart(bins, "probability it gave", "how often it came"),
    }


def _value_figures(points: Points) -> dict[str, Markup]:
    some = curves.thinned(points.target.size, SPECKS)
    target = np.asarray(points.target, dtype=np.float64)
    bins = curves.reliability_of_values(target, points.predictions)
    return {
        "scatter": charts.scatter_chart(target[some], points.predictions[some]),
        "calibration": charts.calibration_chart(bins, "predicted, on average", "true, on average"),
    }
