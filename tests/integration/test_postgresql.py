"""PostgreSQL by one variable: what is tried of the store on SQLite files holds on a server too."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT, free_ports

TRIED = ("tests/unit/store", "tests/unit/rollout")
OWNER = "postgres"  # a server does not start as root


def find_programs() -> Path | None:
    """Return the folder of PostgreSQL's own programs; Debian keeps them off the path."""
    found = shutil.which("initdb")
    known = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return Path(found).parent if found else known[-1].parent if known else None


@pytest.fixture
def server() -> Iterator[str]:
    """A server of its own, in a folder of its own, on loopback."""
    # Not below pytest's folder, which is its user's alone.
    with tempfile.TemporaryDirectory(prefix="penstock-postgres-") as folder:
        yield from serve(Path(folder))


def serve(folder: Path) -> Iterator[str]:
    """Run a server in a folder, yield its address, and end it."""
    programs = find_programs()
    if programs is None:
        pytest.skip("PostgreSQL's initdb must be there to start a server, but is not")
    as_owner: list[str] = []
    if os.geteuid() == 0:
        as_owner = ["runuser", "-u", OWNER, "--"]
        shutil.chown(folder, OWNER)
    port = free_ports().prefect
    data, control = folder / "data", [*as_owner, str(programs / "pg_ctl"), "--silent", "-D", str(folder / "data")]
    making = [str(programs / "initdb"), "-D", str(data), "-U", "penstock", "--auth", "trust", "--no-sync"]
    subprocess.run([*as_owner, *making], check=True, capture_output=True, cwd="/")
    settings = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder} -c fsync=off"
    log = ["--log", str(folder / "log")]
    subprocess.run([*control, "--wait", "--options", settings, *log, "start"], check=True, cwd="/")
    yield f"postgresql://penstock@127.0.0.1:{port}"
    subprocess.run([*control, "--mode", "immediate", "stop"], check=True, cwd="/")


def test_the_store_and_the_rollout_behave_on_postgresql_as_on_sqlite(server: str) -> None:
    said = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-m", "not full", *TRIED],
        cwd=ROOT,
        env={**os.environ, "POSTGRES_FOR_TESTS": server, "PYTEST_ADDOPTS": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert said.returncode == 0, said.stdout[-6000:]
    assert " passed" in said.stdout
