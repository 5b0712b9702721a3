"""Prefect's server, with SQLite transactions that wait for their turn.

It is run as ``python -m penstock.orchestration.prefect_server --host HOST --port PORT``.

Prefect 3.8 begins its transactions deferred. One that reads and then writes fails at once when another has written in
between ("database is locked"): a worker's heartbeat was lost so, and the worker seemed gone for a minute. And what
waits does so for 60 s, as long as a client waits for its answer. Here a transaction takes the write lock at its
start, and what cannot have it in time says so early enough to be asked again.
"""

import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from penstock.collecting import collect_rarely
from penstock.orchestration.prefect_command import run_prefect

BUSY_MILLISECONDS = 8000


def let_transactions_wait() -> None:
    """Change how this process's Prefect works with SQLite."""
    from prefect.server.database.configurations import AioSqliteConfiguration

    changed: Any = AioSqliteConfiguration
    set_up = AioSqliteConfiguration.setup_sqlite

    def set_up_waiting(self: AioSqliteConfiguration, connection: Any, record: Any) -> None:
        """Set a connection up as Prefect does, but with a shorter patience."""
        set_up(self, connection, record)
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout = {BUSY_MILLISECONDS}")
        cursor.close()

    changed.setup_sqlite = set_up_waiting
    changed.begin_transaction = begin_immediate


@asynccontextmanager
async def begin_immediate(self: object, session: Any, with_for_update: bool = False) -> AsyncGenerator[Any, None]:
    """Begin a transaction that has the write lock."""
    from prefect.server.database.configurations import SQLITE_BEGIN_MODE

    del self, with_for_update
    token = SQLITE_BEGIN_MODE.set("IMMEDIATE")
    try:
        async with session.begin() as transaction:
            yield transaction
    finally:
        SQLITE_BEGIN_MODE.reset(token)


def main() -> None:
    """Run `prefect server start` with the arguments of this command."""
    collect_rarely()
    let_transactions_wait()
    run_prefect("server", "start", *sys.argv[1:])


if __name__ == "__main__":
    main()
