"""Changes of a project file: a line each."""

from pathlib import Path

import pandas as pd
import pytest

from penstock.data.drafts.project_changes import change_columns
from penstock.errors import SpecError
from penstock.spec import load_spec

HEAD = 'name: shop\nsource: {kind: csv_file, path: shop.csv}\n# what we sell\ntarget: churned  # "yes" is bad\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a table of odd names."""
    table = pd.DataFrame(
        {
            "no": range(40),
            "when: #1": pd.date_range("2026-01-01", periods=40).astype(str),
            "churned": ["yes", "no"] * 20,
        }
    )
    table.to_csv(tmp_path / "shop.csv", index=False)
    return tmp_path


def write(folder: Path, text: str) -> Path:
    file = folder / "shop.yaml"
    file.write_bytes(text.encode())
    return file


@pytest.mark.parametrize(
    ("line", "becomes"),
    [
        ('time: "when: #1"\n', "time: null\n"),
        ("time: 'when: #1' # ours\n", "time: null" + " " * 24 + "  # ours\n"),
        ('"time": "when: #1"\r\nseed: 3\r\n', '"time": null\r\nseed: 3\r\n'),
    ],
)
def test_one_line_changes_and_the_rest_stays_as_it_was(line: str, becomes: str, folder: Path) -> None:
    file = write(folder, HEAD + line)
    assert change_columns(file, {"time": "none", "id": None}) == [f"time: none (as you said; {file} said when: #1)."]
    assert file.read_bytes().decode() == HEAD + becomes


def test_a_setting_that_is_not_there_is_added_at_the_end(folder: Path) -> None:
    file = write(folder, HEAD + "seed: 3")
    change_columns(file, {"time": "when: #1", "id": "no"})
    assert (load_spec(file).time, load_spec(file).id, load_spec(file).seed) == ("when: #1", "no", 3)
    assert file.read_text().startswith(HEAD + "seed: 3\n")


@pytest.mark.parametrize("odd", ["time:\n  'when: #1'\n", "time: >-\n  when:\n  #1\n"])
def test_a_form_that_cannot_be_changed_by_a_line_is_refused(odd: str, folder: Path) -> None:
    file = write(folder, HEAD + odd)
    before = file.read_bytes()
    with pytest.raises(SpecError, match="Write `time: null` there yourself"):
        change_columns(file, {"time": "none", "id": None})
    assert file.read_bytes() == before


def test_a_file_on_one_line_is_refused(folder: Path) -> None:
    file = write(folder, "{name: shop, source: {kind: csv_file, path: shop.csv}, target: churned, time: 'when: #1'}\n")
    with pytest.raises(SpecError, match="yourself"):
        change_columns(file, {"time": "none", "id": None})
