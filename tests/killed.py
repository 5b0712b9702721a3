"""A database that takes no row of one table, as if the process were killed at that write."""

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from penstock.domain.workspace import Workspace
from penstock.store.database import connect

SQLITE = ("create trigger stop before insert on {table} begin select raise(abort, 'killed'); end",)
POSTGRES = (
    "create function stop() returns trigger language plpgsql as "
    "$$ begin raise exception 'killed' using errcode = 'integrity_constraint_violation'; end $$",
    "create trigger stop before insert on {table} for each row execute function stop()",
)


@contextmanager
def killed_at(table: str, workspace: Workspace) -> Iterator[None]:
    """Refuse every insert into a table while the block runs, by an `sa.exc.IntegrityError` that says "killed"."""
    sqlite = connect(workspace).dialect.name == "sqlite"
    _order(workspace, *(statement.format(table=table) for statement in (SQLITE if sqlite else POSTGRES)))
    try:
        yield
    finally:
        _order(workspace, "drop trigger stop" if sqlite else "drop function stop cascade")


def _order(workspace: Workspace, *statements: str) -> None:
    with connect(workspace).begin() as connection:
        for statement in statements:
            connection.execute(sa.text(statement))
