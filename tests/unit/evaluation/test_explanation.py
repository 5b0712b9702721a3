"""What drives a model, which labels look wrong, what to label next, and the three closing lines."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from penstock.domain.evaluation import Comparison, Decision, Explanation
from penstock.domain.workspace import Workspace
from penstock.evaluation.explanation import after_decision, explain
from penstock.evaluation.holdout import evaluate
from tests.unit.evaluation.conftest import World, make_table, make_world


def explained(world: World) -> Explanation:
    evaluation = evaluate(world.predictions, world.model, world.split, world.spec, world.workspace)
    return explain(world.model, evaluation, world.split, world.spec, world.workspace)


@pytest.mark.parametrize("problem", ["binary", "multiclass", "regression"])
def test_three_lines_are_computed_for_every_problem(problem: str, workspace: Workspace, tmp_path: Path) -> None:
    found = explained(make_world(make_table(2000, problem), workspace, problem, tmp_path))
    assert [line.split(":")[0] for line in found.closing] == ["What improved", "Labels that look wrong", "Label next"]
    assert all("\n" not in line for line in found.closing)


def test_the_column_that_matters_is_named_first_and_noise_last(binary_world: World) -> None:
    found = explained(binary_world).importances
    assert [entry.column for entry in found] == ["age", "plan", "income"]
    assert found[0].value > 10 * found[0].error
    assert abs(found[2].value) < 0.01


@pytest.mark.parametrize("problem", ["binary", "multiclass"])
def test_planted_wrong_labels_are_found_three_times_more_often_than_by_chance(
    problem: str, workspace: Workspace, tmp_path: Path
) -> None:
    table = make_table(4000, problem, noise=1.0)
    random = np.random.default_rng(8)
    wrong = random.random(4000) < 0.05
    classes = sorted(set(table["target"]))
    moved = table["target"].map(lambda value: classes[(classes.index(value) + 1) % len(classes)])
    table["target"] = table["target"].where(~wrong, moved)
    worst = explained(make_world(table, workspace, problem, tmp_path)).suspicions[:20]
    assert len(worst) == 20
    assert np.mean([wrong[entry.row] for entry in worst]) >= 3 * 0.05


def test_planted_wrong_values_are_found(workspace: Workspace, tmp_path: Path) -> None:
    table = make_table(3000, "regression")
    wrong = np.random.default_rng(9).choice(3000, 30, replace=False)
    table.loc[wrong, "target"] += 30.0
    world = make_world(table, workspace, "regression", tmp_path)
    found = explained(world)
    assert {entry.row for entry in found.suspicions} <= set(wrong)
    assert len(found.suspicions) > 10


def test_rows_without_a_target_are_ranked_by_doubt(workspace: Workspace, tmp_path: Path) -> None:
    table = make_table(2000, "binary")
    table.loc[:99, "target"] = None
    table.loc[:49, "age"] = 6.0
    table.loc[50:99, "age"] = 0.1
    found = explained(make_world(table, workspace, "binary", tmp_path))
    assert len(found.label_next) == 20
    assert all(50 <= int(name.split()[1]) < 100 for name in found.label_next)
    assert found.closing[2].startswith("Label next: of 100 rows without a target, the model is least sure of row ")


def test_the_rare_segment_with_the_largest_error_is_asked_for(workspace: Workspace, tmp_path: Path) -> None:
    table = make_table(5000, "binary", noise=0.1)
    team = (table["plan"] == "team").to_numpy()
    table.loc[team, "target"] = np.random.default_rng(3).choice(["no", "yes"], int(team.sum()))
    found = explained(make_world(table, workspace, "binary", tmp_path))
    assert found.label_next == ("plan = team",)
    assert "more rows where plan = team" in found.closing[2]


def test_rows_are_named_by_their_id(workspace: Workspace, tmp_path: Path) -> None:
    table = make_table(2000, "binary", noise=2.0)
    table["customer"] = [f"c{row}" for row in range(2000)]
    found = explained(make_world(table, workspace, "binary", tmp_path, id="customer"))
    assert f"customer c{found.suspicions[0].row} (" in found.closing[1]


def test_rows_are_named_by_their_place_where_the_id_is_sensitive(workspace: Workspace, tmp_path: Path) -> None:
    table = make_table(2000, "binary", noise=2.0)
    table["customer"] = [f"c{row}" for row in range(2000)]
    table.loc[:99, "target"] = None
    columns = {"sensitive": ["customer"]}
    found = explained(make_world(table, workspace, "binary", tmp_path, id="customer", columns=columns))
    assert f"row {found.suspicions[0].row:,} (" in found.closing[1]
    assert "customer" not in "".join((*found.closing, *found.label_next))


def test_the_first_line_compares_with_the_champion_after_the_judge(binary_world: World) -> None:
    found = explained(binary_world)
    comparison = Comparison("1", "2", "roc_auc", 900, 0.013, -0.004, 0.95, 1, 0.04)
    decision = Decision("d", "churn", "hold", (), binary_world.workspace.now(), "2", "1", comparison)
    line = after_decision(found, decision).closing[0]
    assert line == (
        "What improved: Not better than version 1: gain 0.0130 AUC (lower bound -0.00400) on 900 rows that neither was "
        "fitted on."
    )
    assert after_decision(found, replace(decision, comparison=None)) == found
