"""A changed schema is a decision."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from penstock.data.contract import KIND, check_contract
from penstock.data.contract_file import contract_path, find_contract, load_contract
from penstock.data.ingestion import ingest
from penstock.data.renames import find_renames
from penstock.data.validation import admit, validate
from penstock.domain.datasets import ContractChange, ValidationReport
from penstock.domain.workspace import Workspace
from penstock.errors import NotFound, Refused, SpecError
from penstock.spec import ProjectSpec, load_spec
from penstock.store import records
from penstock.store.frames import load_table

ROWS = 300


@pytest.fixture
def spec(tmp_path: Path) -> ProjectSpec:
    path = tmp_path / "churn.yaml"
    path.write_text(
        "name: churn\nsource: {kind: csv_file, path: churn.csv}\ntarget: churned\nproblem: binary\nid: customer_id\n"
    )
    return load_spec(path)


def table(seed: int = 0) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "customer_id": [f"C{row:05d}" for row in range(ROWS)],
            "age": random.integers(18, 80, ROWS),
            "fee": random.gamma(2.0, 20.0, ROWS).round(2),
            "plan": random.choice(["basic", "plus", "pro"], ROWS),
            "on": random.choice([True, False], ROWS),
            "churned": random.choice(["yes", "no"], ROWS),
        }
    )


def run(frame: pd.DataFrame, spec: ProjectSpec, workspace: Workspace) -> tuple[ContractChange, ValidationReport]:
    frame.to_csv(spec.folder / "churn.csv", index=False)
    dataset = ingest(spec, workspace)
    change = check_contract(dataset, spec, workspace)
    return change, validate(dataset, spec, False, workspace)


def test_the_first_table_drafts_the_contract(spec: ProjectSpec, workspace: Workspace) -> None:
    assert find_contract(spec) is None
    with pytest.raises(NotFound):
        load_contract(spec)
    change, report = run(table(), spec, workspace)
    admit(change, report)
    assert change.verdict == "first"
    contract = load_contract(spec)
    types = {column.name: column.type for column in contract.columns}
    assert types == {
        "customer_id": "string",
        "age": "number",
        "fee": "number",
        "plan": "string",
        "on": "boolean",
        "churned": "string",
    }
    change, _ = run(table(1), spec, workspace)
    assert change.verdict == "same"


def test_an_added_column_goes_on_unused_until_allowed(spec: ProjectSpec, workspace: Workspace) -> None:
    run(table(), spec, workspace)
    contract_path(spec).write_text(contract_path(spec).read_text() + "# a person's note\n")
    wider = table(1).assign(visits=range(ROWS))
    change, report = run(wider, spec, workspace)
    admit(change, report)
    assert (change.verdict, change.added, change.seen) == ("go_on", ("visits",), 1)
    assert "unused until you allow it" in change.reasons[0]
    assert report.accepted.column("visits") is not None
    added = load_contract(spec).column("visits")
    assert added is not None
    assert not added.allowed
    text = contract_path(spec).read_text()
    assert "# a person's note" in text
    change, _ = run(wider, spec, workspace)
    assert (change.verdict, change.added, change.seen) == ("go_on", ("visits",), 2)
    assert contract_path(spec).read_text() == text
    contract_path(spec).write_text(text.replace("allowed: false", "allowed: true"))
    change, report = run(wider, spec, workspace)
    assert change.verdict == "same"
    assert report.accepted.column("visits") is not None


def test_a_removed_column_blocks_and_names_its_likely_new_name(spec: ProjectSpec, workspace: Workspace) -> None:
    run(table(), spec, workspace)
    renamed = table(1).rename(columns={"fee": "monthly_fee"})
    change, report = run(renamed, spec, workspace)
    assert (change.verdict, change.removed, change.added) == ("block", ("fee",), ("monthly_fee",))
    assert change.matches[0][:2] == ("fee", "monthly_fee")
    assert "'monthly_fee' looks like it under a new name" in change.reasons[0]
    with pytest.raises(Refused, match="must be in the table"):
        admit(change, report)
    change, _ = run(renamed, spec, workspace)
    assert change.seen == 2
    changes = records.list_records(KIND, "churn", ContractChange, workspace)
    assert [found.verdict for found in changes] == ["first", "block"]
    text = contract_path(spec).read_text()
    contract_path(spec).write_text(text.replace("  fee: {", "  fee: {renamed_from: [monthly_fee], "))
    change, report = run(renamed, spec, workspace)
    admit(change, report)
    assert change.verdict == "same"
    assert report.accepted.column("fee") is not None


def test_a_removed_column_alone_blocks(spec: ProjectSpec, workspace: Workspace) -> None:
    run(table(), spec, workspace)
    change, report = run(table(1).drop(columns="age"), spec, workspace)
    assert (change.verdict, change.removed, change.matches) == ("block", ("age",), ())
    assert report.blocked
    assert report.accepted.digest == report.dataset


@pytest.mark.parametrize(
    ("column", "values", "found"),
    [
        ("age", [f"{row} years" for row in range(ROWS)], "string"),
        ("plan", list(range(ROWS)), "number"),
        ("on", ["later"] * ROWS, "string"),
        ("age", ["2020-01-01"] * ROWS, "date"),
    ],
)
def test_a_retyped_column_blocks_with_rows(
    spec: ProjectSpec, workspace: Workspace, column: str, values: list[object], found: str
) -> None:
    run(table(), spec, workspace)
    changed = table(1)
    changed[column] = pd.Series(values)
    change, report = run(changed, spec, workspace)
    assert change.verdict == "block"
    assert change.retyped[0][0] == column
    assert change.retyped[0][2] == found
    assert "300 of 300 values do not fit, such as" in change.reasons[0]
    with pytest.raises(Refused) as caught:
        admit(change, report)
    assert len(caught.value.details[0]["examples"]) == 20


@pytest.mark.parametrize(
    ("words", "typed"),
    [
        (["true", "false", "unknown"], ["true", "false"]),
        (["2024-01-05", "2024-02-07", "never", "unknown"], ["2024-01-05", "2024-02-07"]),
        (["1.10", "1.9", "alpha", "beta", "none"], ["1.10", "1.9"]),
    ],
)
def test_a_text_column_stays_so_where_a_table_has_none_of_its_words(
    spec: ProjectSpec, workspace: Workspace, words: list[str], typed: list[str]
) -> None:
    run(table().assign(plan=np.resize(words, ROWS)), spec, workspace)
    change, report = run(table(1).assign(plan=np.resize(typed, ROWS)), spec, workspace)
    assert (change.verdict, report.quarantined) == ("same", 0)
    assert load_table(report.accepted.digest, workspace)["plan"].unique().tolist() == typed


def test_a_column_of_decimal_commas_with_a_bad_cell_loses_its_row_alone(
    spec: ProjectSpec, workspace: Workspace
) -> None:
    run(table().assign(fee=table()["fee"].map("{:.2f}".format).str.replace(".", ",")), spec, workspace)
    fees = table(1)["fee"].map("{:.2f}".format).str.replace(".", ",")
    fees[5] = "abc"
    change, report = run(table(1).assign(fee=fees), spec, workspace)
    assert (change.verdict, report.blocked, report.quarantined) == ("same", False, 1)
    assert load_table(report.accepted.digest, workspace)["fee"].tolist() == table(1)["fee"].drop(5).tolist()


def test_a_gap_among_large_whole_numbers_sets_its_row_alone_aside(spec: ProjectSpec, workspace: Workspace) -> None:
    numbers = table().assign(customer_id=2**60 + np.arange(ROWS))
    run(numbers, spec, workspace)
    numbers = numbers.astype({"customer_id": "Int64"})
    numbers.loc[3, "customer_id"] = pd.NA
    change, report = run(numbers, spec, workspace)
    assert (change.verdict, report.blocked, report.quarantined) == ("same", False, 1)
    kept = load_table(report.accepted.digest, workspace)["customer_id"]
    assert kept.tolist() == numbers["customer_id"].dropna().tolist()


def test_whole_and_broken_numbers_are_one_type(spec: ProjectSpec, workspace: Workspace) -> None:
    run(table(), spec, workspace)
    change, _ = run(table(1).assign(age=lambda frame: frame["age"] + 0.5), spec, workspace)
    assert change.verdict == "same"


def test_the_contracts_file_tells_every_fault_with_its_line(spec: ProjectSpec, workspace: Workspace) -> None:
    run(table(), spec, workspace)
    lines = contract_path(spec).read_text().splitlines()
    text = contract_path(spec).read_text().replace("age: {type: number", "age: {typ: number")
    contract_path(spec).write_text(text.replace("fee: {type: number", "fee: {type: numbr"))
    with pytest.raises(SpecError) as caught:
        load_contract(spec)
    assert "The contract" in caught.value.message
    assert {(detail["line"], detail["key"]) for detail in caught.value.details} == {
        (next(place for place, line in enumerate(lines, 1) if "age: {" in line), "columns.age.typ"),
        (next(place for place, line in enumerate(lines, 1) if "fee: {" in line), "columns.fee.type"),
    }
    contract_path(spec).write_text("\n".join(lines).replace("target: churned", "target: plan"))
    with pytest.raises(SpecError, match="be the target of the project file"):
        load_contract(spec)


def test_odd_names_and_values_survive_the_contracts_file(spec: ProjectSpec, workspace: Workspace) -> None:
    odd = table().rename(columns={"plan": "the: plan, no. 1", "on": "yes"})
    odd["churned"] = odd["churned"].map({"yes": 'it\'s: "so"', "no": "ein Ä, {x}"})
    run(odd, spec, workspace)
    contract = load_contract(spec)
    assert [column.name for column in contract.columns] == list(odd.columns)
    assert set(contract.target_values) == set(odd["churned"])
    assert run(odd, spec, workspace)[0].verdict == "same"


def test_renames_need_alike_values() -> None:
    random = np.random.default_rng(0)
    old = pd.DataFrame({"a": random.normal(size=500), "id": pd.Series([f"C{n}" for n in range(500)], dtype="str")})
    new = pd.DataFrame(
        {
            "b": random.normal(size=500),
            "c": random.normal(3, 1, size=500),
            "key": pd.Series([f"C{n}" for n in range(500, 1000)], dtype="str"),
        }
    )
    assert {(before, after) for before, after, _ in find_renames(old, new)} == {("a", "b"), ("id", "key")}
