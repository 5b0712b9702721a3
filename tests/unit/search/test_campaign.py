import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest

from penstock.domain.search import Trial
from penstock.search import campaign
from penstock.search.machine import slots
from penstock.search.model.blend import Blend
from penstock.search.order import board
from penstock.search.phases import refit
from penstock.search.work import Found, Hooks, Progress, Work
from tests.unit.search.conftest import FOLDS, ROWS, make_rows, make_work


def states(found: Found) -> dict[str, str]:
    return {trial.family: trial.state for trial in found.trials}


def of(found: Found, family: str) -> Trial:
    return next(trial for trial in found.trials if trial.family == family)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> tuple[Found, Work]:
    work = make_work(tmp_path_factory.mktemp("search"), "linear", trials=4)
    return campaign.run(work), work


def prepared(found: Found, work: Work) -> Blend:
    recipe = pickle.loads(found.model.read_bytes())  # noqa: S301  written by this test
    return recipe.prepare(work.families)  # type: ignore[no-any-return]


def test_the_best_whole_candidate_is_fitted_on_all_rows(found: tuple[Found, Work]) -> None:
    result, work = found
    assert result.best.family == "linear"
    (member,) = prepared(result, work).members
    assert len(member.parts) == 1
    assert member.parts[0].estimator.predict(np.zeros((5, 5), np.float32)).shape == (5, 2)


def test_with_few_rows_a_bag_gives_way_to_one_fit_on_all_of_them(tmp_path: Path) -> None:
    work = make_work(tmp_path, "lightgbm")
    (member,) = prepared(campaign.run(work), work).members
    assert len(member.parts) == 1


def test_a_family_that_bags_needs_no_fit_on_all_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(board, "FEW_ROWS", 100)
    work = make_work(tmp_path, "lightgbm")
    result = campaign.run(work)
    (member,) = prepared(result, work).members
    assert len(member.parts) == FOLDS
    assert len({id(part.pipeline) for part in member.parts}) == FOLDS
    assert not list(tmp_path.glob("estimator-2.pkl"))


def test_rows_in_time_order_leave_one_model_fitted_on_all_rows(tmp_path: Path) -> None:
    work = replace(make_work(tmp_path, "lightgbm"), rows=make_rows(time_ordered=True))
    (member,) = prepared(campaign.run(work), work).members
    assert len(member.parts) == 1


def test_the_baseline_comes_first_and_the_number_of_trials_is_kept(
    found: tuple[Found, Work],
) -> None:
    result, _ = found
    assert result.trials[0].family == "baseline"
    assert sum(trial.state != "skipped" for trial in result.trials) == 4


def test_each_row_has_one_out_of_fold_prediction(found: tuple[Found, Work]) -> None:
    result, _ = found
    predictions = np.load(result.out_of_fold)
    assert predictions.shape == (ROWS, 2)
    assert np.isfinite(predictions).all()


def test_a_repeated_search_of_the_same_folder_keeps_what_is_there(
    found: tuple[Found, Work],
) -> None:
    result, work = found
    before = result.model.read_bytes()
    again = campaign.run(work)
    assert again.model.read_bytes() == before
    assert again.resumed == sum(trial.state == "finished" for trial in result.trials)
    assert (again.trials, again.best) == (result.trials, result.best)


def test_a_folder_that_searched_other_rows_is_emptied(tmp_path: Path) -> None:
    (tmp_path / "rows.json").write_text('{"rows": "other"}', encoding="utf-8")
    (tmp_path / "journal.log").write_text("not a journal\n", encoding="utf-8")
    assert campaign.run(make_work(tmp_path, trials=1)).resumed == 0


@pytest.mark.usefixtures("mischief")
def test_a_process_that_dies_is_tried_twice_again_and_a_family_that_raises_is_not(tmp_path: Path) -> None:
    result = campaign.run(make_work(tmp_path / "search", "quitter", "clumsy", seconds=30, trials=None))
    tried = [trial.family for trial in result.trials]
    assert (tried.count("quitter"), tried.count("clumsy")) == (3, 1)
    assert "ended with 3" in of(result, "quitter").reason
    assert of(result, "clumsy").reason == "ValueError: this family stumbles"


@pytest.mark.usefixtures("mischief")
def test_a_configuration_of_a_portfolio_that_dies_is_tried_twice_again_and_the_next_once(tmp_path: Path) -> None:
    result = campaign.run(make_work(tmp_path / "search", "mortal", seconds=60, trials=3))
    tried = [(trial.parameters["shade"], trial.state) for trial in result.trials if trial.family == "mortal"]
    assert tried == [(1, "finished"), (2, "failed"), (2, "failed"), (2, "failed"), (3, "finished")]


def test_a_family_that_needs_more_memory_than_any_slot_has_is_skipped_with_the_figures(tmp_path: Path) -> None:
    result = campaign.run(make_work(tmp_path, "forest", memory_mb=125))
    assert states(result) == {"baseline": "finished", "forest": "skipped"}
    assert "more than the slot's 125 MB" in of(result, "forest").reason


def test_a_mean_is_looked_for_though_what_that_takes_is_no_longer_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refit, "choosing_seconds", lambda _: 1e6)
    found = campaign.run(make_work(tmp_path, "linear", "forest", trials=3))
    assert not any("no time was left" in reason for reason in found.reasons)


def test_where_no_slot_starts_any_more_the_best_so_far_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def desert(progress: Progress) -> None:
        if progress.done > 1:  # the baseline, and one of a slot's
            monkeypatch.setattr(slots, "_command", lambda *_: ["false"])
            for process in psutil.Process().children():
                process.kill()

    work = make_work(tmp_path, "lightgbm", trials=500)
    work = replace(work, settings=replace(work.settings, deterministic=True))  # time would not end it
    result = campaign.run(work, Hooks(progress=desert))
    assert result.best.family in {"lightgbm", "ensemble"}
    assert "no slot started any more after" in result.reasons[0]


def test_a_search_says_what_no_model_can_beat(tmp_path: Path) -> None:
    work = make_work(tmp_path, "linear", trials=1)
    alike = replace(work.rows, numbers=np.zeros_like(work.rows.numbers), texts=np.full_like(work.rows.texts, "red"))
    result = campaign.run(replace(work, rows=alike))
    assert "no model can have a better AUC than 0.5000 on these rows: 100% of them" in result.reasons[0]
