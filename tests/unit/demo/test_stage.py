"""Where the demo plays: a folder of its own, cleared of an earlier play, and nobody else's workspace."""

import json
import sys
from pathlib import Path

import pytest

from penstock.demo.rentals import PROJECT
from penstock.demo.stage import MARK, Stage, answer, is_own, make_room
from penstock.domain.workspace import Workspace
from penstock.errors import PenstockError, SpecError
from penstock.store import records
from penstock.store.schema import migrate


def test_a_second_play_begins_anew(tmp_path: Path) -> None:
    workspace = Workspace(home=tmp_path / ".penstock", app=tmp_path)
    make_room(tmp_path, workspace)
    (workspace.home / "penstock.db").write_text("of an earlier play")
    (tmp_path / "projects").mkdir()
    (tmp_path / "mine.txt").write_text("stays")
    make_room(tmp_path, workspace)
    assert not (workspace.home / "penstock.db").exists()
    assert not (tmp_path / "projects").exists()
    assert (workspace.home / "journal").is_dir()
    assert (tmp_path / "mine.txt").exists()


@pytest.mark.parametrize("theirs", [".penstock", "projects"])
def test_a_folder_with_somebodys_work_is_left_as_it_is(tmp_path: Path, theirs: str) -> None:
    workspace = Workspace(home=tmp_path / ".penstock", app=tmp_path)
    (tmp_path / theirs).mkdir()
    (tmp_path / theirs / "precious").write_text("mine")
    for act in (is_own, make_room):
        with pytest.raises(SpecError, match="--folder"):
            act(tmp_path, workspace)
    assert (tmp_path / theirs / "precious").read_text() == "mine"
    assert not (tmp_path / MARK).exists()


def test_a_workspace_that_the_user_named_is_left_as_it_is(tmp_path: Path, workspace: Workspace) -> None:
    migrate(workspace)
    make_room(tmp_path, workspace)
    records.register_project(PROJECT, tmp_path / "bikes.yaml", workspace)
    with pytest.raises(SpecError, match="PENSTOCK_HOME"):
        make_room(tmp_path, workspace)
    assert records.list_projects(workspace) == [PROJECT]


def test_a_command_that_fails_ends_the_story_with_what_it_said(tmp_path: Path) -> None:
    told: list[str] = []
    environment = {"PENSTOCK_HOME": str(tmp_path / "home"), "PATH": str(Path(sys.executable).parent)}
    stage = Stage(tmp_path, environment, told.append)
    assert json.loads(json.dumps(answer(stage, "status")))["projects"] == []
    assert told == ["$ penstock status"]
    with pytest.raises(PenstockError, match="ended with code 2"):
        answer(stage, "audit", "nobody")
