"""The identity of a training: what it learns from, and by which project file."""

import hashlib

from penstock.data.ingestion import ingest
from penstock.domain.datasets import DatasetVersion, ValidationReport
from penstock.domain.releases import Training
from penstock.domain.workspace import Workspace
from penstock.errors import NotFound
from penstock.spec import ProjectSpec
from penstock.store import records, trainings

READ = "read"  # what a training remembers of the table that it was begun with


def ingest_for(incident: str | None, resume: bool, spec: ProjectSpec, workspace: Workspace) -> DatasetVersion:
    """Read the source, or return what a training that was killed has read for the same decision.

    Rows and labels go on arriving; a training that is taken over goes on with the rows it was begun with.

    Parameters
    ----------
    incident
        The id of the monitor's decision that asks for the training, None if a person does.
    resume
        Whether a person asks to go on with the project's training that was stopped.
    spec
        The project.
    workspace
        Where dataset versions and trainings are kept.

    Returns
    -------
    DatasetVersion
        The rows to learn from, as they were read.

    Raises
    ------
    SourceUnavailable
        If the source does not answer.
    DataError
        If it holds no table of the target.
    NotFound
        If there is no training to go on with.
    """
    killed = None if incident is None else trainings.open_training(incident, workspace)
    if resume:
        killed = find_stopped(spec.name, workspace)
    read = None if killed is None else trainings.recall(killed, READ, str, workspace)
    if read is None:
        return ingest(spec, workspace)
    return records.find_dataset(spec.name, read, workspace)


def find_stopped(project: str, workspace: Workspace) -> str:
    """Return the training of a project that was stopped before its end.

    Parameters
    ----------
    project
        The project's name.
    workspace
        Where trainings are kept.

    Raises
    ------
    NotFound
        If there is none.
    """
    stopped = trainings.stopped_training(project, workspace)
    if stopped is None:
        raise NotFound(
            f"Project {project!r} must have a training that was stopped before its end, but has none. "
            f"`penstock train {project}` starts one."
        )
    return stopped


def begin_training(report: ValidationReport, spec: ProjectSpec, incident: str | None, workspace: Workspace) -> Training:
    """Start a training of a validated table, or take over the one of the same table and spec that was killed.

    Parameters
    ----------
    report
        The report of the table; its accepted rows are learnt from.
    spec
        The project.
    incident
        The id of the monitor's decision that asks for it, None if a person does.
    workspace
        Where trainings are kept.

    Returns
    -------
    Training
        The training; `resumed` counts how often it was taken over.
    """
    values = hashlib.sha256(spec.model_dump_json().encode()).hexdigest()
    training = trainings.begin_training(spec.name, report.accepted.digest, values, workspace, incident)
    trainings.remember(training.id, READ, report.dataset, workspace)
    return training


def end_training(training: Training, workspace: Workspace) -> None:
    """Mark a training as ended, so that the next one starts anew.

    Parameters
    ----------
    training
        A training whose decision stands.
    workspace
        Where trainings are kept.
    """
    trainings.end_training(training, workspace)
