"""Values of sensitive columns are told nowhere."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from penstock.data.checks.expectations import suite_path
from penstock.data.checks.masking import masked
from penstock.data.checks.quarantine import REASONS
from penstock.data.contract_file import contract_path, load_contract
from penstock.domain.datasets import Finding
from penstock.domain.workspace import Workspace
from penstock.errors import Refused
from penstock.spec import load_spec
from penstock.store import artifacts
from penstock.store.frames import load_table
from tests.unit.data.customers import ROWS, project, run, table


@pytest.mark.parametrize("marked", ["before its first table", "later"])
def test_sensitive_values_are_masked(marked: str, tmp_path: Path, workspace: Workspace) -> None:
    spec = project(tmp_path)
    said = spec.path.read_text()
    if marked == "later":
        spec.path.write_text(said.replace("[fee]", "[]"))
    run(table(), load_spec(spec.path), workspace)
    spec.path.write_text(said)
    frame = table()
    frame.loc[3, "fee"] = -12.34
    report = run(frame, spec, workspace)
    page = artifacts.read_bytes(str(report.page), workspace).decode()
    kept = load_table(str(report.quarantine), workspace)
    assert "12.34" not in str(report)
    assert "12.34" not in page
    assert "12.34" not in kept[REASONS].item()


def test_what_is_found_in_sensitive_columns_is_told_without_their_values(tmp_path: Path, workspace: Workspace) -> None:
    spec = project(tmp_path)
    spec.path.write_text(spec.path.read_text().replace("[fee]", "[fee, debt, faith, street, born]"))
    days = pd.Series(pd.date_range("2025-01-01", periods=ROWS, freq="h"))
    frame = table().assign(
        debt=np.random.default_rng(4).uniform(100, 200, ROWS).round(1),
        faith="quaker",
        street=np.resize(["Elm Road", "elm road", "Oak Lane"], ROWS),
        born=days.where(days.index >= 7, pd.Timestamp("1900-01-01")),
    )
    frame.loc[:11, "debt"] = -999
    frame["fee"] = frame["fee"].astype(object).where(frame.index >= 6, "John owes 300")
    report = run(frame, load_spec(spec.path), workspace)
    assert {"unreadable", "constant", "sentinel", "mixed_formats"} <= {finding.check for finding in report.findings}
    said = str(report.findings) + artifacts.read_bytes(str(report.page), workspace).decode()
    assert not [value for value in ("John", "quaker", "Elm Road", "1900-01-01") if value in said]
    assert "999" not in str(report.findings)


@pytest.mark.parametrize("marked", ["before its first table", "later"])
def test_the_range_of_a_sensitive_column_is_not_told(marked: str, tmp_path: Path, workspace: Workspace) -> None:
    spec, frame = project(tmp_path), table()
    frame.loc[3, "fee"] = 9876.5
    if marked == "later":
        said = spec.path.read_text()
        spec.path.write_text(said.replace("[fee]", "[]"))
        run(frame, load_spec(spec.path), workspace)
        spec.path.write_text(said)
    report = run(frame, spec, workspace)
    assert "'fee' should be between values that are not shown" in {result.rule for result in report.results}
    assert "9876.5" not in str(report.results) + artifacts.read_bytes(str(report.page), workspace).decode()


def test_what_is_observed_in_a_sensitive_column_is_not_told(tmp_path: Path, workspace: Workspace) -> None:
    spec = project(tmp_path)
    run(table(), spec, workspace)
    suite = json.loads(suite_path(spec).read_text())
    mean = {"type": "expect_column_mean_to_be_between", "kwargs": {"column": "fee", "min_value": 90, "max_value": 91}}
    suite_path(spec).write_text(json.dumps({**suite, "expectations": [mean]}))
    with pytest.raises(Refused, match="'fee' must mean to be between values that are not shown") as refused:
        run(table(), spec, workspace)
    assert "observed" not in str(refused.value)


def test_a_column_is_sensitive_by_the_project_file_or_the_contract_under_every_name(tmp_path: Path) -> None:
    spec = project(tmp_path)
    contract_path(spec).write_text(
        "project: churn\ntarget: churned\ncolumns:\n  fee: {type: number, renamed_from: [price]}\n"
        "  note: {type: string, sensitive: true}\n  age: {type: number}\n  churned: {type: string}\n"
    )
    found = tuple(
        Finding("constant", "note", (name,), "It is 7.", 1, masked="It is one.")
        for name in ("fee", "price", "note", "age")
    )
    assert told(masked(found, load_contract(spec), spec)) == {"fee", "price", "note"}
    assert told(masked(found, None, spec)) == {"fee"}


def told(findings: tuple[Finding, ...]) -> set[str]:
    """Return the columns of findings that were told without values."""
    return {name for one in findings for name in one.columns if "7" not in one.message}
