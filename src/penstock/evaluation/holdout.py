"""How good a model is on rows that nothing has seen, beside a baseline, with an honest interval."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from penstock.domain.datasets import Split
from penstock.domain.evaluation import Evaluation, Predictions, Score, Slice
from penstock.domain.models import FittedModel
from penstock.domain.workspace import Workspace
from penstock.errors import DataError
from penstock.evaluation.answers import HOLDOUT, UNUSED, Answers, codes_of, metric_of, read_answers, read_out_of_fold
from penstock.evaluation.costs import best_threshold
from penstock.evaluation.insight.slices import find_slices
from penstock.evaluation.intervals.comparing import compare
from penstock.evaluation.intervals.dependence import Dependence
from penstock.evaluation.intervals.influence import Estimate, estimate
from penstock.evaluation.intervals.resampling import Interval, Resampling, interval, normal_interval
from penstock.evaluation.metrics import BINARY, METRICS, Choosing, Values, chosen, find_metric, shown
from penstock.evaluation.wording import count
from penstock.spec import ProjectSpec
from penstock.store import frames, records


def evaluate(
    predictions: Predictions | None, model: FittedModel, split: Split, spec: ProjectSpec, workspace: Workspace
) -> Evaluation:
    """Score a model on held-out rows, beside a baseline that only knows the training targets.

    Without held-out rows (`split.holdout: 0`) the out-of-fold predictions are scored, and the record says so.

    Parameters
    ----------
    predictions
        What the bundle said of the holdout, or None where no rows are held out.
    model
        The model, for its classes, its threshold and its out-of-fold predictions.
    split
        Which rows belong together, and which trained.
    spec
        The project: its metric, costs and seed.
    workspace
        Where tables are kept.

    Returns
    -------
    Evaluation
        The score in the metric's units with a 95 % interval (clusters of rows drawn again, or Student's t), the
        baseline's, the paired gain (higher is better) with its one-sided lower bound, the other metrics, slices where
        the model is worse than elsewhere, and for classifiers the confusion (rows: true class, columns: called class).

    Raises
    ------
    DataError
        If no row has a known target.
    """
    out_of_fold = read_out_of_fold(model, split, spec, workspace)
    held_out = predictions is not None and split.holdout_rows > 0 and predictions.rows > 0
    answers = out_of_fold
    if held_out and predictions:
        answers = read_answers(predictions.digest, model.signature, spec, workspace)
    if answers.rows == 0:
        raise DataError("A model is scored on rows with a known target, but none of the rows kept back has one.")
    metric = metric_of(spec, model.signature)
    dependence = answers.dependence(split)
    base = _baseline(metric, answers, model, split, (spec, workspace))
    resampling = Resampling(dependence, answers.choosing, spec.seed)
    found, bounds = _score(metric, answers, resampling)
    base_found, base_bounds = _score(metric, base, Resampling(dependence, base.choosing, spec.seed))
    gain = compare(base_found, found, dependence, 1 - spec.gates.confidence)
    slices, tested = _slices(metric, (out_of_fold, answers), held_out, (model, split), workspace)
    evaluation = Evaluation(
        project=spec.name,
        predictions=predictions.digest if held_out and predictions else model.out_of_fold,
        score=_shown(metric, found.score, bounds, answers.rows),
        baseline=_shown(metric, base_found.score, base_bounds, answers.rows),
        others=tuple(_other(name, answers, dependence) for name in _other_metrics(metric, model, spec)),
        gain=gain.value,
        gain_low=gain.low,
        slices=slices,
        confusion=_confusion(answers),
        side="holdout" if held_out else "out_of_fold",
        dataset=split.dataset,
        notes=_notes(answers.rows, dependence, bounds, tested if held_out else None),
    )
    records.save_record("evaluation", model.digest, spec.name, evaluation, workspace)
    return evaluation


def _score(metric: str, answers: Answers, setting: Resampling) -> tuple[Estimate, Interval]:
    found = estimate(metric, answers.target, answers.predictions, answers.choosing)
    return found, interval(metric, answers.target, answers.predictions, setting)


def _shown(metric: str, value: float, bounds: Interval, rows: int) -> Score:
    low, high = sorted((shown(metric, bounds.low), shown(metric, bounds.high)))
    return Score(metric, shown(metric, value), low, high, find_metric(metric).higher_is_better, rows)


def _other(metric: str, answers: Answers, dependence: Dependence) -> Score:
    found = estimate(metric, answers.target, answers.predictions, answers.choosing)
    return _shown(metric, found.score, normal_interval(metric, found, dependence), answers.rows)


def _other_metrics(metric: str, model: FittedModel, spec: ProjectSpec) -> list[str]:
    return [
        name
        for name, entry in METRICS.items()
        if model.signature.problem in entry.problems and name != metric and (name != "cost" or spec.costs)
    ]


def _baseline(
    metric: str,
    answers: Answers,
    model: FittedModel,
    split: Split,
    place: tuple[ProjectSpec, Workspace],
) -> Answers:
    """Return the same rows answered with the training targets' shares, or their mean (median for `mae`)."""
    target = _training_target(model, split, *place)
    choosing = Choosing()
    if not answers.classes:
        constant = np.median(target) if metric == "mae" else target.mean()
        predictions: Values = np.full(answers.rows, constant)
    else:
        shares = np.bincount(target.astype(np.int64), minlength=len(answers.classes)) / target.size
        predictions = np.tile(shares, (answers.rows, 1))
        mistakes = answers.choosing.mistakes
        threshold = best_threshold(metric, target, np.full(target.size, shares[-1]), mistakes)
        choosing = Choosing(threshold if len(answers.classes) == BINARY else None, mistakes, mistakes)
    return Answers(
        answers.row,
        answers.digest,
        answers.group,
        answers.time,
        answers.target,
        predictions,
        answers.classes,
        choosing,
    )


