"""Trainings: one id from start to end, taken over by the next process if this one is killed."""

import uuid
from datetime import UTC, datetime
from typing import TypeVar

import sqlalchemy as sa

from penstock.domain.releases import Training
from penstock.domain.workspace import Workspace
from penstock.store import tables
from penstock.store.database import connect, reading
from penstock.store.records import decode, encode

R = TypeVar("R")


def begin_training(
    project: str, dataset: str, spec: str, workspace: Workspace, incident: str | None = None
) -> Training:
    """Start a training, or go on with one of the same dataset and spec that never ended.

    Where the project file was edited since, a new training begins in the study of the one that never ended: its trials
    are worth the same as long as rows and metric are.

    The caller holds the lease of the project's training, so a training still open has no living process.

    Parameters
    ----------
    project
        The project's name.
    dataset, spec
        Digests of the dataset version and of the project file's values.
    incident
        The id of the decision that asks for it.

    Returns
    -------
    Training
        One that goes on keeps the decision that it was begun for.
    """
    table = tables.trainings
    with connect(workspace).begin() as connection:
        row = connection.execute(
            sa.select(table).where(
                table.c.project == project,
                table.c.dataset == dataset,
                table.c.spec == spec,
                table.c.state == "open",
            )
        ).first()
        if row is not None:
            values = {"resumed": row.resumed + 1, "incident": row.incident or incident}
            connection.execute(sa.update(table).where(table.c.id == row.id).values(values))
            return Training(row.id, project, row.study, row.started_at, row.resumed + 1, row.incident or incident)
        identity = str(uuid.uuid4())
        study = connection.execute(
            sa.select(table.c.study).where(
                table.c.project == project, table.c.dataset == dataset, table.c.state == "open"
            )
        ).scalar()
        connection.execute(
            sa.update(table).where(table.c.project == project, table.c.state == "open").values(state="abandoned")
        )
        training = Training(
            identity, project, study or f"{project}-{identity[:8]}", datetime.now(UTC), incident=incident
        )
        connection.execute(
            sa.insert(table).values(
                id=training.id,
                project=project,
                study=training.study,
                dataset=dataset,
                spec=spec,
                state="open",
                resumed=0,
                started_at=training.started_at,
                incident=incident,
            )
        )
    return training


def made_of(training: str, workspace: Workspace) -> tuple[str, str] | None:
    """Return the dataset version and the project file's values (digests) of a training, None if it is not kept."""
    table = tables.trainings
    with reading(workspace).begin() as connection:
        row = connection.execute(sa.select(table.c.dataset, table.c.spec).where(table.c.id == training)).one_or_none()
    return None if row is None else (row.dataset, row.spec)


def end_training(training: Training, workspace: Workspace) -> None:
    """Mark a training as ended; the next one of the project starts anew."""
    table = tables.trainings
    with connect(workspace).begin() as connection:
        connection.execute(
            sa.update(table).where(table.c.id == training.id).values(state="ended", ended_at=datetime.now(UTC))
        )


def refuse_training(training: Training, workspace: Workspace) -> None:
    """Mark a training as one whose model cannot be served; the next one of the project searches anew."""
    table = tables.trainings
    with connect(workspace).begin() as connection:
        connection.execute(
            sa.update(table).where(table.c.id == training.id).values(state="refused", ended_at=datetime.now(UTC))
        )


def times_refused(training: Training, workspace: Workspace) -> int:
    """Return how many trainings of the same dataset version and project file had a model that cannot be served."""
    table = tables.trainings
    mine = sa.select(table.c.dataset, table.c.spec).where(table.c.id == training.id).subquery()
    query = sa.select(sa.func.count()).where(
        table.c.project == training.project,
        table.c.dataset == mine.c.dataset,
        table.c.spec == mine.c.spec,
        table.c.state == "refused",
    )
    with reading(workspace).begin() as connection:
        return connection.execute(query).scalar_one()


def stopped_training(project: str, workspace: Workspace) -> str | None:
    """Return a project's training that has not come to its end, if there is one."""
    table = tables.trainings
    query = sa.select(table.c.id).where(table.c.project == project, table.c.state == "open")
    with reading(workspace).begin() as connection:
        return connection.execute(query.limit(1)).scalar_one_or_none()


def open_training(incident: str, workspace: Workspace) -> str | None:
    """Return the training that a decision asked for, if it has not come to its end."""
    table = tables.trainings
    query = sa.select(table.c.id).where(table.c.incident == incident, table.c.state == "open")
    with reading(workspace).begin() as connection:
        return connection.execute(query.limit(1)).scalar_one_or_none()


def ended_training(incident: str, workspace: Workspace) -> str | None:
    """Return the training that a decision asked for, if it went to its end."""
    table = tables.trainings
    query = sa.select(table.c.id).where(table.c.incident == incident, table.c.state == "ended")
    with reading(workspace).begin() as connection:
        return connection.execute(query.limit(1)).scalar_one_or_none()


def ended_trainings(project: str, most: int, workspace: Workspace) -> list[str]:
    """Return the ids of a project's trainings that went to their end, the newest first."""
    table = tables.trainings
    query = sa.select(table.c.id).where(table.c.project == project, table.c.state == "ended")
    with reading(workspace).begin() as connection:
        return list(connection.execute(query.order_by(table.c.ended_at.desc()).limit(most)).scalars())


def incident_of(training: str, workspace: Workspace) -> str | None:
    """Return the id of the decision that asked for a training, None if a person did."""
    table = tables.trainings
    with reading(workspace).begin() as connection:
        return connection.execute(sa.select(table.c.incident).where(table.c.id == training)).scalar_one_or_none()


def remember(training: str, step: str, record: object, workspace: Workspace) -> None:
    """Keep what a step of a training returned, so that it is not repeated after a kill."""
    table = tables.steps
    with connect(workspace).begin() as connection:
        changed = connection.execute(
            sa.update(table).where(table.c.training == training, table.c.step == step).values(body=encode(record))
        )
        if changed.rowcount == 0:
            connection.execute(sa.insert(table).values(training=training, step=step, body=encode(record)))


def recall(training: str, step: str, form: type[R], workspace: Workspace) -> R | None:
    """Return what a step of a training returned before, or None."""
    table = tables.steps
    with reading(workspace).begin() as connection:
        body = connection.execute(
            sa.select(table.c.body).where(table.c.training == training, table.c.step == step)
        ).scalar_one_or_none()
    return None if body is None else decode(body, form)
