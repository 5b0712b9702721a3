"""Which project a command means, and what becomes of what a person says of it."""

import re
from pathlib import Path

import pandas as pd
import pytest

from penstock.cli.projects import draft, find_project, project_name
from penstock.domain.workspace import PROJECT_NAME, Workspace
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


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("Shop (new).csv.gz", "shop-new"),
        ("2026 sales.csv", "p-2026-sales"),
        ("a" * 47 + "_b.csv", "a" * 47),
        ("1" * 45 + "-2.csv", "p-" + "1" * 45),
    ],
)
def test_a_file_gives_its_project_a_name_that_a_project_may_have(file: str, name: str) -> None:
    assert project_name(Path(file)) == name
    assert re.fullmatch(PROJECT_NAME, name)


def test_files_without_a_letter_of_a_name_have_projects_of_their_own() -> None:
    names = [project_name(Path(file)) for file in ("数据.csv", "客户.csv", "_.csv")]
    assert len(set(names)) == 3
    assert all(re.fullmatch(PROJECT_NAME, name) for name in names)
    assert project_name(Path("elsewhere/数据.parquet")) == names[0]


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("Churn", " Did you mean 'churn'?"),
        ("my_project", " Did you mean 'my-project'?"),
        ("../projects/churn", " Did you mean 'projects-churn'?"),
        ("churn-", " Did you mean 'churn'?"),
        ("数据", ""),
        ("a" * 300, f" Did you mean '{'a' * 48}'?"),
    ],
)
def test_a_name_is_checked_before_it_becomes_a_path(name: str, hint: str, folder: Path, workspace: Workspace) -> None:
    with pytest.raises(SpecError) as caught:
        draft(name, Path("shop.csv"), "churned", NOTHING, workspace)
    assert caught.value.message.endswith(f"and have at most 48 characters, but is {name!r}.{hint}")
    assert (caught.value.exit_code, (folder / "projects").exists()) == (2, False)


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
