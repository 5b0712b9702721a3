"""What `up` refuses before it starts anything, and what `down` does where nothing runs."""

import os
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from penstock.domain.workspace import Workspace
from penstock.errors import Refused, SpecError
from penstock.orchestration.processes import own_processes
from penstock.stack.supervision import down, up


@pytest.fixture
def stranger(workspace: Workspace) -> Iterator[socket.socket]:
    """Hold MLflow's port."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", workspace.ports.mlflow))
        held.listen()
        yield held


@pytest.mark.usefixtures("stranger")
def test_a_port_held_by_a_stranger_is_an_error_that_names_the_owner_and_the_variable(workspace: Workspace) -> None:
    with pytest.raises(SpecError) as caught:
        up(workspace, print)
    assert f"Port {workspace.ports.mlflow} must be free for mlflow" in caught.value.message
    assert f"pid {os.getpid()}" in caught.value.message
    assert psutil.Process().cmdline()[0] in caught.value.message
    assert "PENSTOCK_MLFLOW_PORT" in caught.value.message
    assert not own_processes(workspace)


def test_a_database_that_a_newer_penstock_wrote_is_refused_before_anything_starts(workspace: Workspace) -> None:
    with closing(sqlite3.connect(workspace.home / "penstock.db")) as connection, connection:
        connection.execute("update alembic_version set version_num = 'from the future'")
    with pytest.raises(Refused, match="from the future"):
        up(workspace, print)
    assert not own_processes(workspace)


def test_down_where_nothing_runs_does_nothing(workspace: Workspace, tmp_path: Path) -> None:
    nowhere = replace(workspace, home=tmp_path / "nowhere")
    down(nowhere, print)
    assert not nowhere.home.exists()
    down(workspace, print)
