"""Which project a command means, and what becomes of what a person says of it."""

from pathlib import Path

import pandas as pd
import pytest

from penstock.cli.projects import draft, find_project
from penstock.domain.workspace import Workspace
from penstock.errors import NotFound, SpecError
from penstock.spec import load_spec
from penstock.store import records
from penstock.store.projects import open_project

NOTHING: dict[str, str | None] = {"time": None, "id": None}
BY_HAND = """
name: shop
source: {kind: sql_query, url: "env:SHOP", query: select * from customers}
target: churned
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A current folder with a table, and without a project."""
    monkeypatch.chdir(tmp_path)
    table = pd.DataFrame(
        {
            "customer_id": [f"C{place}" for place in range(100)],
            "signed_up": pd.date_range("2026-01-01", periods=100, freq="h"),
            "fee": [place / 7 for place in range(100)],
            "churned": ["yes", "no", "no", "no"] * 25,
        }
    )
    table.to_csv("shop.csv", index=False)
    return tmp_path


def write(folder: Path, text: str) -> Path:
    file = folder / "projects" / "shop.yaml"
    file.parent.mkdir(exist_ok=True)
    file.write_text(text)
    return file


def test_a_file_written_by_hand_is_a_project(folder: Path, workspace: Workspace) -> None:
    file = write(folder, BY_HAND)
    name, notes = find_project("shop", None, NOTHING, workspace)
    assert (name, records.project_path("shop", workspace)) == ("shop", file)
    assert notes == [f"time: none, id: none (as {file} says)."]


def test_a_flow_finds_a_file_written_by_hand_beside_the_workspace(
    folder: Path, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write(folder, BY_HAND)
    (folder / "elsewhere").mkdir()
    monkeypatch.chdir(folder / "elsewhere")  # a worker stands in the application's folder
    assert open_project("shop", workspace).path == file
    assert records.list_projects(workspace) == ["shop"]


def test_a_file_of_another_name_or_with_faults_is_no_project(folder: Path, workspace: Workspace) -> None:
    write(folder, BY_HAND.replace("name: shop", "name: store"))
    with pytest.raises(SpecError, match="must have the `name` that it is called by, 'shop', but has 'store'"):
        find_project("shop", None, NOTHING, workspace)
    write(folder, BY_HAND.replace("target:", "tagret:"))
    with pytest.raises(SpecError, match="Did you mean `target`"):
        find_project("shop", None, NOTHING, workspace)
    assert records.list_projects(workspace) == []


@pytest.mark.parametrize("name", ["nobody", "..", "Shop", "a" * 49])
def test_a_project_that_is_not_there_is_named(name: str, folder: Path, workspace: Workspace) -> None:
    write(folder, BY_HAND)
    with pytest.raises(NotFound, match=f"No project is named '{name}'"):
        find_project(name, None, NOTHING, workspace)


def test_a_project_file_that_moved_is_found_at_its_new_place(folder: Path, workspace: Workspace) -> None:
    records.register_project("shop", folder / "old" / "shop.yaml", workspace)
    with pytest.raises(NotFound, match="but is gone"):
        find_project("shop", None, NOTHING, workspace)
    file = write(folder, BY_HAND)
    find_project("shop", None, NOTHING, workspace)
    assert records.project_path("shop", workspace) == file


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("what", ["shop.csv", "shop"])
def test_what_is_said_of_a_known_project_changes_its_file(what: str, workspace: Workspace) -> None:
    file, _ = draft("shop", Path("shop.csv"), "churned", NOTHING, workspace)
    before = file.read_text().splitlines()
    _, notes = find_project(what, "churned", {"time": "none", "id": None}, workspace)
    assert notes == [
        f"time: none (as you said; {file} said signed_up).",
        f"time: none, id: customer_id (as {file} says).",
    ]
    after = file.read_text().splitlines()
    assert load_spec(file).time is None
    changed = [(old, new) for old, new in zip(before, after, strict=True) if old != new]
    assert [new for _, new in changed] == [
        "time: null                          # rows are split and watched in this column's order; "
        "null: a keyed hash splits them (chosen: as you said)"
    ]
    find_project(what, None, {"time": "signed_up", "id": "none"}, workspace)
    assert (load_spec(file).time, load_spec(file).id) == ("signed_up", None)


@pytest.mark.usefixtures("folder")
def test_what_a_known_project_says_already_changes_nothing(workspace: Workspace) -> None:
    file, _ = draft("shop", Path("shop.csv"), "churned", NOTHING, workspace)
    before = file.read_bytes()
    _, notes = find_project("shop", "churned", {"time": "signed_up", "id": "customer_id"}, workspace)
    assert notes == [f"time: signed_up, id: customer_id (as {file} says)."]
    assert file.read_bytes() == before


@pytest.mark.usefixtures("folder")
def test_a_column_that_cannot_be_what_is_said_is_refused(workspace: Workspace) -> None:
    file, _ = draft("shop", Path("shop.csv"), "churned", NOTHING, workspace)
    before = file.read_bytes()
    with pytest.raises(SpecError, match="must name a column of dates, but 'fee'"):
        find_project("shop", None, {"time": "fee", "id": "none"}, workspace)
    with pytest.raises(SpecError, match="must name a column other than the target, or be none, but is 'churned'"):
        find_project("shop", None, {"time": None, "id": "churned"}, workspace)
    assert file.read_bytes() == before


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("what", ["shop.csv", "shop"])
def test_another_target_is_refused_whatever_names_the_project(what: str, workspace: Workspace) -> None:
    draft("shop", Path("shop.csv"), "churned", NOTHING, workspace)
    with pytest.raises(SpecError, match=r"predicts 'churned', not 'fee'. Change `target` in"):
        find_project(what, "fee", NOTHING, workspace)
    with pytest.raises(SpecError, match="must have the target column 'chrn', but has customer_id"):
        find_project(what, "chrn", NOTHING, workspace)


@pytest.mark.usefixtures("folder")
def test_init_over_a_file_that_is_there_follows_what_is_said(workspace: Workspace) -> None:
    draft("shop", Path("shop.csv"), "churned", NOTHING, workspace)
    file, notes = draft("shop", Path("shop.csv"), "churned", {"time": "none", "id": None}, workspace)
    assert notes[0].startswith("Kept")
    assert notes[1].startswith("time: none (as you said")
    assert load_spec(file).time is None
