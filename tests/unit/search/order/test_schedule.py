"""What is tried next, where there is time: defaults, partial trials, portfolios, and the last fit."""

import math
from dataclasses import replace

import pytest

from penstock.domain.search import Value
from penstock.models._base import ModelFamily
from penstock.plugins import find_plugin
from penstock.search.order.plans import Shape
from penstock.search.order.schedule import Schedule
from penstock.search.trial_records import Ended, Kind
from tests.unit.search.order.trials import EVERYTHING, FEATURES, GOOD, POOR, Timed, ended, make


def test_what_is_quick_goes_first_and_is_whole() -> None:
    plan = make().next(EVERYTHING, 0, 20)
    assert plan is not None
    assert (plan.family, plan.kind, plan.folds) == ("linear", "default", (0, 1, 2, 3, 4))


def test_a_slot_is_given_only_what_its_processes_have_loaded() -> None:
    schedule = make()
    schedule.ended.append(ended(1, "linear", POOR, seconds=0.1))
    plan = schedule.next({"sklearn", "torch"}, 0, 20)
    assert plan is not None
    assert plan.family == "mlp"


def test_a_trial_leaves_the_time_to_fit_what_it_finds() -> None:
    schedule = make(lightgbm=Timed("lightgbm", 3))
    plan = schedule.next(EVERYTHING, 0, 20)
    assert plan is not None
    assert plan.deadline + plan.deadline / 5 * 1.25 <= 20


def test_a_family_too_slow_for_the_time_gets_one_fold_on_capped_rows() -> None:
    plan = make(slow=Timed("lightgbm", 14)).next(EVERYTHING, 0, 20)
    assert plan is not None
    assert (plan.kind, plan.folds) == ("partial", (0,))
    assert plan.most_rows is not None
    assert 500 <= plan.most_rows < 800


def test_with_a_minute_a_trial_whose_fits_stop_in_time_is_whole() -> None:
    plan = make(seconds=60, slow=Timed("lightgbm", 30)).next(EVERYTHING, 0, 60)
    assert plan is not None
    assert plan.kind == "default"


@pytest.mark.parametrize("name", ["forest", "mlp"])
def test_with_a_minute_a_family_too_slow_for_a_million_rows_has_a_short_trial_on_some(name: str) -> None:
    schedule = make(seconds=60, **{name: find_plugin("penstock.models", ModelFamily, name)()})  # type: ignore[arg-type]
    schedule.shape = Shape((800_000,) * 5, 1_000_000, {"tree": 30, "dense": 30}, 2)
    plan = schedule.next(EVERYTHING, 0, 60)
    assert plan is not None
    assert (plan.family, plan.kind, plan.folds) == (name, "partial", (0,))
    assert plan.most_rows is not None
    assert 500 <= plan.most_rows < 800_000
    assert plan.predicted <= 6  # a tenth of the time


def test_with_a_minute_a_partial_trial_ends_no_whole_one_that_is_on_its_way() -> None:
    schedule = make(seconds=60, slow=Timed("lightgbm", 30), slower=Timed("torch", 3000))
    first = schedule.next({"lightgbm"}, 0, 60)
    assert first is not None
    assert first.kind == "default"
    schedule.running[3] = first
    schedule.ended += [ended(1, "baseline", POOR, seconds=0.1), ended(2, "slower", (0.9,), "partial", seconds=300)]
    schedule.fitted.add(1)
    assert schedule.must_fit(60) == 60
    schedule.running.clear()
    schedule.skips["slow"] = "its process died"
    assert schedule.must_fit(60) < 0  # nothing else is to come: to fit it on all rows takes all that is left


def test_a_family_that_cannot_be_tried_at_all_is_skipped_with_the_figures() -> None:
    for seconds in (20, 60):
        schedule = make(seconds, hopeless=Timed("lightgbm", 5000))
        assert schedule.next(EVERYTHING, 0, seconds) is None
        told = schedule.reasons["hopeless"]
        assert told.startswith("one fold of 500 rows is predicted to take 3125.0 s, and ")
        assert told.endswith(f" s of the {seconds}.0 s left were free for it")


def test_the_reason_of_a_skip_names_the_rows_that_there_are() -> None:
    schedule = make(hopeless=Timed("lightgbm", 5000))
    schedule.shape = Shape((300,) * 5, 375, FEATURES, 2)
    assert schedule.next(EVERYTHING, 0, 20) is None
    assert "one fold of 300 rows is predicted to take 1875.0 s" in schedule.reasons["hopeless"]


def test_the_number_of_trials_is_a_limit_too() -> None:
    schedule = make(trials=1)
    schedule.ended.append(ended(1, "baseline", POOR))
    assert schedule.next(EVERYTHING, 0, 20) is None


