"""What the database knows of an incident: the id of a decision to retrain."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from penstock.domain.events import DRIFT_DETECTED
from penstock.domain.workspace import Workspace
from penstock.store import tables
from penstock.store.database import reading


@dataclass(frozen=True, slots=True)
class TrainingRow:
    """A training that an incident led to: on which dataset version (a digest), from when to when."""

    id: str
    dataset: str
    state: str
    resumed: int
    started_at: datetime
    ended_at: datetime | None


def list_incidents(project: str, workspace: Workspace, limit: int = 20) -> list[str]:
    """Return the ids of a project's incidents, newest first."""
    table = tables.outbox
    query = (
        sa.select(table.c.incident)
        .where(table.c.project == project, table.c.event == DRIFT_DETECTED, table.c.incident.is_not(None))
        .order_by(table.c.number.desc())
        .limit(limit)
    )
    with reading(workspace).begin() as connection:
        return [str(incident) for incident in connection.execute(query).scalars()]


def trainings_of(incident: str, workspace: Workspace) -> list[TrainingRow]:
    """Return the trainings of an incident, oldest first."""
    table = tables.trainings
    columns = (table.c.id, table.c.dataset, table.c.state, table.c.resumed, table.c.started_at, table.c.ended_at)
    query = sa.select(*columns).where(table.c.incident == incident).order_by(table.c.started_at)
    with reading(workspace).begin() as connection:
        return [TrainingRow(**row._asdict()) for row in connection.execute(query)]
