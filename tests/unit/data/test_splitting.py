"""Which rows train and which are held out."""

from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from penstock.data.ingestion import keep_table
from penstock.data.splitting import load_assignment, split, split_unseen
from penstock.domain.datasets import DatasetVersion, Split
from penstock.domain.features import Decoding
from penstock.domain.models import FittedModel, ModelVersion, Signature
from penstock.domain.workspace import Workspace
from penstock.errors import DataError, SpecError
from penstock.spec import ProjectSpec
from penstock.store.frames import load_array, save_array


def _spec(**settings: Any) -> ProjectSpec:
    return ProjectSpec.model_validate(
        {
            "name": "shop",
            "source": {"kind": "csv_file", "path": "x"},
            "target": "y",
            "path": Path("shop.yaml"),
            **settings,
        }
    )


def _kept(frame: pd.DataFrame, workspace: Workspace) -> DatasetVersion:
    return keep_table(frame, "shop", "test", workspace)


def _champion(dataset: DatasetVersion) -> ModelVersion:
    return ModelVersion("shop", "1", "t", "r", "m", "b", dataset.digest, datetime.now(UTC))


def _table(rows: int, seed: int = 0) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    return pd.DataFrame({"x": random.normal(size=rows), "y": np.where(random.random(rows) < 0.3, "yes", "no")})


def _hourly(days: int, start: str = "2026-01-01") -> pd.DataFrame:
    times = pd.date_range(start, periods=days * 24, freq="h").as_unit("us")
    return pd.DataFrame({"at": times, "y": np.random.default_rng(1).normal(size=len(times))})


def test_the_same_table_gives_the_same_split(workspace: Workspace) -> None:
    dataset = _kept(_table(1000), workspace)
    assert split(dataset, None, _spec(), workspace) == split(dataset, None, _spec(), workspace)


def test_sides_and_folds_have_their_shares_and_every_class(workspace: Workspace) -> None:
    frame = _table(3000)
    made = split(_kept(frame, workspace), None, _spec(), workspace)
    assignment = load_assignment(made, workspace)
    assert (made.kind, made.folds, made.train_rows + made.holdout_rows) == ("hash", 5, 3000)
    assert abs(made.holdout_rows - 600) < 100
    shares = [float((frame["y"][assignment == fold] == "yes").mean()) for fold in range(5)]
    assert max(shares) - min(shares) < 0.02


def test_a_row_keeps_its_side_when_rows_are_added(workspace: Workspace) -> None:
    frame = _table(3000)
    before = load_assignment(split(_kept(frame[:2000], workspace), None, _spec(), workspace), workspace)
    shuffled = frame.sample(frac=1, random_state=0)
    after = load_assignment(
        split(_kept(shuffled.reset_index(drop=True), workspace), None, _spec(), workspace), workspace
    )
    again = pd.Series(after, index=shuffled.index).sort_index()[:2000]
    assert np.array_equal(before == -1, again.to_numpy() == -1)


def test_a_row_keeps_its_side_when_a_column_is_added(workspace: Workspace) -> None:
    frame = _table(1000)
    before = load_assignment(split(_kept(frame, workspace), None, _spec(), workspace), workspace)
    more = frame.assign(z=np.arange(1000) / 7)
    assert np.array_equal(before, load_assignment(split(_kept(more, workspace), None, _spec(), workspace), workspace))


