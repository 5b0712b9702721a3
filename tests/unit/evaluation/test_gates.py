"""Gates: what must hold of one version."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from penstock.domain.evaluation import Evaluation, Gate
from penstock.domain.features import Decoding, InputColumn
from penstock.domain.workspace import Workspace
from penstock.errors import NotFound, SpecError
from penstock.evaluation.cases import read_cases
from penstock.evaluation.fairness import find_gap
from penstock.evaluation.gates import check_gates
from penstock.evaluation.holdout import evaluate
from tests.unit.evaluation.conftest import World, make_table, make_world


def gates_of(world: World, **changed: Any) -> dict[str, Gate]:
    evaluation = changed.get("evaluation") or evaluated(world)
    bundle, package = changed.get("bundle", world.bundle), changed.get("package", world.package)
    return {gate.name: gate for gate in check_gates(bundle, package, evaluation, world.spec, world.workspace)}


def evaluated(world: World) -> Evaluation:
    return evaluate(world.predictions, world.model, world.split, world.spec, world.workspace)


def test_a_good_version_passes_every_gate(binary_world: World) -> None:
    found = gates_of(binary_world)
    assert list(found) == ["certificate", "smoke test", "beats baseline"]
    assert all(gate.held for gate in found.values())


def test_each_gate_fails_by_itself(binary_world: World) -> None:
    world = binary_world
    certificate = replace(world.bundle.certificate, held=False)
    assert not gates_of(world, bundle=replace(world.bundle, certificate=certificate))["certificate"].held
    assert not gates_of(world, package=replace(world.package, smoke="failed"))["smoke test"].held
    assert not gates_of(world, package=None)["smoke test"].held
    poor = replace(evaluated(world), gain_low=0.0)
    assert not gates_of(world, evaluation=poor)["beats baseline"].held


def test_limits_are_held_against_what_was_measured(workspace: Workspace, tmp_path: Path) -> None:
    limits: Any = {"latency_ms": 0.1, "parameters": 1000}
    found = gates_of(make_world(make_table(2000, "binary"), workspace, "binary", tmp_path, limits=limits))
    assert not found["limit latency_ms"].held
    assert found["limit latency_ms"].detail == "measured 0.200 ms a row, at most 0.100 allowed."
    assert found["limit parameters"].held
    assert "limit size_mb" not in found


CASES = """case,age,income,plan,expected,at_least,at_most
surely leaves,4,0,basic,yes,0.9,
surely stays,-4,0,basic,no,,
too much asked,0,0,basic,,0.99,
"""


def test_cases_must_pass(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "cases.csv").write_text(CASES)
    world = make_world(make_table(2000, "binary"), workspace, "binary", tmp_path, gates={"cases": "cases.csv"})
    gate = gates_of(world)["cases"]
    assert not gate.held
    assert gate.detail.startswith("1 of 3 cases failed: too much asked: must be at least 0.99, but is 0.")
    (tmp_path / "cases.csv").write_text("\n".join(CASES.splitlines()[:3]))
    assert gates_of(world)["cases"].detail == "All 2 cases passed."


def test_cases_of_values_have_bounds(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "cases.csv").write_text("age,income,plan,at_least,at_most\n1,0,basic,1.5,2.5\n1,0,basic,,0\n")
    world = make_world(make_table(2000, "regression"), workspace, "regression", tmp_path, gates={"cases": "cases.csv"})
    assert "row 2: must be at most 0, but is " in gates_of(world)["cases"].detail


def test_a_case_file_that_says_nothing_is_an_error(workspace: Workspace, tmp_path: Path) -> None:
    world = make_world(make_table(500, "binary"), workspace, "binary", tmp_path, gates={"cases": "cases.csv"})
    with pytest.raises(NotFound, match=r"there is none at"):
        gates_of(world)
    (tmp_path / "cases.csv").write_text("income,expected\n1,yes\n")
    with pytest.raises(SpecError, match="lacks \\['age'\\]"):
        gates_of(world)
    (tmp_path / "cases.csv").write_text("age,expected\n1,\n")
    with pytest.raises(SpecError, match="1 of 1 says nothing"):
        gates_of(world)


def test_a_gap_between_groups_fails(workspace: Workspace, tmp_path: Path) -> None:
    table = make_table(6000, "binary")
    table["sex"] = np.random.default_rng(1).choice(["f", "m"], 6000)
    flipped = ((table["sex"] == "f") & (np.random.default_rng(2).random(6000) < 0.3)).to_numpy()
    table.loc[flipped, "target"] = "yes"
    fairness: Any = {"group": "sex", "metric": "recall", "max_gap": 0.1}
    gate = gates_of(make_world(table, workspace, "binary", tmp_path, gates={"fairness": fairness}))["fairness sex"]
    assert not gate.held
    assert gate.judged
    assert gate.detail.startswith("Recall by group: f 0.")


def test_small_groups_are_neither_passed_nor_failed(workspace: Workspace, tmp_path: Path) -> None:
    table = make_table(1000, "binary")
    table["sex"] = np.where(np.arange(1000) < 990, "f", "m")
    fairness: Any = {"group": "sex"}
    gate = gates_of(make_world(table, workspace, "binary", tmp_path, gates={"fairness": fairness}))["fairness sex"]
    assert not gate.judged
    assert "Not enough rows to judge: m (" in gate.detail


def test_a_group_that_is_no_column_is_an_error(workspace: Workspace, tmp_path: Path) -> None:
    fairness: Any = {"group": "gender"}
    world = make_world(make_table(500, "binary"), workspace, "binary", tmp_path, gates={"fairness": fairness})
    with pytest.raises(SpecError, match="must be a column of the data, but is 'gender'"):
        gates_of(world)


@pytest.mark.parametrize(
    ("metric", "rates"),
    [
        ("recall", [0.75, 0.5]),
        ("precision", [0.6, 0.5]),
        ("accuracy", [0.625, 0.5]),
        ("selection_rate", [0.625, 0.5]),
        ("false_positive_rate", [0.5, 0.5]),
    ],
)
def test_rates_are_counted_by_group(metric: str, rates: list[float]) -> None:
    target = np.tile([1, 1, 1, 1, 0, 0, 0, 0], 200)
    first = np.arange(1600) < 800
    called = np.where(first, np.tile([1, 1, 1, 0, 1, 1, 0, 0], 200), np.tile([1, 1, 0, 0, 1, 1, 0, 0], 200))
    groups = np.where(first, "a", "b")
    found = find_gap(metric, target, called, groups, 0.2)
    assert [rate for _, rate, _ in found.rates] == pytest.approx(rates)
    assert found.gap == pytest.approx(max(rates) - min(rates))


def test_the_same_cases_are_read_with_dates_and_booleans(tmp_path: Path) -> None:
    path = tmp_path / "cases.csv"
    path.write_text("since,active,expected\n2026-01-02,true,yes\n,false,no\n")
    columns = (InputColumn("since", "date", "date", False), InputColumn("active", "boolean", "boolean", False))
    rows, _ = read_cases(path, Decoding(columns), "binary")
    assert rows["since"].iloc[0] == pd.Timestamp("2026-01-02")
    assert rows["active"].tolist() == [True, False]
