"""The identity of a training: what it learns from, and by which project file."""

import hashlib

from penstock.domain.datasets import ValidationReport
from penstock.domain.releases import Training
from penstock.domain.workspace import Workspace
from penstock.spec import ProjectSpec
from penstock.store import trainings


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
    return trainings.begin_training(spec.name, report.accepted.digest, values, workspace, incident)


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
