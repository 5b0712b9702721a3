"""The steps of the search: load, call the pure parts, save."""

import hashlib
import json
import logging
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from penstock.data.contract_file import find_contract
from penstock.data.decoding import compile_decoding
from penstock.data.splitting import load_assignment, training_rows
from penstock.data.targets import infer_positive, infer_problem
from penstock.domain.datasets import DatasetVersion, Finding, Problem, Split
from penstock.domain.features import FeaturePlan
from penstock.domain.models import FittedModel, Signature, Target
from penstock.domain.releases import Training
from penstock.domain.search import Candidate, SearchResult
from penstock.domain.workspace import Workspace
from penstock.errors import DataError, NotFound
from penstock.evaluation import metrics
from penstock.features.planning import PlanFacts, plan_features
from penstock.search import calibration, campaign, placement
from penstock.search.asked import costs_of, families_of, settings_of, threshold_of
from penstock.search.encoding import TrainingRows
from penstock.search.fitting import TrainedModel
from penstock.search.targets import codes_of_target, out_of_fold_table
from penstock.search.work import Found, Hooks, Progress, Work
from penstock.spec import ProjectSpec
from penstock.store import artifacts, frames, records, trainings
from penstock.store.workspace import visible_gpus

progress = logging.getLogger("penstock.progress")


@dataclass(frozen=True, slots=True)
class Loaded:
    """Training rows with their positions in the dataset version, and the target's classes in the codes' order."""

    rows: TrainingRows
    positions: NDArray[np.int64]
    classes: tuple[Target, ...]


def plan(split: Split, leaks: tuple[Finding, ...], spec: ProjectSpec, workspace: Workspace) -> FeaturePlan:
    """Decide what is done to each column, on training rows alone, and say why.

    Parameters
    ----------
    split
        Which rows of which dataset version train.
    leaks
        Findings whose columns are left out, unless `columns.allow` names them.
    spec
        The project.
    workspace
        Where the table is kept.

    Returns
    -------
    FeaturePlan
        The same for the same rows and project file.

    Raises
    ------
    DataError
        If no column is left to learn from.
    SpecError
        If `columns.kinds` says what a column's values cannot be.
    """
    dataset = records.find_dataset(spec.name, split.dataset, workspace)
    frame = frames.load_table(split.dataset, workspace)
    trains = training_rows(load_assignment(split, workspace))
    columns = plan_features(frame[trains], dataset.columns, _facts(dataset, split, leaks, spec))
    body = records.encode([columns, split.assignment])
    digest = hashlib.sha256(body.encode()).hexdigest()
    made = FeaturePlan(spec.name, dataset.digest, digest, columns)
    records.save_record("plan", digest, spec.name, made, workspace)
    return made


def search(
    training: Training, split: Split, plan: FeaturePlan, spec: ProjectSpec, workspace: Workspace
) -> SearchResult:
    """Find the best candidate within the budget, and fit it on every training row.

    Parameters
    ----------
    training
        Its study is the folder of the search: what a killed process left there is gone on with.
    split
        Which rows train, in which fold.
    plan
        What is done to each column.
    spec
        The project: metric, budget, families, limits, costs, seed.
    workspace
        Where tables are kept, and studies.

    Returns
    -------
    SearchResult
        Every trial, the best candidate with its selection score, and the digest of the fitted estimator.

    Raises
    ------
    ModelError
        If no trial finished within the budget.
    NotFound
        If `families` names none that there is.
    """
    known = trainings.recall(training.id, "search", SearchResult, workspace)
    if known is not None:
        return known
    work, _ = _work(training, split, plan, spec, workspace)
    found = campaign.run(work, Hooks(progress=lambda so_far: _tell(so_far, work.settings.metric)))
    family = work.families.get(found.best.family)
    best = Candidate(
        trial=found.best.number,
        family=found.best.family,
        flavour=family.flavour if family else "tree",
        parameters=found.parameters,
        score=float(found.best.score or 0.0),
        fold_scores=found.best.fold_scores,
        out_of_fold=frames.save_array(_out_of_fold(found, work.rows), workspace),
    )
    result = SearchResult(
        study=training.study,
        trials=found.trials,
        best=best,
        estimator=artifacts.put_file(found.model, workspace),
        seconds=found.seconds,
        metric=work.settings.metric,
        slots=work.slots,
        resumed=found.resumed,
        reasons=found.reasons,
    )
    trainings.remember(training.id, "plan", plan, workspace)
    trainings.remember(training.id, "search", result, workspace)
    return result


