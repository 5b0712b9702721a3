"""How a database that another MLflow wrote is brought to the installed one's schema."""

import subprocess
from dataclasses import replace
from importlib.metadata import version

import pytest

from penstock.domain.workspace import Workspace
from penstock.stack import launch


def test_the_database_of_another_mlflow_is_upgraded_by_a_process_that_finds_it_by_itself(workspace: Workspace) -> None:
    wrote = workspace.parts / "mlflow-version"
    wrote.write_text("1.0")
    launch._prepare_mlflow(workspace, set())
    assert wrote.read_text() == version("mlflow")


def test_the_password_of_the_server_is_no_argument_of_the_upgrade(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    served = replace(workspace, database_server="postgresql://penstock:hunter2@127.0.0.1:1")
    (served.parts / "mlflow-version").write_text("1.0")
    started: list[tuple[list[str], dict[str, str]]] = []

    def call(arguments: list[str], env: dict[str, str]) -> int:
        started.append((arguments, env))
        return 0

    monkeypatch.setattr(subprocess, "call", call)
    launch._prepare_mlflow(served, set())
    ((arguments, variables),) = started
    assert "hunter2" not in " ".join(arguments)
    assert variables["PENSTOCK_DATABASE_URL"] == served.database_server
    assert variables["PENSTOCK_HOME"] == str(served.home)