def test_a_search_that_has_fitted_its_best_goes_on_to_the_end() -> None:
    schedule = make(linear=Timed("sklearn", 0.01), lightgbm=Timed("lightgbm", 1))
    schedule.ended = [ended(1, "linear", POOR), ended(2, "lightgbm", GOOD)]
    best = schedule.fit_early(EVERYTHING)
    assert best is schedule.ended[1]
    assert schedule.must_fit(20) < 20
    schedule.fitted.add(2)
    assert schedule.fit_early(EVERYTHING) is None
    assert schedule.must_fit(20) == 20


def test_every_family_in_the_folder_says_what_a_fit_needs() -> None:
    for name in ("baseline", "linear", "forest", "lightgbm", "mlp"):
        needs = find_plugin("penstock.models", ModelFamily, name)().needs(10_000, 20, 2)
        assert 0 < needs.seconds < math.inf


def test_boosted_trees_go_before_what_is_not_quick() -> None:
    schedule = make(forest=Timed("sklearn", 0.5), lightgbm=Timed("lightgbm", 1))
    plan = schedule.next(EVERYTHING, 0, 20)
    assert plan is not None
    assert plan.family == "lightgbm"


def test_portfolios_follow_the_defaults_and_tuning_follows_them() -> None:
    schedule = make(lightgbm=Timed("lightgbm", 0.1))
    schedule.portfolios = {"lightgbm": ({"rate": 0.3}, {"rate": 0.5})}
    schedule.ended.append(ended(1, "lightgbm", GOOD))
    kinds = []
    for number in range(2, 5):
        plan = schedule.next(EVERYTHING, 0, 100)
        assert plan is not None
        kinds.append((plan.kind, schedule.given(plan)))
        schedule.running[number] = plan
    assert kinds == [("portfolio", {"rate": 0.3}), ("portfolio", {"rate": 0.5}), ("tuned", {})]


def tried(number: int, kind: Kind = "portfolio", **parameters: Value) -> Ended:
    one = ended(number, "lightgbm", GOOD, kind)
    return replace(one, trial=replace(one.trial, parameters=parameters))


def with_portfolio() -> Schedule:
    schedule = make(lightgbm=Timed("lightgbm", 0.1))
    schedule.portfolios = {"lightgbm": ({"rate": 0.3}, {"rate": 0.5}, {"rate": 0.7})}
    schedule.ended.append(ended(1, "lightgbm", GOOD))
    return schedule


@pytest.mark.parametrize("kept", [(0.3,), (0.5,), (0.5, 0.7), (0.3, 0.7)])
def test_a_resumed_search_tries_the_places_of_a_portfolio_that_it_did_not_and_no_other(kept: tuple[float, ...]) -> None:
    schedule = with_portfolio()
    schedule.ended += [tried(2 + place, rate=rate) for place, rate in enumerate(kept)]
    found = []
    for number in range(5, 8):
        plan = schedule.next(EVERYTHING, 0, 100)
        assert plan is not None
        found += [schedule.given(plan)["rate"]] if plan.kind == "portfolio" else []
        schedule.running[number] = plan
    assert found == [rate for rate in (0.3, 0.5, 0.7) if rate not in kept]


def test_a_place_whose_process_died_is_tried_again_and_one_that_was_given_up_is_not() -> None:
    schedule = with_portfolio()
    first = schedule.next(EVERYTHING, 0, 100)
    assert first is not None
    schedule.running[2] = first
    del schedule.running[2]
    assert schedule.next(EVERYTHING, 0, 100) == first
    schedule.give_up(tried(2, rate=0.3))
    second = schedule.next(EVERYTHING, 0, 100)
    assert second is not None
    assert schedule.given(second) == {"rate": 0.5}
    assert schedule.skips == {}
    schedule.give_up(tried(3, "default"))
    assert list(schedule.skips) == ["lightgbm"]


def test_a_portfolio_reaches_families_that_may_help_a_mean_though_many_rows_make_folds_agree() -> None:
    schedule = make(lightgbm=Timed("lightgbm", 1), mlp=Timed("torch", 1))
    schedule.portfolios = {"mlp": ({"rate": 0.5},)}
    schedule.ended += [ended(1, "baseline", (0.5,) * 5), ended(2, "lightgbm", (0.9,) * 5), ended(3, "mlp", (0.89,) * 5)]
    plan = schedule.next({"torch"}, 0, 20)
    assert plan is not None
    assert (plan.family, plan.kind) == ("mlp", "portfolio")


def test_a_slow_configuration_has_its_time_where_there_is_plenty() -> None:
    schedule = make(60, lightgbm=Timed("lightgbm", 1))
    schedule.portfolios = {"lightgbm": ({"rate": 0.02},)}
    schedule.ended.append(ended(1, "lightgbm", GOOD, seconds=1))
    plan = schedule.next(EVERYTHING, 0, 60)
    assert plan is not None
    assert plan.deadline > 12
    late = schedule.next(EVERYTHING, 57.5, 60)
    assert late is not None
    assert late.deadline < 60