def fit(training: Training, result: SearchResult, split: Split, spec: ProjectSpec, workspace: Workspace) -> FittedModel:
    """Join pipeline and fitted estimator, and learn calibration, threshold or interval on out-of-fold predictions.

    Parameters
    ----------
    training
        The training that searched.
    result
        What its search found.
    split
        Which rows train.
    spec
        The project: metric and costs decide the threshold.
    workspace
        Where everything is kept.

    Returns
    -------
    FittedModel
        The same for the same search.

    Raises
    ------
    NotFound
        If the training has no search.
    """
    known = trainings.recall(training.id, "fit", FittedModel, workspace)
    if known is not None:
        return known
    plan = trainings.recall(training.id, "plan", FeaturePlan, workspace)
    if plan is None:
        raise NotFound(f"The training {training.id!r} must have searched before it fits, but has not.")
    loaded = _load(split, plan, spec, workspace)
    raw = np.asarray(frames.load_array(result.best.out_of_fold, workspace))
    calibrator = calibration.calibrate(raw, loaded.rows.target, loaded.rows.fold, loaded.rows.classes)
    calibrated = calibrator.apply(raw)
    signature = _signature(loaded, plan, calibrated, spec)
    model = TrainedModel(
        signature=signature,
        plan=plan,
        estimator=frames.load_model(result.estimator, workspace).prepare(families_of(spec)),
        calibrator=calibrator,
    )
    digests = np.asarray(frames.load_array(split.row_digests, workspace))[loaded.positions]
    fitted = FittedModel(
        project=spec.name,
        digest=frames.save_model(model, workspace),
        dataset=split.dataset,
        plan=plan.digest,
        family=result.best.family,
        parameters=result.best.parameters,
        signature=signature,
        training_rows=frames.save_array(np.sort(digests), workspace),
        out_of_fold=frames.save_table(out_of_fold_table(calibrated, loaded.positions), workspace),
        calibration=calibrator.reason,
        seconds=result.seconds,
    )
    trainings.remember(training.id, "fit", fitted, workspace)
    return fitted


def _work(
    training: Training, split: Split, plan: FeaturePlan, spec: ProjectSpec, workspace: Workspace
) -> tuple[Work, Loaded]:
    loaded = _load(split, plan, spec, workspace)
    costs = costs_of(spec, loaded.classes)
    settings = settings_of(loaded.rows.problem, spec)
    work = Work(
        rows=loaded.rows,
        families=families_of(spec),
        settings=settings,
        folder=_folder(training, workspace),
        slots=placement.cut(placement.inventory(visible_gpus()), settings.budget),
        costs=() if costs is None else tuple(tuple(float(cost) for cost in row) for row in costs),
    )
    return work, loaded


def _tell(so_far: Progress, metric: str) -> None:
    best = ""
    if so_far.best_score is not None:
        best = f", best {so_far.best_family} {metrics.shown(metric, so_far.best_score):.4g} {metric}"
    text = f"search: {so_far.done} trials{best}, {so_far.seconds_left:.0f} s left"
    progress.info(text, extra={"stage": "search", "state": "running"})


def _folder(training: Training, workspace: Workspace) -> Path:
    return workspace.searches / training.study