def _training_target(model: FittedModel, split: Split, spec: ProjectSpec, workspace: Workspace) -> NDArray[Any]:
    assignment = frames.load_array(split.assignment, workspace)
    rows = np.flatnonzero((assignment != HOLDOUT) & (assignment != UNUSED))
    column = frames.load_table(split.dataset, workspace, [spec.target])[spec.target].iloc[rows]
    target: NDArray[Any] = codes_of(column, model.signature)
    target = target[np.isfinite(target) if model.signature.problem == "regression" else target >= 0]
    return 1 - target if model.signature.problem == "binary" and model.signature.positive == 0 else target


def _slices(
    metric: str,
    sides: tuple[Answers, Answers],
    held_out: bool,
    made: tuple[FittedModel, Split],
    workspace: Workspace,
) -> tuple[tuple[Slice, ...], int]:
    model, split = made
    if not held_out or not sides[0].rows:
        return (), 0
    names = [column.name for column in model.signature.decoding.columns if column.form != "text"]
    table: pd.DataFrame = frames.load_table(split.dataset, workspace, names)
    return find_slices(metric, sides[0], sides[1], table, split)


def _confusion(answers: Answers) -> tuple[tuple[int, ...], ...]:
    if not answers.classes:
        return ()
    size = len(answers.classes)
    called = chosen(answers.predictions, answers.choosing)
    table = np.bincount(answers.target.astype(np.int64) * size + called, minlength=size * size).reshape(size, size)
    return tuple(tuple(int(cell) for cell in row) for row in table)


def _notes(rows: int, dependence: Dependence, bounds: Interval, tested: int | None) -> tuple[str, ...]:
    """Say what was scored and how the interval came about; `tested` slices, or None where no rows are held out."""
    side = (
        "rows that nothing was fitted or tuned on"
        if tested is not None
        else ("training rows, each predicted by models that did not train on it (out of fold): no rows are held out")
    )
    units = "single rows" if dependence.independent else dependence.words
    way = f"by drawing {units} again" if bounds.drawn else f"by Student's t on {units}"
    notes = [f"Scored on {count(rows, 'row')}: {side}.", f"The interval is of 95 %, {way}."]
    if tested is not None:
        notes.append(
            f"{count(tested, 'slice')} looked worse on out-of-fold rows and {'was' if tested == 1 else 'were'} tested "
            "on held-out rows, corrected for their number."
        )
    return tuple(notes)
