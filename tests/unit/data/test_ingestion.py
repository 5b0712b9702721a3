"""From a source to a dataset version."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from penstock.data.ingestion import find_reading, ingest, unreadable_values
from penstock.domain.workspace import Workspace
from penstock.errors import DataError, SourceUnavailable
from penstock.spec import ProjectSpec
from penstock.store.frames import load_table


def _spec(folder: Path, **settings: Any) -> ProjectSpec:
    values = {"name": "shop", "source": {"kind": "csv_file", "path": "t.csv"}, "target": "y", **settings}
    return ProjectSpec.model_validate({**values, "path": folder / "shop.yaml"})


def _write(folder: Path, text: str) -> None:
    (folder / "t.csv").write_text(text, encoding="utf-8")


def test_the_same_content_is_the_same_version_and_another_gets_the_next_number(
    workspace: Workspace, tmp_path: Path
) -> None:
    _write(tmp_path, "x,y\n1,a\n2,b\n")
    first = ingest(_spec(tmp_path), workspace)
    _write(tmp_path, "x;y\n1;a\n2;b\n")
    assert ingest(_spec(tmp_path), workspace) == first
    _write(tmp_path, "x,y\n1,a\n3,b\n")
    second = ingest(_spec(tmp_path), workspace)
    assert (first.number, second.number, first.rows) == (1, 2, 2)
    assert [(column.name, column.type) for column in first.columns] == [("x", "number"), ("y", "string")]


def test_rows_keep_their_order_and_those_without_a_target_stay(workspace: Workspace, tmp_path: Path) -> None:
    _write(tmp_path, "x,y\n3,a\n1,\n2,b\n")
    frame = load_table(ingest(_spec(tmp_path), workspace).digest, workspace)
    expected = pd.DataFrame({"x": [3, 1, 2], "y": pd.Series(["a", None, "b"], dtype="str")})
    pd.testing.assert_frame_equal(frame, expected)


def test_what_was_seen_while_reading_is_kept(workspace: Workspace, tmp_path: Path) -> None:
    rows = [f"{place / 7:.3f},{'ab'[place % 2]}" for place in range(100)]
    _write(tmp_path, "\n".join(["x,y", *rows, "oops,a"]))
    reading = find_reading(ingest(_spec(tmp_path), workspace), workspace)
    assert [finding.check for finding in reading.findings] == ["unreadable"]
    assert unreadable_values(reading, workspace).to_dict("records") == [{"row": 100, "column": "x", "text": "oops"}]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("age,plan\n1,a\n2,b\n", "The source must have the target column 'y', but has age, plan."),
        ("x,y\n1,a\n2,a\n", "The target column 'y' must have at least two values, but all 2 rows have 'a'."),
        ("x,y\n1,\n2,\n", "The target column 'y' must have a value in some rows, but is empty in all 2."),
        ("x,y\n1,2026-01-01\n2,2026-01-02\n", "must hold numbers, texts, or true and false, but holds dates."),
    ],
)
def test_a_target_that_cannot_be_learnt_is_refused(workspace: Workspace, tmp_path: Path, text: str, said: str) -> None:
    _write(tmp_path, text)
    with pytest.raises(DataError) as caught:
        ingest(_spec(tmp_path), workspace)
    assert said in str(caught.value)


def test_texts_in_the_target_of_a_regression_are_refused(workspace: Workspace, tmp_path: Path) -> None:
    _write(tmp_path, "x,y\n1,a\n2,b\n")
    with pytest.raises(DataError, match=r"of a regression must hold numbers, but holds texts such as 'a'"):
        ingest(_spec(tmp_path, problem="regression"), workspace)


def test_a_column_without_values_is_kept(workspace: Workspace, tmp_path: Path) -> None:
    _write(tmp_path, "x,z,y\n1,,a\n2,,b\n")
    column = ingest(_spec(tmp_path), workspace).column("z")
    assert column is not None
    assert (column.missing, column.rows) == (2, 2)


def test_a_file_that_is_not_there_may_come_later(workspace: Workspace, tmp_path: Path) -> None:
    with pytest.raises(SourceUnavailable, match=r"The file 't.csv' must be there"):
        ingest(_spec(tmp_path), workspace)
