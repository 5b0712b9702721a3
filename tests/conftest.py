"""What every test may ask for: a workspace of its own, and the data sets beside the project."""

import atexit
import os
import random
import shutil
import signal
import socket
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from xdist.scheduler import LoadFileScheduling

from penstock.domain.workspace import Ports, Workspace
from penstock.store.database import connect
from penstock.store.schema import migrate
from penstock.store.workspace import make_folders, use_environment

ROOT = Path(__file__).resolve().parents[1]
POSTGRES = os.environ.get("POSTGRES_FOR_TESTS")  # a server's address: tests of the store then run on it, one at a time
SHARED_DATA = ROOT.parent / "shared" / "data"
UNIT, INTEGRATION = ROOT / "tests" / "unit", ROOT / "tests" / "integration"
# Files whose scenarios share a stack, or more: a worker plays them one after another, the longest groups first.
SHARING = (
    (
        "test_s1_first_model",
        "test_s1_real_data",
        "test_s2_bad_data",
        "test_s9_killed",
        "test_flows_from_prefect",
        "test_s10_two_gigabytes",
    ),
    ("test_loop_together", "test_s9_loop_killed", "test_held_again"),
    ("test_s4_loop",),
    ("test_traffic", "test_s6_guard", "test_s7_alias", "test_s8_rollback"),
    ("test_demo_story",),
    ("test_s5_harmless_change",),
    ("test_bad_input", "test_docs_commands", "test_x5_no_network"),
    ("test_events", "test_schedules"),
)
PLACES = {file: place for place, files in enumerate(SHARING) for file in files}


def free_ports() -> Ports:
    """Return ports of loopback that nobody listens on, below those that the system gives to clients."""
    numbers: list[int] = []
    while len(numbers) < len(fields(Ports)):
        number = random.randrange(15_000, 32_000)  # noqa: S311  not for secrets
        with socket.socket() as tried, suppress(OSError):
            tried.bind(("127.0.0.1", number))
            numbers = [*dict.fromkeys([*numbers, number])]
    return Ports(*numbers)


def leave_the_users_environment() -> None:
    """Let nothing of the caller's settings reach a test, and nothing of a test reach the caller's servers."""
    for name in [name for name in os.environ if name.startswith(("PENSTOCK_", "PREFECT_", "MLFLOW_", "BENTOML_"))]:
        del os.environ[name]
    home = Path(tempfile.mkdtemp(prefix="penstock-tests-"))
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    use_environment(Workspace(home=home, app=ROOT, ports=free_ports(), database_server=POSTGRES))
    signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in a shell's background, by all we start too


leave_the_users_environment()  # before any test module imports a library that reads its variables


class BySharing(LoadFileScheduling):  # type: ignore[misc]  # xdist has no types
    """Deals tests to workers by file, and files that share a stack together."""

    def _split_scope(self, nodeid: str) -> str:
        file: str = super()._split_scope(nodeid)
        return f"sharing {PLACES[Path(file).stem]}" if Path(file).stem in PLACES else file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> BySharing:
    """Say who deals tests to workers."""
    return BySharing(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Begin with what takes longest, so that no worker waits for it at the end; otherwise files keep their order.

    On a PostgreSQL server only tests with a workspace are run.
    """
    if POSTGRES is not None:
        without = [item for item in items if "workspace" not in getattr(item, "fixturenames", ())]
        config.hook.pytest_deselected(items=without)
        items[:] = [item for item in items if item not in without]
    items.sort(key=lambda item: (PLACES.get(item.path.stem, len(SHARING)), INTEGRATION not in item.path.parents))


@pytest.fixture(scope="session")
def root() -> Path:
    """The project's folder."""
    return ROOT


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data sets beside the project."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"the data sets must lie in ../{SHARED_DATA.relative_to(ROOT.parent)}, but are not there")
    return SHARED_DATA


@pytest.fixture(scope="session")
def migrated_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with the newest schema and no row, copied into each workspace."""
    home = tmp_path_factory.mktemp("migrated")
    workspace = Workspace(home=home, app=ROOT, database_server=POSTGRES)
    if POSTGRES is not None:
        order(POSTGRES, "drop database if exists penstock with (force)", "drop database if exists migrated")
    migrate(workspace)
    connect(workspace).dispose()
    if POSTGRES is not None:
        order(POSTGRES, "alter database penstock rename to migrated")
        return home
    with sqlite3.connect(home / "penstock.db") as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    return home / "penstock.db"


@pytest.fixture
def workspace(tmp_path: Path, migrated_database: Path) -> Iterator[Workspace]:
    """A workspace in a folder of its own: free ports, folders made, database migrated."""
    home = tmp_path / "workspace"
    home.mkdir()
    found = Workspace(home=home, app=ROOT, ports=free_ports(), database_server=POSTGRES)
    make_folders(found)
    if POSTGRES is None:
        shutil.copyfile(migrated_database, home / "penstock.db")
    else:
        order(POSTGRES, "drop database if exists penstock with (force)", "create database penstock template migrated")
    yield found
    connect(found).dispose()


def order(server: str, *statements: str) -> None:
    """Have a PostgreSQL server do something that no transaction can."""
    address = sa.make_url(server).set(drivername="postgresql+psycopg", database="postgres")
    engine = sa.create_engine(address, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for statement in statements:
            connection.execute(sa.text(statement))
    engine.dispose()


@pytest.fixture(autouse=True)
def no_network(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse unit tests every address but loopback."""
    if UNIT not in request.node.path.parents:
        return
    really_connect = socket.socket.connect

    def connect_to_loopback(self: socket.socket, address: Any) -> None:
        local = self.family == socket.AF_UNIX or address[0] in {"127.0.0.1", "::1", "localhost"}
        assert local, f"a unit test needs no network, but asks for {address!r}"
        really_connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", connect_to_loopback)
