"""The steps of the search: load, call the pure parts, save."""

import hashlib
import logging

import numpy as np
from numpy.typing import NDArray

from penstock.data.splitting import load_assignment, training_rows
from penstock.domain.datasets import Finding, Split
from penstock.domain.features import FeaturePlan
from penstock.domain.models import FittedModel, Signature
from penstock.domain.releases import Training
from penstock.domain.search import Candidate, Experience, SearchResult
from penstock.domain.workspace import Workspace
from penstock.errors import DataError, NotFound
from penstock.evaluation.cases import read_cases
from penstock.features.planning import plan_features
from penstock.search import campaign
from penstock.search.arranging import Given, arrange
from penstock.search.encoding import TrainingRows
from penstock.search.loading import Loaded, facts_of, former_best, load
from penstock.search.machine.memory import merged
from penstock.search.model.finishing import Aim, finish
from penstock.search.stopping import stop_on_interrupt
from penstock.search.targets import out_of_fold_table
from penstock.search.telling import line_of
from penstock.search.wishes.asked import costs_of, families_of, objective_of, settings_of, shaped_of
from penstock.search.work import Found, Hooks, Progress, Work
from penstock.search.worth import gains_told, group_gains
from penstock.spec import ProjectSpec
from penstock.store import artifacts, frames, records, trainings
from penstock.store.workspace import visible_gpus

progress = logging.getLogger("penstock.progress")

SEEDS_APART = 1000  # further fits of a model take the seeds that follow its own
EXPERIENCE, MACHINE = "experience", "machine"  # kind and key of what is kept of this machine, whatever the project


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
        If `columns.kinds` says what a column's values cannot be, or the file of `gates.cases` does not fit the plan.
    NotFound
        If that file is not there.
    """
    dataset = records.find_dataset(spec.name, split.dataset, workspace)
    frame = frames.load_table(split.dataset, workspace)
    trains = training_rows(load_assignment(split, workspace))
    columns = plan_features(frame[trains], dataset.columns, facts_of(dataset, split, leaks, spec))
    body = records.encode([columns, split.assignment])
    digest = hashlib.sha256(body.encode()).hexdigest()
    made = FeaturePlan(spec.name, dataset.digest, digest, columns)
    if spec.gates.cases:  # a file that the gate could not read is refused before the search, not after it
        read_cases(spec.folder / spec.gates.cases, made.decoding, spec.problem or "binary")
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
    with stop_on_interrupt(lambda: _tell_stop(spec.name)) as stop:
        found = campaign.run(work, Hooks(lambda so_far: _tell(so_far, work.settings.metric), stopped=stop.asked))
    _keep(found.experience, workspace)
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
        reasons=(*found.reasons, *gains_told(group_gains(work.rows, work.folder, work.settings.seed))),
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
    loaded = load(split, plan, spec, workspace)
    raw = np.asarray(frames.load_array(result.best.out_of_fold, workspace))
    blend = frames.load_model(result.estimator, workspace).prepare(families_of(spec))
    aim = Aim(objective_of(loaded.rows.problem, spec), costs_of(spec, loaded.classes))
    model, calibrated = finish(blend, raw, loaded.rows, _about(loaded, plan, spec), aim)
    digests = np.asarray(frames.load_array(split.row_digests, workspace))[loaded.positions]
    fitted = FittedModel(
        project=spec.name,
        digest=frames.save_model(model, workspace),
        dataset=split.dataset,
        plan=plan.digest,
        family=result.best.family,
        parameters=result.best.parameters,
        signature=model.signature,
        training_rows=frames.save_array(np.sort(digests), workspace),
        out_of_fold=frames.save_table(out_of_fold_table(calibrated, loaded.positions), workspace),
        calibration=model.calibrator.reason,
        seconds=result.seconds,
    )
    trainings.remember(training.id, "fit", fitted, workspace)
    return fitted


def _work(
    training: Training, split: Split, plan: FeaturePlan, spec: ProjectSpec, workspace: Workspace
) -> tuple[Work, Loaded]:
    spec = with_seed(training, spec, workspace)
    loaded = load(split, plan, spec, workspace)
    work = arrange(
        loaded.rows,
        shaped_of(spec, loaded.rows.problem, former_best(spec, workspace)),
        settings_of(loaded.rows.problem, spec),
        workspace.searches / training.study,
        Given(costs_of(spec, loaded.classes), _experience(workspace), visible_gpus()),
    )
    return work, loaded


def with_seed(training: Training, spec: ProjectSpec, workspace: Workspace) -> ProjectSpec:
    """Return what a training searches by: with another seed after each model of the same rows that cannot be served."""
    return spec.model_copy(update={"seed": spec.seed + SEEDS_APART * trainings.times_refused(training, workspace)})


def _experience(workspace: Workspace) -> Experience:
    """Return what searches have measured on this machine."""
    return records.find_record(EXPERIENCE, MACHINE, "", Experience, workspace) or Experience()


def _keep(experience: Experience, workspace: Workspace) -> None:
    """Keep what was measured of the machine, with what another search has kept meanwhile."""
    others = records.find_record(EXPERIENCE, MACHINE, "", Experience, workspace) or Experience()
    records.save_record(EXPERIENCE, MACHINE, "", merged(others, experience), workspace)


def _tell_stop(project: str) -> None:
    text = (
        "search: stopping with the best so far; Ctrl-C again ends the training, "
        f"and `penstock resume {project}` goes on with its trials"
    )
    progress.info(text, extra={"stage": "search", "state": "ended"})


def _tell(so_far: Progress, metric: str) -> None:
    extra = {"stage": "search", "state": "running", "share": so_far.share}
    progress.info(line_of(so_far, metric), extra=extra)


def _out_of_fold(found: Found, rows: TrainingRows) -> NDArray[np.float64]:
    predictions: NDArray[np.float64] = np.load(found.out_of_fold, allow_pickle=False)
    if len(predictions) != len(rows.target):
        raise DataError(f"Out-of-fold predictions must be of {len(rows.target)} rows, but are of {len(predictions)}.")
    return predictions


def _about(loaded: Loaded, plan: FeaturePlan, spec: ProjectSpec) -> Signature:
    return Signature(
        project=spec.name,
        problem=loaded.rows.problem,
        target=spec.target,
        decoding=plan.decoding,
        classes=loaded.classes,
        id_column=spec.id,
    )
