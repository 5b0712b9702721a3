"""Scores on held-out rows: the interval, the baseline, slices, and rows out of fold where none are held out."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from penstock.domain.evaluation import Score
from penstock.domain.workspace import Workspace
from penstock.evaluation.holdout import evaluate
from penstock.evaluation.insight.slices import holm
from penstock.evaluation.intervals.dependence import Dependence, find_dependence
from penstock.evaluation.intervals.resampling import Resampling, interval
from penstock.store import frames
from tests.unit.evaluation.conftest import World, make_table, make_world


def evaluated(world: World):  # type: ignore[no-untyped-def]  # noqa: ANN201
    return evaluate(world.predictions, world.model, world.split, world.spec, world.workspace)


@pytest.mark.parametrize("problem", ["binary", "multiclass", "regression"])
def test_a_good_model_beats_the_baseline_and_lies_in_its_interval(
    problem: str, workspace: Workspace, tmp_path: Path
) -> None:
    world = make_world(make_table(3000, problem), workspace, problem, tmp_path)
    found = evaluated(world)
    for score in (found.score, found.baseline, *found.others):
        assert score.low <= score.value <= score.high
    assert found.gain_low > 0
    assert found.gain >= found.gain_low
    assert found.score.rows == world.split.holdout_rows
    assert sum(map(sum, found.confusion)) == (0 if problem == "regression" else world.split.holdout_rows)


def test_the_interval_covers_chance_on_pure_noise() -> None:
    covered = 0
    for seed in range(60):
        random = np.random.default_rng(seed)
        target, p = random.integers(0, 2, 200), random.random(200)
        found = interval("roc_auc", target, p, Resampling(Dependence(200), seed=seed))
        covered += found.low <= 0.5 <= found.high
    assert covered >= 54


def test_a_model_of_noise_does_not_beat_the_baseline(workspace: Workspace, tmp_path: Path) -> None:
    table = make_table(2000, "binary")
    table["target"] = np.random.default_rng(4).choice(["no", "yes"], 2000)
    found = evaluated(make_world(table, workspace, "binary", tmp_path))
    assert found.score.low <= 0.5 <= found.score.high
    assert not found.gain_low > 0


def test_the_same_evaluation_comes_out_twice(binary_world: World) -> None:
    assert evaluated(binary_world) == evaluated(binary_world)


def test_a_positive_class_that_comes_first_scores_the_same(workspace: Workspace, tmp_path: Path) -> None:
    table = make_table(2000, "binary")
    usual = make_world(table, workspace, "binary", tmp_path, metric="average_precision", positive="yes")
    table["target"] = table["target"].map({"no": "stays", "yes": "leaves"}).astype("str")
    renamed = make_world(table, workspace, "binary", tmp_path, metric="average_precision", positive="leaves")
    assert renamed.model.signature.positive == 0
    assert evaluated(renamed).score.value == pytest.approx(evaluated(usual).score.value, abs=1e-6)
    assert evaluated(renamed).confusion[1][1] == evaluated(usual).confusion[1][1]


def test_groups_widen_the_interval(workspace: Workspace, tmp_path: Path) -> None:
    table = make_table(300, "regression").loc[np.repeat(np.arange(300), 8)].reset_index(drop=True)
    alone = evaluated(make_world(table, workspace, "regression", tmp_path)).score
    groups = np.repeat(np.arange(300), 8)
    grouped = evaluated(make_world(table, workspace, "regression", tmp_path, groups=groups))
    assert width(grouped.score) > 1.3 * width(alone)
    assert "groups of rows that belong together" in grouped.notes[1]


def width(score: Score) -> float:
    return score.high - score.low


def test_time_ordered_rows_are_drawn_by_day(workspace: Workspace, tmp_path: Path) -> None:
    table = make_table(2400, "regression")
    table["day"] = np.datetime64("2026-01-01", "us") + (np.arange(2400) // 24).astype("timedelta64[D]")
    world = make_world(table, workspace, "regression", tmp_path, time="day")
    assert "days again" in evaluated(world).notes[1]


def test_ids_and_days_at_once_both_widen_the_interval(workspace: Workspace, tmp_path: Path) -> None:
    table = make_table(60, "regression").loc[np.tile(np.arange(60), 40)].reset_index(drop=True)
    table["day"] = np.datetime64("2026-01-01", "us") + np.repeat(np.arange(40), 60).astype("timedelta64[D]")
    days = evaluated(make_world(table, workspace, "regression", tmp_path, time="day"))
    groups = np.tile(np.arange(60), 40)
    both = evaluated(make_world(table, workspace, "regression", tmp_path, time="day", groups=groups))
    assert width(both.score) > 2 * width(days.score)
    assert "by Student's t on " in both.notes[1]
    assert " and groups of rows that belong together" in both.notes[1]


def test_without_holdout_the_score_is_out_of_fold_and_says_so(binary_world: World) -> None:
    split = replace(binary_world.split, holdout_rows=0)
    found = evaluate(None, binary_world.model, split, binary_world.spec, binary_world.workspace)
    assert found.side == "out_of_fold"
    assert "no rows are held out" in found.notes[0]
    assert found.score.rows == binary_world.split.train_rows


def test_rows_that_no_fold_validates_are_left_out(binary_world: World) -> None:
    world = binary_world
    table = frames.load_table(world.model.out_of_fold, world.workspace)
    table.loc[:499, ["p0", "p1"]] = np.nan
    model = replace(world.model, out_of_fold=frames.save_table(table, world.workspace))
    found = evaluate(None, model, replace(world.split, holdout_rows=0), world.spec, world.workspace)
    assert found.score.rows == world.split.train_rows - 500
    assert np.isfinite(found.score.value)


def test_a_slice_with_wrong_labels_is_found(workspace: Workspace, tmp_path: Path) -> None:
    table = make_table(8000, "binary", noise=0.2)
    wrong = (table["plan"] == "team").to_numpy() & (np.random.default_rng(2).random(8000) < 0.4)
    table.loc[wrong, "target"] = np.where(table.loc[wrong, "target"] == "yes", "no", "yes")
    found = evaluated(make_world(table, workspace, "binary", tmp_path))
    assert ("plan", "team") in [(entry.column, entry.value) for entry in found.slices]


def test_p_values_are_corrected_for_their_number() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([]) == []


def test_few_days_are_cut_into_runs() -> None:
    times = np.datetime64("2026-01-01T00:00", "us") + np.arange(300).astype("timedelta64[m]")
    found = find_dependence(np.arange(300), times, time_ordered=True)
    assert found.time is not None
    assert len(np.unique(found.time)) == 30
