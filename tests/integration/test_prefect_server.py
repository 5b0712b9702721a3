"""Prefect's SQLite transactions wait for their turn; in a process of its own, for it changes Prefect's classes."""

import subprocess
import sys
from pathlib import Path

READ_THEN_WRITE = """
import asyncio, sys
import sqlalchemy as sa
from prefect.server.database.configurations import AioSqliteConfiguration
from penstock.orchestration.prefect_server import let_transactions_wait

if sys.argv[2] == "waiting":
    let_transactions_wait()

async def add(configuration, engine, met):
    session = await configuration.session(engine)
    async with session, configuration.begin_transaction(session):
        count = (await session.execute(sa.text("select n from t"))).scalar()
        met.set() if not met.is_set() else None
        await asyncio.sleep(0.3)
        await session.execute(sa.text("update t set n = :n"), {"n": count + 1})

async def main():
    configuration = AioSqliteConfiguration(f"sqlite+aiosqlite:///{sys.argv[1]}")
    engine = await configuration.engine()
    async with engine.begin() as connection:
        await connection.execute(sa.text("create table t (n int)"))
        await connection.execute(sa.text("insert into t values (0)"))
    met = asyncio.Event()
    ends = await asyncio.gather(*(add(configuration, engine, met) for _ in range(3)), return_exceptions=True)
    async with engine.begin() as connection:
        print((await connection.execute(sa.text("select n from t"))).scalar(), sum(end is not None for end in ends))

asyncio.run(main())
"""


def added(tmp_path: Path, how: str) -> str:
    command = [sys.executable, "-c", READ_THEN_WRITE, str(tmp_path / "p.db"), how]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout.split("\n")[0]


def test_transactions_that_read_and_write_wait_for_each_other(tmp_path: Path) -> None:
    assert added(tmp_path, "waiting") == "3 0"


def test_as_prefect_begins_them_all_but_one_fail(tmp_path: Path) -> None:
    assert added(tmp_path, "as prefect does") == "1 2"
