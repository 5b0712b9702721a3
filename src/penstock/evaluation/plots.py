"""The charts of a version: for its report, and as files for MLflow."""

from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from penstock.domain.datasets import Split
from penstock.domain.evaluation import Evaluation, Explanation
from penstock.domain.models import FittedModel
from penstock.domain.workspace import Workspace
from penstock.evaluation import charts, curves
from penstock.evaluation.answers import Answers, read_answers, read_out_of_fold
from penstock.spec import ProjectSpec

BARS = 15
SPECKS = 700
FILES = {"roc": "roc.svg", "scatter": "residuals.svg", "drivers": "importance.svg", "calibration": "calibration.svg"}
STYLE = """<style>
svg { background: #fff; } text { font: 10.5px Helvetica, Arial, sans-serif; fill: #5d656d; }
.label { font-size: 12.5px; fill: #1c2024; } .strong { fill: #1c2024; font-weight: 600; }
.grid { stroke: #e4e1db; } .coin { stroke: #8b939a; stroke-dasharray: 3 4; fill: none; }
.curve { stroke: #23618e; stroke-width: 2; fill: none; } .area { fill: #d8e6f0; opacity: .55; }
.dot { fill: #23618e; } .speck { fill: #23618e; opacity: .35; } .bar { fill: #23618e; opacity: .8; }
.whisker { stroke: #1c2024; stroke-width: 1.2; opacity: .65; }
</style>"""


@dataclass(frozen=True, slots=True)
class PlotMaterial:
    """What the charts of a version are drawn from."""

    model: FittedModel
    split: Split
    evaluation: Evaluation
    explanation: Explanation


def draw_plots(material: PlotMaterial, spec: ProjectSpec, workspace: Workspace) -> dict[str, str]:
    """Return the charts of a version as SVG files, by file name: ROC or residuals, importance, calibration.

    They are drawn by hand: matplotlib takes a second to import and as long to draw, and MLflow shows SVG.

    Parameters
    ----------
    material
        The records of the version.
    spec
        The project.
    workspace
        Where predictions are read.

    Returns
    -------
    dict[str, str]
        SVG text by file name.
    """
    answers = answers_of(material.model, material.split, material.evaluation, spec, workspace)
    figures = figures_of(answers, material.evaluation, material.explanation)
    return {FILES[name]: _alone(str(chart)) for name, chart in figures.items() if name in FILES}


def _alone(chart: str) -> str:
    """Return a chart that stands as a file of its own."""
    opening, rest = chart.split(">", 1)
    opening = opening.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" width="640" ')
    return f"{opening}>{STYLE}{rest}"


def answers_of(
    model: FittedModel, split: Split, evaluation: Evaluation, spec: ProjectSpec, workspace: Workspace
) -> Answers:
    """Return the answers that an evaluation stands on."""
    if evaluation.side == "holdout":
        return read_answers(evaluation.predictions, model.signature, spec, workspace)
    return read_out_of_fold(model, split, spec, workspace)


def figures_of(answers: Answers, evaluation: Evaluation, explanation: Explanation) -> dict[str, Markup]:
    """Return the charts of a version by name: strip, drivers, calibration, and roc or scatter."""
    found = {
        "strip": charts.strip_chart(evaluation.score, evaluation.baseline),
        "drivers": charts.bar_chart(explanation.importances[:BARS]),
    }
    if not answers.classes:
        return found | _value_figures(answers)
    if len(answers.classes) == 2:  # noqa: PLR2004
        return found | _binary_figures(answers, evaluation)
    best = answers.predictions.argmax(axis=1)
    bins = curves.reliability(best == answers.target, answers.predictions.max(axis=1))
    return found | {"calibration": charts.calibration_chart(bins, "how sure it was", "how often it was right")}


def _binary_figures(answers: Answers, evaluation: Evaluation) -> dict[str, Markup]:
    positive, value = answers.target == 1, answers.predictions[:, 1]
    scores = (evaluation.score, *evaluation.others)
    area = next(score.value for score in scores if score.metric == "roc_auc")
    bins = curves.reliability(positive, value)
    return {
        "roc": charts.roc_chart(*curves.roc_points(positive, value), area),
        "calibration": charts.calibration_chart(bins, "probability it gave", "how often it came"),
    }


def _value_figures(answers: Answers) -> dict[str, Markup]:
    some = curves.thinned(answers.rows, SPECKS)
    target = np.asarray(answers.target, dtype=np.float64)
    bins = curves.reliability_of_values(target, answers.predictions)
    return {
        "scatter": charts.scatter_chart(target[some], answers.predictions[some]),
        "calibration": charts.calibration_chart(bins, "predicted, on average", "true, on average"),
    }