def test_rows_of_one_id_are_never_split(workspace: Workspace) -> None:
    frame = _table(2000).assign(who=np.arange(2000) // 4)
    made = split(_kept(frame, workspace), None, _spec(id="who"), workspace)
    sides = pd.Series(load_assignment(made, workspace)).groupby(frame["who"]).nunique()
    assert (made.kind, made.key, made.grouped, sides.max()) == ("group", ("who",), True, 1)


@pytest.mark.parametrize("problem", ["binary", "regression"])
def test_an_id_of_one_value_is_refused(workspace: Workspace, problem: str) -> None:
    frame = _table(100).assign(who="one")
    frame = frame if problem == "binary" else frame.assign(y=frame["x"] * 2)
    with pytest.raises(DataError, match=r"groups to judge by.*of 1 group.*name another `id`"):
        split(_kept(frame, workspace), None, _spec(id="who"), workspace)


def test_repeated_feature_rows_of_a_panel_are_found_and_grouped(workspace: Workspace) -> None:
    statsmodels = pytest.importorskip(
        "statsmodels.datasets", reason="RAND comes with statsmodels, which must be installed"
    )
    rand = statsmodels.randhie.load_pandas().data
    rand["y"] = np.where(rand.pop("mdvis") >= 5, "often", "seldom")
    made = split(_kept(rand, workspace), None, _spec(), workspace)
    groups = np.asarray(load_array(made.groups, workspace))
    sides = pd.Series(load_assignment(made, workspace)).groupby(groups).nunique()
    assert (len(sides), len(rand), made.grouped, sides.max()) == (2760, 20190, True, 1)
    assert "2,760 distinct feature rows among 20,190 rows" in made.reason


def test_rows_that_are_alike_by_chance_are_not_grouped(workspace: Workspace) -> None:
    random = np.random.default_rng(0)
    frame = pd.DataFrame({name: random.integers(0, 3, 3000) for name in "abc"})
    made = split(_kept(frame.assign(y=random.normal(size=3000)), workspace), None, _spec(), workspace)
    assert not made.grouped
    assert abs(made.holdout_rows - 600) < 100
    assert "by chance" in made.reason


def test_rows_without_a_target_are_unused(workspace: Workspace) -> None:
    frame = _table(200)
    frame.loc[:49, "y"] = np.nan
    made = split(_kept(frame, workspace), None, _spec(), workspace)
    assert made.unused_rows == 50
    assert set(load_assignment(made, workspace)[:50]) == {-2}


@pytest.mark.parametrize("rare", [3, 4, 6, 10])
def test_few_rows_of_a_class_reach_both_sides_and_every_fold(workspace: Workspace, rare: int) -> None:
    frame = pd.DataFrame({"x": np.arange(100) * 1.5, "y": ["yes"] * rare + ["no"] * (100 - rare)})
    made = split(_kept(frame, workspace), None, _spec(), workspace)
    assignment = load_assignment(made, workspace)
    assert set(assignment[:rare]) == {-1, *range(made.folds)}


def test_a_class_with_one_row_trains_in_every_fold(workspace: Workspace) -> None:
    frame = pd.DataFrame({"x": np.arange(100) * 1.5, "y": ["a"] * 60 + ["b"] * 39 + ["c"]})
    assert load_assignment(split(_kept(frame, workspace), None, _spec(), workspace), workspace)[-1] == -3


def test_no_holdout_is_allowed(workspace: Workspace) -> None:
    spec = _spec(split={"holdout": 0})
    assert split(_kept(_table(300), workspace), None, spec, workspace).holdout_rows == 0
    timed = split(_kept(_hourly(20), workspace), None, _spec(split={"holdout": 0}, time="at"), workspace)
    assert (timed.holdout_rows, timed.cut) == (0, None)


def test_too_few_rows_or_too_rare_a_class_are_refused(workspace: Workspace) -> None:
    with pytest.raises(DataError, match="At least 20 rows must have a value of 'y', but 10"):
        split(_kept(_table(10), workspace), None, _spec(), workspace)
    frame = pd.DataFrame({"x": np.arange(50) * 1.5, "y": ["yes"] * 2 + ["no"] * 48})
    with pytest.raises(DataError, match="at least 3 rows, but 'yes' has 2"):
        split(_kept(frame, workspace), None, _spec(), workspace)


def test_time_must_be_a_column_of_dates(workspace: Workspace) -> None:
    dataset = _kept(_table(100), workspace)
    with pytest.raises(SpecError, match="`time` must name a column, but the table has no 'at'"):
        split(dataset, None, _spec(time="at"), workspace)
    with pytest.raises(SpecError, match="column of dates, but 'x'"):
        split(dataset, None, _spec(time="x"), workspace)


def test_the_newest_rows_of_a_first_file_are_held_out_from_a_day_s_start(workspace: Workspace) -> None:
    frame = _hourly(100).sample(frac=1, random_state=0).reset_index(drop=True)
    made = split(_kept(frame, workspace), None, _spec(time="at"), workspace)
    assignment = load_assignment(made, workspace)
    held = frame["at"][assignment == -1]
    assert made.cut == held.min().to_pydatetime().replace(tzinfo=UTC)
    assert made.cut.hour == 0
    assert frame["at"][assignment != -1].max() < held.min()
    assert made.holdout_rows == 480


def test_folds_of_a_time_ordered_table_follow_each_other(workspace: Workspace) -> None:
    frame = _hourly(100)
    made = split(_kept(frame, workspace), None, _spec(time="at"), workspace)
    assignment = load_assignment(made, workspace)
    order = [-3, 0, 1, 2, 3, 4, -1]
    assert made.time_ordered
    spans = [(frame["at"][assignment == side].min(), frame["at"][assignment == side].max()) for side in order]
    assert all(before[1] < after[0] for before, after in pairwise(spans))


def test_the_newest_half_of_new_rows_is_held_out_once_a_champion_serves(workspace: Workspace) -> None:
    spec, frame = _spec(time="at", gates={"min_rows": 100}), _hourly(200)
    first = _kept(frame[: 100 * 24], workspace)
    before = split(first, None, spec, workspace)
    after = split(_kept(frame, workspace), _champion(first), spec, workspace)
    assert after.holdout_rows == 50 * 24
    assert after.cut == frame["at"].iloc[150 * 24].to_pydatetime().replace(tzinfo=UTC)
    assert before.cut is not None
    assert before.cut < after.cut


def test_few_new_rows_are_joined_by_former_holdout_rows_up_to_the_least_number(workspace: Workspace) -> None:
    spec, frame = _spec(time="at", gates={"min_rows": 240}), _hourly(105)
    first = _kept(frame[: 100 * 24], workspace)
    split(first, None, spec, workspace)
    assert split(_kept(frame, workspace), _champion(first), spec, workspace).holdout_rows == 240


def test_rows_never_move_from_training_to_holdout(workspace: Workspace) -> None:
    spec, frame = _spec(time="at", gates={"min_rows": 2000}), _hourly(102)
    first = _kept(frame[: 100 * 24], workspace)
    before = split(first, None, spec, workspace)
    after = split(_kept(frame, workspace), _champion(first), spec, workspace)
    assert after.cut == before.cut


def test_without_new_rows_the_split_stays(workspace: Workspace) -> None:
    dataset, spec = _kept(_hourly(100), workspace), _spec(time="at")
    first = split(dataset, None, spec, workspace)
    again = split(dataset, _champion(dataset), spec, workspace)
    assert replace(again, reason="") == replace(first, reason="")


def test_both_classes_stand_on_both_sides_of_a_cut_in_time(workspace: Workspace) -> None:
    frame = _hourly(100)
    frame["y"] = np.where(np.arange(len(frame)) % 7 == 0, "yes", "no")
    frame.loc[frame.index[-700:], "y"] = "no"
    made = split(_kept(frame, workspace), None, _spec(time="at"), workspace)
    held = frame["y"][load_assignment(made, workspace) == -1]
    assert set(held) == {"yes", "no"}


def test_rows_without_a_time_train_in_every_fold(workspace: Workspace) -> None:
    frame = _hourly(50)
    frame.loc[:9, "at"] = pd.NaT
    made: Split = split(_kept(frame, workspace), None, _spec(time="at"), workspace)
    assert set(load_assignment(made, workspace)[:10]) == {-3}
    assert "10 rows without a time" in made.reason


def test_rows_that_either_model_was_fitted_on_are_not_judged_by(workspace: Workspace) -> None:
    frame = _table(600)
    first = split(_kept(frame.iloc[:400].reset_index(drop=True), workspace), None, _spec(), workspace)
    digests = load_array(first.row_digests, workspace)
    models = tuple(_fitted(np.sort(digests[rows]), workspace) for rows in (slice(0, 250), slice(200, 300)))
    made = split_unseen(_kept(frame, workspace), models, _spec(), workspace)
    assignment = load_assignment(made, workspace)
    assert (assignment[:300] == -2).all()
    assert (assignment[300:] == -1).all()
    assert (made.train_rows, made.holdout_rows) == (0, 300)


def _fitted(digests: np.ndarray, workspace: Workspace) -> FittedModel:
    signature = Signature("shop", "binary", "y", Decoding(()))
    rows = save_array(digests, workspace)
    return FittedModel("shop", "m", "d", "p", "linear", {}, signature, rows, "", "none", 0.0)
