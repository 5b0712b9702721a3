import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from penstock.domain.workspace import Workspace
from penstock.stack import first_tables
from penstock.stack.first_tables import FILLED, LIBRARIES, Taken, ready_tables, take_tables


def tables_in(path: Path) -> set[str]:
    with closing(sqlite3.connect(path)) as connection:
        return {name for (name,) in connection.execute("select name from sqlite_master where type = 'table'")}


def rows_in(table: str, path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        return int(connection.execute(f"select count(*) from {table}").fetchone()[0])  # noqa: S608  a test's own word


def test_the_installation_made_the_tables_of_the_installed_versions() -> None:
    prefect, mlflow = map(ready_tables, LIBRARIES)
    assert {"flow_run", "deployment", "alembic_version"} <= tables_in(prefect)
    assert rows_in("flow_run", prefect) == rows_in("flow", prefect) == 0
    assert rows_in("block_type", prefect) > 0  # so that a first start need not write them
    assert {"experiments", "registered_models", "alembic_version"} <= tables_in(mlflow)
    assert rows_in("runs", mlflow) == 0
    with closing(sqlite3.connect(mlflow)) as connection:
        (default,) = connection.execute("select name, artifact_location from experiments").fetchall()
    assert default == ("Default", "mlflow-artifacts:/0")


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_workspace_without_tables_is_given_them(library: str, workspace: Workspace) -> None:
    taken = take_tables(library, workspace)
    assert taken.line.startswith(f"{library} begins with a copy of the tables in ")
    assert taken.variables == FILLED.get(library, {})
    assert (workspace.home / f"{library}.db").read_bytes() == ready_tables(library).read_bytes()
    assert not list(workspace.home.glob("draft-*"))


@pytest.mark.parametrize("left", ["prefect.db", "prefect.db-wal"])
def test_what_is_there_stays_as_it_is(left: str, workspace: Workspace) -> None:
    (workspace.home / left).write_bytes(b"somebody's")
    assert take_tables("prefect", workspace) == Taken("prefect has its tables.")
    assert [path.read_bytes() for path in workspace.home.glob("prefect.db*")] == [b"somebody's"]


def test_a_copy_that_was_killed_is_made_anew(workspace: Workspace) -> None:
    (workspace.home / "draft-prefect.db").write_bytes(b"half")
    take_tables("prefect", workspace)
    assert "flow_run" in tables_in(workspace.home / "prefect.db")
    assert not (workspace.home / "draft-prefect.db").exists()


def test_where_the_installation_made_none_the_library_makes_its_own_and_it_is_said(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(first_tables, "MADE", tmp_path / "nowhere")
    assert take_tables("mlflow", workspace).line.startswith("mlflow makes its tables itself, for ")
    assert not (workspace.home / "mlflow.db").exists()


def test_a_postgresql_server_is_left_to_the_library(tmp_path: Path) -> None:
    workspace = Workspace(home=tmp_path, app=tmp_path, database_server="postgresql://somebody@127.0.0.1:5432")
    assert take_tables("mlflow", workspace) == Taken("mlflow keeps its tables on the PostgreSQL server.")
    assert not list(tmp_path.iterdir())
