"""The judge's step: which rows it takes, how it counts looks, and what it says."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from penstock.domain.evaluation import Decision, Gate, Predictions
from penstock.domain.workspace import Workspace
from penstock.evaluation.holdout import evaluate
from penstock.evaluation.intervals.looks import take_look
from penstock.evaluation.judge import Judged, judge
from penstock.store import frames, records, trainings
from tests.unit.evaluation.conftest import World, make_table, make_world


def side(world: World, key: str, noise: float = 0.0, **changed: Any) -> Judged:
    """A version whose probabilities are those of the world's model, blurred."""
    table = frames.load_table(world.predictions.digest, world.workspace)
    random = np.random.default_rng(len(key))
    blurred = np.clip(table["p1"] + noise * random.normal(size=len(table)), 0.001, 0.999)
    table["p0"], table["p1"] = 1 - blurred, blurred
    predictions = Predictions(
        "churn", frames.save_table(table, world.workspace), "b" * 64, world.split.dataset, len(table)
    )
    return Judged(key, world.model, predictions, version=key, **changed)


def judged(world: World, challenger: Judged, champion: Judged | None) -> Decision:
    return judge(challenger, champion, world.split, world.spec, world.workspace)


def test_a_clearly_better_challenger_is_promoted(binary_world: World) -> None:
    decision = judged(binary_world, side(binary_world, "2"), side(binary_world, "1", noise=0.4))
    assert decision.verdict == "promote"
    assert decision.comparison is not None
    assert decision.comparison.low > 0
    assert decision.reasons[0].startswith("The challenger is better: gain 0.")


def test_the_same_model_again_is_not_better(binary_world: World) -> None:
    decision = judged(binary_world, side(binary_world, "2"), side(binary_world, "1"))
    assert decision.verdict == "hold"
    assert "The challenger is not better: gain 0 AUC, lower bound 0 at look 1 of" in decision.reasons[0]
    assert decision.reasons[1] == "Both give the same answers on every row."


def test_a_better_one_of_the_same_making_is_held(binary_world: World) -> None:
    made = []
    for spec in ("s" * 64, "s" * 64, "other"):
        training = trainings.begin_training("churn", "a" * 64, spec, binary_world.workspace)
        trainings.end_training(training, binary_world.workspace)
        made.append(training.id)
    champion = replace(side(binary_world, "1", noise=0.4), key=made[0])
    repeated = judged(binary_world, replace(side(binary_world, "2"), key=made[1]), champion)
    assert repeated.verdict == "hold"
    assert repeated.reasons[0].startswith("The challenger is not better by its making")
    assert repeated.comparison is not None
    assert repeated.comparison.low > 0
    assert judged(binary_world, replace(side(binary_world, "3"), key=made[2]), champion).verdict == "promote"


def test_a_better_one_of_hardly_other_rows_is_held(binary_world: World) -> None:
    made = []
    for dataset in ("a" * 64, "b" * 64):
        training = trainings.begin_training("churn", dataset, "s" * 64, binary_world.workspace)
        trainings.end_training(training, binary_world.workspace)
        made.append(training.id)
    champion = replace(side(binary_world, "1", noise=0.4), key=made[0])
    earlier = replace(binary_world.split, dataset=champion.model.dataset)
    records.save_record("split", "k", "churn", earlier, binary_world.workspace)
    decision = judged(binary_world, replace(side(binary_world, "2"), key=made[1]), champion)
    assert decision.verdict == "hold"
    assert decision.reasons[0].startswith("The challenger is not better by its making")


def test_judging_a_pair_again_is_one_look_and_one_decision(binary_world: World) -> None:
    first = judged(binary_world, side(binary_world, "2", noise=0.1), side(binary_world, "1", noise=0.1))
    judged(binary_world, side(binary_world, "33", noise=0.1), side(binary_world, "1", noise=0.1))
    again = judged(binary_world, side(binary_world, "2", noise=0.1), side(binary_world, "1", noise=0.1))
    assert again.id == first.id
    assert again.comparison == first.comparison
    assert len(records.list_looks("churn", binary_world.workspace)) == 2
    assert len(records.list_records("decision", "churn", Decision, binary_world.workspace)) == 2


def test_a_pair_on_more_rows_is_another_look_at_those_it_shares(binary_world: World) -> None:
    def sides(rows: int) -> tuple[Judged, Judged]:
        cut = []
        for made in (side(binary_world, "2", noise=0.1), side(binary_world, "1", noise=0.1)):
            table = frames.load_table(made.predictions.digest, binary_world.workspace).iloc[:rows]
            digest = frames.save_table(table.reset_index(drop=True), binary_world.workspace)
            cut.append(replace(made, predictions=replace(made.predictions, digest=digest, rows=rows)))
        return cut[0], cut[1]

    first = judged(binary_world, *sides(300))
    more = judged(binary_world, *sides(450))
    assert first.comparison is not None
    assert more.comparison is not None
    assert (first.comparison.look, more.comparison.look) == (1, 2)
    assert (first.comparison.rows, more.comparison.rows) == (300, 450)
    assert first.id != more.id


def test_each_look_at_the_same_rows_spends_less(binary_world: World) -> None:
    champion = side(binary_world, "1", noise=0.1)
    spent = []
    for number in range(2, 5):
        comparison = judged(binary_world, side(binary_world, str(number) * number, noise=0.1), champion).comparison
        assert comparison is not None
        spent.append((comparison.look, round(comparison.spent, 5)))
    assert spent == [(1, 0.04), (2, 0.00608), (3, 0.00152)]


