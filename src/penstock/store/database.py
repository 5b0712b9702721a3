"""Connections to Penstock's own database, SQLite or PostgreSQL."""

from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event

from penstock.domain.workspace import Workspace
from penstock.store.workspace import database_url


@lru_cache(maxsize=8)
def _engine(url: str) -> sa.Engine:
    if not url.startswith("sqlite"):
        return sa.create_engine(url, pool_pre_ping=True)
    engine = sa.create_engine(url, connect_args={"timeout": 30})

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _: Any) -> None:
        connection.isolation_level = None  # the driver's own BEGIN would be deferred, and lose read-then-write races
        for pragma in ("busy_timeout=30000", "journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: sa.Connection) -> None:
        options = connection.get_execution_options()
        connection.exec_driver_sql("BEGIN" if options.get("penstock_reads") else "BEGIN IMMEDIATE")

    return engine


def connect(workspace: Workspace) -> sa.Engine:
    """Return the engine of the workspace's database; a transaction takes the write lock at its start."""
    return _engine(database_url(workspace))


def reading(workspace: Workspace) -> sa.Engine:
    """Return an engine whose transactions only read, and so never wait for a writer."""
    return connect(workspace).execution_options(penstock_reads=True)
