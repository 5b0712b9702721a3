"""What people ask for by moving the alias `champion` in MLflow: one row for each move that was seen."""

from datetime import UTC, datetime

import sqlalchemy as sa

from penstock.domain.releases import AliasRequest
from penstock.domain.workspace import Workspace
from penstock.store import tables
from penstock.store.database import reading


def add_request(connection: sa.Connection, project: str, moved: tuple[str | None, str | None], actor: str) -> None:
    """Write down that the alias has moved, from one version to another."""
    before, version = moved
    connection.execute(
        sa.insert(tables.alias_requests).values(
            project=project,
            version=version,
            before=before,
            seen_at=datetime.now(UTC),
            state="open",
            actor=actor,
            reason="",
        )
    )


def settle_request(connection: sa.Connection, number: int, state: str, reason: str) -> bool:
    """Say what became of a request; return whether it was open still."""
    table = tables.alias_requests
    still = sa.and_(table.c.number == number, table.c.state == "open")
    return connection.execute(sa.update(table).where(still).values(state=state, reason=reason)).rowcount > 0


def overtake_requests(connection: sa.Connection, project: str, reason: str) -> None:
    """Say of a project's open requests that something else was asked for after them."""
    table = tables.alias_requests
    still = sa.and_(table.c.project == project, table.c.state == "open")
    connection.execute(sa.update(table).where(still).values(state="overtaken", reason=reason))


def list_requests(project: str, workspace: Workspace, state: str | None = None) -> list[AliasRequest]:
    """Return a project's requests, oldest first; those in a state, if it is given."""
    table = tables.alias_requests
    query = sa.select(table).where(table.c.project == project).order_by(table.c.number)
    if state is not None:
        query = query.where(table.c.state == state)
    with reading(workspace).begin() as connection:
        return [AliasRequest(**row._asdict()) for row in connection.execute(query)]