def _facts(dataset: DatasetVersion, split: Split, leaks: tuple[Finding, ...], spec: ProjectSpec) -> PlanFacts:
    columns = spec.columns
    return PlanFacts(
        target=spec.target,
        problem=_problem(dataset, spec),
        id=spec.id,
        time=spec.time if split.time_ordered else None,
        dropped=tuple(columns.drop),
        allowed=tuple(columns.allow),
        kinds=columns.kinds,
        leaks=leaks,
        unlisted=_unlisted(dataset, spec),
        optional=_optional(spec),
        forbidden=tuple(columns.forbidden),
        sensitive=tuple(columns.sensitive),
    )


def _problem(dataset: DatasetVersion, spec: ProjectSpec) -> Problem:
    if spec.problem is None:
        raise DataError(f"The problem of {spec.name!r} must be known for {dataset.digest[:12]}, but is not inferred.")
    return spec.problem


def _unlisted(dataset: DatasetVersion, spec: ProjectSpec) -> tuple[str, ...]:
    """Return the columns that the contract does not know, or does not allow."""
    contract = find_contract(spec)
    if contract is None:
        return ()
    known = {column.name for column in contract.columns if column.allowed}
    return tuple(column.name for column in dataset.columns if column.name not in known and column.name != spec.target)


def _optional(spec: ProjectSpec) -> tuple[str, ...]:
    """Return the columns that the contract does not call required."""
    contract = find_contract(spec)
    return tuple(column.name for column in contract.columns if not column.required) if contract else ()


def _load(split: Split, plan: FeaturePlan, spec: ProjectSpec, workspace: Workspace) -> Loaded:
    """Return the training rows, decoded; in time order if the folds are."""
    columns = [column.name for column in plan.used]
    wanted = [*columns, spec.target, *([spec.time] if split.time_ordered and spec.time else [])]
    frame = frames.load_table(split.dataset, workspace, list(dict.fromkeys(wanted)))
    assignment = load_assignment(split, workspace)
    positions = np.flatnonzero(training_rows(assignment))
    if split.time_ordered and spec.time:
        order = np.argsort(frame[spec.time].to_numpy()[positions], kind="stable")
        positions = positions[order]
    frame = frame.iloc[positions]
    problem = spec.problem or infer_problem(frame[spec.target])[0]
    positive = infer_positive(frame[spec.target]) if problem == "binary" and spec.positive is None else spec.positive
    target, classes = codes_of_target(frame[spec.target], problem, positive)
    numbers, texts = compile_decoding(plan.decoding).columns({name: frame[name] for name in columns})
    name = hashlib.sha256(json.dumps([split.dataset, split.assignment, plan.digest, spec.seed]).encode()).hexdigest()
    rows = TrainingRows(
        numbers=numbers,
        texts=texts,
        target=target,
        fold=assignment[positions],
        group=np.asarray(frames.load_array(split.groups, workspace))[positions],
        plan=plan,
        problem=problem,
        classes=len(classes),
        folds=split.folds,
        time_ordered=split.time_ordered,
        name=name,
    )
    return Loaded(rows, positions, classes)


def _out_of_fold(found: Found, rows: TrainingRows) -> NDArray[np.float64]:
    predictions: NDArray[np.float64] = np.load(found.out_of_fold, allow_pickle=False)
    if len(predictions) != len(rows.target):
        raise DataError(f"Out-of-fold predictions must be of {len(rows.target)} rows, but are of {len(predictions)}.")
    return predictions


def _signature(loaded: Loaded, plan: FeaturePlan, calibrated: NDArray[np.float64], spec: ProjectSpec) -> Signature:
    rows = loaded.rows
    made = Signature(
        project=spec.name,
        problem=rows.problem,
        target=spec.target,
        decoding=plan.decoding,
        classes=loaded.classes,
        id_column=spec.id,
    )
    if rows.problem == "regression":
        width = calibration.half_width(calibrated, rows.target)
        return replace(made, half_width=width, never_negative=bool((rows.target >= 0).all()))
    if rows.problem == "binary":
        return replace(made, positive=1, threshold=threshold_of(spec, loaded.classes, calibrated, rows.target))
    costs = costs_of(spec, loaded.classes)
    return made if costs is None else replace(made, costs=tuple(tuple(map(float, row)) for row in costs))
