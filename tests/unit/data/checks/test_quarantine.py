"""Rows that a person re-admits are let in, however the next table is read."""

from pathlib import Path

import pandas as pd

from penstock.data.checks.quarantine import DIGEST, REASONS, readmit
from penstock.domain.workspace import Workspace
from penstock.store.frames import load_table
from tests.unit.data.customers import project, run, table


def broken() -> pd.DataFrame:
    """Return a table with a text among its numbers, and negative fees, one of them whole."""
    frame = table().astype({"age": object})
    frame.loc[[7, 9], "fee"] = [-3.0, -2.5]
    frame.loc[8, "age"] = "forty"
    return frame


def test_rows_of_a_first_table_are_let_in_by_the_next_run(tmp_path: Path, workspace: Workspace) -> None:
    spec = project(tmp_path)
    report = run(broken(), spec, workspace)
    assert report.quarantined == 3
    readmit("churn", str(report.quarantine), "all", workspace)
    again = run(broken(), spec, workspace)
    assert again.quarantined == 0
    assert pd.isna(load_table(again.accepted.digest, workspace)["age"][8])


def test_rows_are_let_in_beside_other_faults_and_with_a_column_more(tmp_path: Path, workspace: Workspace) -> None:
    spec = project(tmp_path)
    report = run(broken(), spec, workspace)
    readmit("churn", str(report.quarantine), [7, 8], workspace)
    assert run(broken().assign(visits=range(600)), spec, workspace).quarantined == 1


def test_another_text_in_the_same_cell_is_not_let_in(tmp_path: Path, workspace: Workspace) -> None:
    spec = project(tmp_path)
    readmit("churn", str(run(broken(), spec, workspace).quarantine), "all", workspace)
    assert run(broken().replace({"age": {"forty": "fifty"}}), spec, workspace).quarantined == 1


def test_columns_of_the_source_may_be_called_as_the_notes_are(tmp_path: Path, workspace: Workspace) -> None:
    frame = broken().assign(**{DIGEST: 1, f"{DIGEST}_": 2})
    report = run(frame, project(tmp_path), workspace)
    kept = load_table(str(report.quarantine), workspace)
    assert kept[f"{DIGEST}__"].tolist() == [1, 1, 1]
    assert kept[REASONS].str.contains("must").all()