def test_rows_in_no_earlier_look_start_anew(workspace: Workspace) -> None:
    assert take_look("churn", "champion:a:b", np.arange(10, dtype=np.uint64), workspace) == 1
    assert take_look("churn", "champion:a:c", np.arange(5, 15, dtype=np.uint64), workspace) == 2
    assert take_look("churn", "champion:a:d", np.arange(20, 30, dtype=np.uint64), workspace) == 1
    assert take_look("churn", "champion:a:b", np.arange(10, dtype=np.uint64), workspace) == 1


def test_rows_that_a_model_was_fitted_on_are_left_out(binary_world: World) -> None:
    held = frames.load_table(binary_world.predictions.digest, binary_world.workspace)["digest"].to_numpy()
    seen = frames.save_array(np.sort(held[:300]), binary_world.workspace)
    champion = side(binary_world, "1", noise=0.3)
    champion = replace(champion, model=replace(champion.model, training_rows=seen))
    decision = judged(binary_world, side(binary_world, "2"), champion)
    assert decision.comparison is not None
    assert decision.comparison.excluded == 300
    assert decision.comparison.rows == held.size - 300
    assert "300 rows were left out" in decision.reasons[1]


def test_a_version_that_needs_a_column_which_is_gone_is_not_compared(binary_world: World) -> None:
    champion = side(binary_world, "1", noise=0.4)
    lacking = replace(champion.predictions, digest="", rows=0, lacks=("age",))
    decision = judged(binary_world, side(binary_world, "2"), replace(champion, predictions=lacking))
    assert (decision.verdict, decision.comparison) == ("hold", None)
    assert "Version 1 cannot be compared on these rows: it needs the columns 'age'" in decision.reasons[0]


def test_rows_that_promoted_a_version_retire(binary_world: World) -> None:
    champion = side(binary_world, "1", noise=0.4)
    better = side(binary_world, "2", noise=0.2)
    assert judged(binary_world, better, champion).verdict == "promote"
    assert judged(binary_world, better, champion).verdict == "promote"
    later = judged(binary_world, side(binary_world, "3"), better)
    assert later.verdict == "hold"
    assert "too few rows to judge by: 0 that neither model" in later.reasons[0]


def test_a_gate_that_does_not_hold_holds_the_version(binary_world: World) -> None:
    gate = Gate("smoke test", False, "The Bento did not answer.")
    decision = judged(binary_world, side(binary_world, "2", gates=(gate,)), side(binary_world, "1", noise=0.4))
    assert decision.verdict == "hold"
    assert decision.reasons[0] == "The gate 'smoke test' does not hold: The Bento did not answer."


def test_a_first_version_is_promoted_if_it_beats_the_baseline(binary_world: World) -> None:
    world = binary_world
    found = evaluate(world.predictions, world.model, world.split, world.spec, world.workspace)
    assert judged(world, side(world, "1", evaluation=found), None).verdict == "promote"
    poor = replace(found, gain=0.001, gain_low=-0.01)
    decision = judged(world, side(world, "1", evaluation=poor), None)
    assert decision.verdict == "hold"
    assert decision.reasons[0].startswith("It does not beat the baseline")


def test_a_challenger_is_held_without_held_out_rows(binary_world: World) -> None:
    split = replace(binary_world.split, holdout_rows=0)
    decision = judge(side(binary_world, "2"), side(binary_world, "1"), split, binary_world.spec, binary_world.workspace)
    assert decision.verdict == "hold"
    assert "`split.holdout` is 0" in decision.reasons[0]


def test_an_equal_model_passes_within_the_margin(workspace: Workspace, tmp_path: Path) -> None:
    gates: Any = {"mode": "non_inferior", "margin": 0.01}
    world = make_world(make_table(3000, "binary"), workspace, "binary", tmp_path, gates=gates)
    assert judged(world, side(world, "2", noise=0.01), side(world, "1")).verdict == "promote"
    assert judged(world, side(world, "3", noise=0.5), side(world, "1")).verdict == "hold"


def test_a_class_that_the_champion_does_not_know_counts_against_it(workspace: Workspace, tmp_path: Path) -> None:
    table = make_table(4000, "multiclass")
    world = make_world(table, workspace, "multiclass", tmp_path)
    older = make_world(table[table["target"] != "mid"].reset_index(drop=True), workspace, "multiclass", tmp_path)
    answers = frames.load_table(world.predictions.digest, workspace)
    narrow = answers.drop(columns=["p2"]).assign(target=answers["target"].where(answers["target"] < 2, -1))
    predictions = replace(world.predictions, digest=frames.save_table(narrow, workspace))
    champion = Judged("1", replace(older.model, training_rows=world.model.training_rows), predictions, "1")
    decision = judged(world, Judged("2", world.model, world.predictions, "2"), champion)
    assert decision.verdict == "promote"
    assert decision.comparison is not None
    assert decision.comparison.rows == world.split.holdout_rows


@pytest.mark.parametrize("metric", ["accuracy", "f1", "average_precision", "log_loss", "cost"])
def test_every_metric_is_judged(metric: str, workspace: Workspace, tmp_path: Path) -> None:
    world = make_world(make_table(3000, "binary"), workspace, "binary", tmp_path, metric=metric)
    assert judged(world, side(world, "2"), side(world, "1", noise=0.5)).verdict == "promote"
