"""Bad tables are stopped at the door."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from penstock.data.checks.expectations import suite_path
from penstock.data.checks.quarantine import REASONS, readmit
from penstock.data.contract_file import contract_path, load_contract
from penstock.domain.workspace import Workspace
from penstock.errors import NotFound, Refused, SpecError
from penstock.store import artifacts
from penstock.store.frames import load_table
from tests.unit.data.customers import ROWS, project, run, table

Break = Callable[[pd.DataFrame, pd.Index], pd.DataFrame]


def negative_age(frame: pd.DataFrame, rows: pd.Index) -> pd.DataFrame:
    return frame.assign(age=frame["age"].where(~frame.index.isin(rows), -frame["age"]))


def missing_key(frame: pd.DataFrame, rows: pd.Index) -> pd.DataFrame:
    return frame.assign(customer_id=frame["customer_id"].where(~frame.index.isin(rows), None))


def repeated_id(frame: pd.DataFrame, rows: pd.Index) -> pd.DataFrame:
    return frame.assign(customer_id=frame["customer_id"].where(~frame.index.isin(rows), "C00000"))


def new_target(frame: pd.DataFrame, rows: pd.Index) -> pd.DataFrame:
    return frame.assign(churned=frame["churned"].where(~frame.index.isin(rows), "maybe"))


def text_in_numbers(frame: pd.DataFrame, rows: pd.Index) -> pd.DataFrame:
    return frame.assign(age=frame["age"].astype(object).where(~frame.index.isin(rows), "forty"))


BREAKS = [negative_age, missing_key, repeated_id, new_target, text_in_numbers]


def share(part: float) -> pd.Index:
    return pd.RangeIndex(ROWS)[: int(ROWS * part)] + 7


def test_a_good_first_table_is_accepted_and_drafts_contract_and_suite(tmp_path: Path, workspace: Workspace) -> None:
    spec = project(tmp_path)
    report = run(table(), spec, workspace)
    assert (report.quarantined, report.blocked, report.accepted.digest) == (0, False, report.dataset)
    assert report.results
    assert all(result.held for result in report.results)
    contract = load_contract(spec)
    assert [(column.name, column.required, column.unique) for column in contract.columns][:2] == [
        ("customer_id", True, True),
        ("age", True, False),
    ]
    assert contract.column("note").required is False  # type: ignore[union-attr]
    assert contract.column("fee").sensitive  # type: ignore[union-attr]
    assert contract.target_values == ("no", "yes")
    assert suite_path(spec).exists()


@pytest.mark.parametrize("breaks", BREAKS, ids=lambda one: one.__name__)
@pytest.mark.parametrize("first", [True, False], ids=["first file", "later file"])
def test_a_broken_table_is_stopped_with_one_sentence(
    tmp_path: Path, workspace: Workspace, breaks: Break, first: bool
) -> None:
    spec = project(tmp_path)
    if not first:
        run(table(), spec, workspace)
    broken = breaks(table(), share(0.4 if breaks is missing_key else 0.1))
    with pytest.raises(Refused) as caught:
        run(broken, spec, workspace)
    assert "validation.quarantine" in caught.value.message
    assert caught.value.exit_code == 3
    assert 0 < len(caught.value.details[0]["examples"]) <= 20
    assert contract_path(spec).exists() is not first


@pytest.mark.parametrize("breaks", [negative_age, missing_key, repeated_id], ids=lambda one: one.__name__)
def test_a_first_table_with_four_bad_rows_of_ten_is_stopped(
    tmp_path: Path, workspace: Workspace, breaks: Break
) -> None:
    with pytest.raises(Refused, match=r"validation\.quarantine") as caught:
        run(breaks(table(), share(0.4)), project(tmp_path), workspace)
    assert caught.value.details[0]["column"] in {"age", "customer_id"}


@pytest.mark.parametrize("breaks", [negative_age, new_target, text_in_numbers], ids=lambda one: one.__name__)
def test_what_a_person_accepted_stays_accepted_for_the_same_kind_of_fault(
    tmp_path: Path, workspace: Workspace, breaks: Break
) -> None:
    spec = project(tmp_path)
    run(table(), spec, workspace)
    run(breaks(table(), share(0.1)), spec, workspace, quarantine=True)
    again = run(breaks(table(), share(0.15)), spec, workspace)
    assert (again.quarantined, again.blocked) == (90, False)
    assert "set aside, as was accepted on" in again.reasons[0]
    with pytest.raises(Refused):  # far more of them is another fault
        run(breaks(table(), share(0.35)), spec, workspace)


def test_what_a_person_accepted_lets_no_other_fault_in(tmp_path: Path, workspace: Workspace) -> None:
    spec = project(tmp_path)
    run(table(), spec, workspace)
    run(negative_age(table(), share(0.1)), spec, workspace, quarantine=True)
    with pytest.raises(Refused, match=r"validation\.quarantine"):
        run(new_target(negative_age(table(), share(0.1)), share(0.1)), spec, workspace)
    other = spec.model_copy(update={"source": spec.source.model_copy(update={"path": "./churn.csv"})})
    with pytest.raises(Refused, match=r"validation\.quarantine"):
        run(negative_age(table(), share(0.1)), other, workspace)


def test_the_good_rows_of_a_first_table_go_on_and_make_no_fault_the_rule(tmp_path: Path, workspace: Workspace) -> None:
    spec = project(tmp_path)
    report = run(negative_age(table(), share(0.1)), spec, workspace, quarantine=True)
    assert (report.quarantined, report.accepted.rows) == (60, 540)
    assert run(table(), spec, workspace).reasons == ()


@pytest.mark.parametrize("breaks", BREAKS, ids=lambda one: one.__name__)
@pytest.mark.parametrize("first", [True, False], ids=["first file", "later file"])
def test_a_few_bad_rows_are_set_aside_with_their_reasons(
    tmp_path: Path, workspace: Workspace, breaks: Break, first: bool
) -> None:
    spec = project(tmp_path)
    if not first:
        run(table(), spec, workspace)
    report = run(breaks(table(), share(0.01)), spec, workspace)
    assert 6 <= report.quarantined <= 7
    assert report.accepted.rows == ROWS - report.quarantined
    assert {column.name: column.type for column in report.accepted.columns}["age"] == "number"
    kept = load_table(str(report.quarantine), workspace)
    assert len(kept) == report.quarantined
    assert kept[REASONS].str.contains("must").all()
    accepted = load_table(report.accepted.digest, workspace)
    assert accepted["age"].dtype == np.int64
    assert set(accepted["churned"]) == {"yes", "no"}


def test_a_cell_of_another_type_is_not_also_called_missing(tmp_path: Path, workspace: Workspace) -> None:
    spec = project(tmp_path)
    run(table(), spec, workspace)
    report = run(text_in_numbers(table(), share(0.01)), spec, workspace)
    broken = [result for result in report.results if not result.held]
    assert [(result.rule, result.failing) for result in broken] == [("'age' must be a number in every row", 6)]
    assert broken[0].examples[0] == "row 7: customer_id = 'C00007', age = 'forty'"


def test_drift_is_a_warning_and_stops_nothing(tmp_path: Path, workspace: Workspace) -> None:
    spec = project(tmp_path)
    run(table(), spec, workspace)
    moved = table().assign(age=lambda frame: frame["age"] + 40, plan="max", note=None)
    report = run(moved, spec, workspace)
    assert report.quarantined == 0
    assert {result.column for result in report.results if not result.held} == {"age", "plan", "note"}
    assert {result.level for result in report.results if not result.held} == {"warning"}


def test_a_person_makes_a_warning_critical_in_the_suite(tmp_path: Path, workspace: Workspace) -> None:
    spec = project(tmp_path)
    run(table(), spec, workspace)
    text = suite_path(spec).read_text().replace('"severity": "warning"', '"severity": "critical"')
    suite_path(spec).write_text(text.replace('"mostly": 0.99', '"mostly": 1.0'))
    with pytest.raises(Refused, match="plan"):
        run(table().assign(plan="max"), spec, workspace)


def test_the_page_refers_to_no_other_host(tmp_path: Path, workspace: Workspace) -> None:
    report = run(negative_age(table(), share(0.01)), project(tmp_path), workspace)
    page = artifacts.read_bytes(str(report.page), workspace).decode()
    assert "//" not in page.replace("<!doctype", "")
    assert "&#x27;age&#x27; must be at least 0" in page


def test_readmitted_rows_are_accepted_next_time(tmp_path: Path, workspace: Workspace) -> None:
    spec = project(tmp_path)
    run(table(), spec, workspace)
    broken = negative_age(table(), share(0.01))
    report = run(broken, spec, workspace)
    assert report.quarantined == 6
    readmit("churn", str(report.quarantine)[:12], [7, 8], workspace)
    assert run(broken, spec, workspace).quarantined == 4
    readmit("churn", str(report.quarantine), "all", workspace)
    assert run(broken.sample(frac=1, random_state=0), spec, workspace).quarantined == 0
    with pytest.raises(NotFound, match=r"must hold the rows \[99\]"):
        readmit("churn", str(report.quarantine), [99], workspace)
    with pytest.raises(NotFound):
        readmit("churn", "0000", "all", workspace)


def test_a_suite_that_is_none_is_named(tmp_path: Path, workspace: Workspace) -> None:
    spec = project(tmp_path)
    run(table(), spec, workspace)
    good = suite_path(spec).read_text()
    for text, said in (
        ("{", "must be JSON, but line 1"),
        ("[]", "must have `expectations`"),
        (good.replace("_to_be_unique", "_to_be_lovely"), "must be one of Great Expectations"),
        (good.replace('"min_value"', '"min_worth"'), "must have the settings of its type"),
        (good.replace('"critical"', '"deadly"'), "must be one of critical, warning, info, but is 'deadly'"),
    ):
        suite_path(spec).write_text(text)
        with pytest.raises(SpecError, match=said):
            run(table(), spec, workspace)


def test_an_expectation_about_the_whole_table_stops_it(tmp_path: Path, workspace: Workspace) -> None:
    spec = project(tmp_path)
    run(table(), spec, workspace)
    suite_path(spec).write_text(
        '{"expectations": [{"type": "expect_table_row_count_to_be_between", "kwargs": {"min_value": 10000}},'
        ' {"type": "expect_column_values_to_be_unique", "kwargs": {"column": "gone"}}]}'
    )
    with pytest.raises(Refused, match="observed 600") as caught:
        run(table(), spec, workspace, quarantine=True)
    assert "gone" in caught.value.message


@pytest.mark.parametrize("where", ["contract", "project file"])
def test_a_column_that_is_given_up_may_be_gone(tmp_path: Path, workspace: Workspace, where: str) -> None:
    spec = project(tmp_path)
    run(table(), spec, workspace)
    if where == "contract":
        text = contract_path(spec).read_text()
        contract_path(spec).write_text(text.replace("sensitive: true}", "sensitive: true, allowed: false}"))
    else:
        spec = spec.model_copy(update={"columns": spec.columns.model_copy(update={"drop": ["fee"]})})
    kept = run(table(), spec, workspace)
    assert kept.accepted.column("fee") is not None
    report = run(table().drop(columns="fee"), spec, workspace)
    assert (report.quarantined, report.accepted.column("fee")) == (0, None)
    assert "fee" not in {result.column for result in report.results}


def test_a_third_class_is_no_fault_of_a_multiclass_target(tmp_path: Path, workspace: Workspace) -> None:
    spec = project(tmp_path, "multiclass")
    frame = table().assign(churned=lambda frame: frame["plan"].where(frame["age"] > 25, "none"))
    assert run(frame, spec, workspace).quarantined == 0
