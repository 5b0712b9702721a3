"""Bring the database to the code's schema, and refuse one that is newer."""

from pathlib import Path

import sqlalchemy as sa

from penstock.domain.workspace import Workspace
from penstock.errors import Refused, SourceUnavailable
from penstock.store import tables
from penstock.store.database import connect
from penstock.store.workspace import database_url

MIGRATIONS = Path(__file__).parent / "migrations"


def migrate(workspace: Workspace) -> None:
    """Bring the database to the newest revision.

    Raises
    ------
    Refused
        If the database was written by a newer Penstock.
    SourceUnavailable
        If the database server does not answer.
    """
    _make_databases(workspace)
    found = revision(workspace)
    if found == tables.REVISION:
        return
    from alembic import command  # Alembic takes 0.3 s, and most commands find nothing to do
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    script = ScriptDirectory.from_config(config)
    known = {each.revision for each in script.walk_revisions()}
    if found is not None and found not in known:
        raise Refused(
            f"The database of {workspace.home} must have a schema that this Penstock knows, "
            f"but has revision {found!r}, which is newer. Use the Penstock that wrote it, or restore a backup."
        )
    with connect(workspace).begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def revision(workspace: Workspace) -> str | None:
    """Return the revision that the database has, None if it is empty."""
    try:
        with connect(workspace).connect() as connection:
            if not sa.inspect(connection).has_table("alembic_version"):
                return None
            found: str | None = connection.execute(sa.text("select version_num from alembic_version")).scalar()
            return found
    except sa.exc.OperationalError as error:
        raise SourceUnavailable(
            f"The database must answer, but {error.orig}. Check PENSTOCK_DATABASE_URL or the workspace's disk."
        ) from error


def _make_databases(workspace: Workspace) -> None:
    if workspace.database_server is None:
        return
    server = sa.make_url(database_url(workspace)).set(database="postgres")
    engine = sa.create_engine(server, isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            there = set(connection.execute(sa.text("select datname from pg_database")).scalars())
            for name in ("penstock", "mlflow", "prefect"):
                if name not in there:
                    connection.execute(sa.text(f'create database "{name}"'))
    except sa.exc.OperationalError as error:
        raise SourceUnavailable(
            "The server of PENSTOCK_DATABASE_URL must answer, but does not. Check its address and that it runs."
        ) from error
    finally:
        engine.dispose()
