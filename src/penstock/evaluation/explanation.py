"""What drives a model, which labels look wrong, and what to label next: three plain lines for a person."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from penstock.domain.datasets import Split
from penstock.domain.evaluation import Decision, Evaluation, Explanation, Importance, Suspicion
from penstock.domain.models import FittedModel, Signature
from penstock.domain.workspace import Workspace
from penstock.evaluation.answers import (
    HOLDOUT,
    UNUSED,
    choosing_of,
    codes_of,
    metric_of,
    ordered_classes,
    read_out_of_fold,
)
from penstock.evaluation.insight.importance import Setting, permutation_importance, rows_for
from penstock.evaluation.insight.labelling import Segment, most_uncertain, worst_segment
from penstock.evaluation.insight.suspicion import find_suspicions
from penstock.evaluation.intervals.dependence import find_dependence
from penstock.evaluation.metrics import Values
from penstock.evaluation.wording import count, figure, interval, listed, title
from penstock.spec import ProjectSpec
from penstock.store import frames, records

Naming = Callable[[int], str]
Predict = Callable[[pd.DataFrame], Values]
MIN_OUT_OF_FOLD = 100  # fewer out-of-fold rows say nothing of single labels


@dataclass(frozen=True, slots=True)
class Next:
    """What to label next: rows or a segment, and the sentence that says so."""

    items: tuple[str, ...]
    line: str


def explain(
    model: FittedModel, evaluation: Evaluation, split: Split, spec: ProjectSpec, workspace: Workspace
) -> Explanation:
    """Say what drives a model, which labels look wrong, and what to label next.

    Parameters
    ----------
    model
        The fitted model with its out-of-fold predictions.
    evaluation
        How it did, for the first closing line.
    split
        Which rows are held out, and which have no target.
    spec
        The project: its metric, costs, target and seed.
    workspace
        Where tables and models are kept.

    Returns
    -------
    Explanation
        Permutation importances on held-out rows, label suspicions and what to label next from out-of-fold
        predictions, and exactly three closing lines, each computed or saying what it would need.
    """
    names = [column.name for column in model.signature.decoding.columns]
    kept = [*names, spec.target, *([spec.id] if spec.id else [])]
    table = frames.load_table(split.dataset, workspace, list(dict.fromkeys(kept)))
    named = _naming(table, spec)
    out_of_fold = read_out_of_fold(model, split, spec, workspace)
    predict = _oriented(frames.load_model(model.digest, workspace).predict, model.signature)
    suspicions, suspect = find_suspicions(out_of_fold) if out_of_fold.rows >= MIN_OUT_OF_FOLD else ((), 0)
    features = [column.name for column in model.signature.decoding.columns if column.form != "text"]
    unlabelled = np.flatnonzero(np.asarray(frames.load_array(split.assignment, workspace)) == UNUSED)
    if unlabelled.size and out_of_fold.classes:
        asked = _rows_next(most_uncertain(table[names], unlabelled, predict, spec.seed), int(unlabelled.size), named)
    else:
        asked = _segment_next(out_of_fold.rows, worst_segment(out_of_fold, table[features]))
    explanation = Explanation(
        project=spec.name,
        importances=_importances(table, predict, model.signature, split, (spec, workspace)),
        suspicions=suspicions,
        label_next=asked.items,
        closing=(improved(evaluation), _suspect_line((suspicions, suspect), out_of_fold.rows, spec, named), asked.line),
    )
    records.save_record("explanation", model.digest, spec.name, explanation, workspace)
    return explanation


def after_decision(explanation: Explanation, decision: Decision) -> Explanation:
    """Return an explanation whose first line compares with the champion, where the judge has done so."""
    found = decision.comparison
    if found is None:
        return explanation
    verb = "Better than" if decision.verdict == "promote" else "Not better than"
    line = (
        f"What improved: {verb} version {found.champion}: gain {figure(found.gain, 3)} {title(found.metric)} "
        f"(lower bound {figure(found.low, 3)}) on {count(found.rows, 'row')} that neither was fitted on."
    )
    return replace(explanation, closing=(line, *explanation.closing[1:]))


def improved(evaluation: Evaluation) -> str:
    """Return the sentence of what was gained over the baseline."""
    score, base = evaluation.score, evaluation.baseline
    side = "held-out" if evaluation.side == "holdout" else "out-of-fold"
    figures = f"{title(score.metric)} {interval(score)} on {score.rows:,} {side} rows"
    if evaluation.gain_low > 0:
        return f"What improved: {figures}, where the baseline has {figure(base.value)}."
    return f"What improved: nothing that can be shown yet: {figures}; the baseline has {figure(base.value)}."


def _naming(table: pd.DataFrame, spec: ProjectSpec) -> Naming:
    """Return how a row is named to a person: by its id where there is one that may be shown, else by its position."""
    ids = None if spec.id in spec.columns.sensitive else table.get(spec.id)
    return lambda row: f"row {row:,}" if ids is None else f"{spec.id} {ids.iloc[row]}"


def _suspect_line(found: tuple[tuple[Suspicion, ...], int], rows: int, spec: ProjectSpec, named: Naming) -> str:
    suspicions, suspect = found
    start = "Labels that look wrong:"
    if rows < MIN_OUT_OF_FOLD:
        return f"{start} unknown; it would need {MIN_OUT_OF_FOLD} rows with out-of-fold predictions, and has {rows:,}."
    if not suspicions:
        return f"{start} none of {count(rows, 'training row')}."
    worst = [f"{named(entry.row)} ({entry.label}, looks like {entry.prediction})" for entry in suspicions[:3]]
    return f"{start} {suspect:,} of {count(rows, 'row')} in {spec.target!r}; first {listed(worst)}."


def _rows_next(rows: tuple[int, ...], unlabelled: int, named: Naming) -> Next:
    names = tuple(named(row) for row in rows)
    line = (
        f"Label next: of {count(unlabelled, 'row')} without a target, the model is least sure of {listed(names[:3])}."
    )
    return Next(names, line)


def _segment_next(rows: int, segment: Segment | None) -> Next:
    if segment is None:
        return Next(
            (),
            f"Label next: no segment of {count(rows, 'row')} stands out; it would need rows without a target to choose "
            "from.",
        )
    return Next(
        (segment.where,),
        f"Label next: more rows where {segment.where}: {segment.rows:,} rows, and the error there is "
        f"{segment.ratio:.1f} times that of the others.",
    )


def _oriented(predict: Predict, signature: Signature) -> Predict:
    """Return predictions with the positive class last, as every figure of this room takes them."""
    if signature.problem == "binary" and signature.positive == 0:
        return lambda table: np.asarray(predict(table))[:, ::-1]
    return predict


def _importances(
    table: pd.DataFrame,
    predict: Predict,
    signature: Signature,
    split: Split,
    place: tuple[ProjectSpec, Workspace],
) -> tuple[Importance, ...]:
    spec, workspace = place
    target = codes_of(table[spec.target], signature)
    if signature.problem == "binary" and signature.positive == 0:
        target = np.where(target >= 0, 1 - target, target)
    assignment = np.asarray(frames.load_array(split.assignment, workspace))
    side = assignment == HOLDOUT if split.holdout_rows else assignment >= 0
    known = np.isfinite(target) if signature.problem == "regression" else target >= 0
    rows = np.flatnonzero(side & known)
    names = [column.name for column in signature.decoding.columns]
    wanted = rows_for(len(names))
    if rows.size > wanted:
        rows = np.sort(np.random.default_rng(spec.seed).choice(rows, wanted, replace=False))
    if not rows.size or (ordered_classes(signature) and np.unique(target[rows]).size < 2):  # noqa: PLR2004
        return ()
    setting = Setting(metric_of(spec, signature), choosing_of(spec, signature), spec.seed)
    inputs = table[names].iloc[rows].reset_index(drop=True)
    groups = np.asarray(frames.load_array(split.groups, workspace))[rows]
    dependence = find_dependence(groups, None, time_ordered=False)
    return permutation_importance(inputs, target[rows], predict, dependence, setting)
