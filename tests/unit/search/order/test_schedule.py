import math
from dataclasses import replace

import pytest

from penstock.domain.features import Flavour
from penstock.domain.search import Budget, Real, Trial, Value
from penstock.errors import ModelError
from penstock.models._base import ModelFamily, Needs
from penstock.plugins import find_plugin
from penstock.search.order.plans import Shape
from penstock.search.order.schedule import Schedule
from penstock.search.selection import rank
from penstock.search.tuning import Ended, Kind

FEATURES: dict[Flavour, int] = {"tree": 10, "dense": 20}


class Timed:
    """A family of which only library, flavour and needs are asked."""

    flavour: Flavour = "tree"

    def __init__(self, library: str, seconds: float) -> None:
        self.library, self.seconds = library, seconds

    def needs(self, rows: int, features: int, classes: int) -> Needs:
        del features, classes
        return Needs(10, self.seconds * rows / 800)


def make(seconds: float = 20, trials: int | None = None, **families: Timed) -> Schedule:
    known = families or {"linear": Timed("sklearn", 0.01), "lightgbm": Timed("lightgbm", 1), "mlp": Timed("torch", 2)}
    return Schedule(
        families=known,  # type: ignore[arg-type]
        shape=Shape((800,) * 5, 1000, FEATURES, 2),
        budget=Budget(seconds, trials),
        slots=2,
        defaults={name: {} for name in known},
        spaces={name: {"rate": Real(0, 1)} if name != "linear" else {} for name in known},
    )


def ended(number: int, family: str, scores: tuple[float, ...], kind: Kind = "default", seconds: float = 5) -> Ended:
    trial = Trial(
        number=number,
        family=family,
        parameters={},
        state="finished",
        score=sum(scores) / len(scores),
        fold_scores=scores,
        seconds=seconds,
        slot=0,
        partial=kind == "partial",
    )
    return Ended(trial, kind, {}, 100 * number, tuple(seconds / 5 for _ in scores))


EVERYTHING = {"sklearn", "lightgbm", "torch"}
GOOD, FAIR, POOR = (0.9, 0.91, 0.89, 0.92, 0.88), (0.89, 0.905, 0.885, 0.91, 0.88), (0.7, 0.7, 0.7, 0.7, 0.7)


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


def test_a_family_whose_turn_did_not_come_says_so() -> None:
    assert make().reasons["mlp"] == "the budget ended before its turn"


def test_families_within_noise_of_the_best_are_tuned_in_turn() -> None:
    schedule = make()
    schedule.ended += [ended(1, "baseline", POOR), ended(2, "lightgbm", GOOD), ended(3, "mlp", FAIR)]
    assert schedule.in_race() == ["lightgbm", "mlp"]
    schedule.ended.append(ended(4, "lightgbm", GOOD, "tuned"))
    assert schedule.in_race() == ["mlp", "lightgbm"]


def test_a_family_that_gained_nothing_for_long_is_settled() -> None:
    schedule = make()
    schedule.ended += [ended(number, "lightgbm", GOOD, "tuned") for number in range(1, 50)]
    assert schedule.in_race() == []


def test_a_trial_behind_the_best_on_its_folds_is_hopeless_and_one_within_noise_is_not() -> None:
    schedule = make()
    schedule.ended += [ended(1, "lightgbm", GOOD), ended(2, "lightgbm", FAIR)]
    assert schedule.hopeless("lightgbm", [0.80, 0.81])
    assert not schedule.hopeless("lightgbm", [0.90, 0.905])


def test_the_number_of_trials_is_a_limit_too() -> None:
    schedule = make(trials=1)
    schedule.ended.append(ended(1, "baseline", POOR))
    assert schedule.next(EVERYTHING, 0, 20) is None


def test_predictions_follow_what_was_measured() -> None:
    schedule = make()
    before = schedule.predicted("lightgbm", 800)
    schedule.ended.append(ended(1, "lightgbm", GOOD, seconds=10))
    assert schedule.predicted("lightgbm", 800) == pytest.approx(2 * before)


def test_the_best_score_wins_and_equals_go_to_the_smaller() -> None:
    candidates = [ended(3, "mlp", GOOD), ended(2, "lightgbm", GOOD), ended(1, "baseline", POOR)]
    assert [one.trial.number for one in rank(candidates, lambda _: True).candidates] == [2, 3, 1]


def test_a_partial_trial_wins_only_if_no_whole_one_finished() -> None:
    partial, whole = ended(1, "mlp", (0.99,), "partial"), ended(2, "linear", POOR)
    assert rank([partial, whole], lambda _: True).candidates == (whole,)


def test_a_partial_trial_wins_over_the_baseline_alone_and_is_waited_for() -> None:
    partial, baseline = ended(1, "mlp", (0.99,), "partial"), ended(2, "baseline", POOR)
    found = rank([partial, baseline], lambda _: True)
    assert found.candidates == (partial, baseline)
    assert "best partial one" in found.reasons[0]
    schedule = make()
    schedule.ended, schedule.fitted = [partial, baseline], {2}
    assert schedule.must_fit(20) < 19


def test_a_search_that_has_fitted_its_best_goes_on_to_the_end() -> None:
    schedule = make(linear=Timed("sklearn", 0.01), lightgbm=Timed("lightgbm", 1))
    schedule.ended = [ended(1, "linear", POOR), ended(2, "lightgbm", GOOD)]
    best = schedule.fit_early(EVERYTHING)
    assert best is schedule.ended[1]
    assert schedule.must_fit(20) < 20
    schedule.fitted.add(2)
    assert schedule.fit_early(EVERYTHING) is None
    assert schedule.must_fit(20) == 20


def test_a_candidate_over_a_limit_cannot_win() -> None:
    large = ended(3, "mlp", GOOD)
    large = replace(large, trial=replace(large.trial, over=("300 parameters, at most 150",)), excess=1.0)
    found = rank([large, ended(1, "baseline", POOR)], lambda _: True)
    assert [one.trial.family for one in found.candidates] == ["baseline"]
    assert "1 of 2 trials are over a limit" in found.reasons[0]
    with pytest.raises(ModelError, match=r"At least one candidate must be within `limits`, but of 1 none is.*150"):
        rank([large], lambda _: True)


def test_what_there_is_no_time_to_fit_comes_last_and_is_named() -> None:
    candidates = [ended(3, "mlp", GOOD), ended(1, "linear", POOR)]
    found = rank(candidates, lambda one: one.trial.family == "linear")
    assert [one.trial.family for one in found.candidates] == ["linear", "mlp"]
    assert "no time was left" in found.reasons[0]


def test_a_fit_that_may_be_late_is_tried_before_the_baseline() -> None:
    candidates = [ended(3, "mlp", GOOD), ended(1, "baseline", POOR)]
    found = rank(candidates, lambda one: one.trial.family == "baseline")
    assert [one.trial.family for one in found.candidates] == ["mlp", "baseline"]


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


def test_a_bag_is_at_hand_and_a_regressions_is_fitted_as_there_is_time() -> None:
    schedule = make(lightgbm=Timed("lightgbm", 1))
    schedule.families["lightgbm"].bags = True  # type: ignore[misc]
    schedule.bagging, schedule.shape = True, Shape((8000,) * 5, 10_000, FEATURES, 2)
    one = replace(ended(1, "lightgbm", GOOD), parts=5)
    schedule.ended.append(one)
    assert schedule.at_hand(one)
    assert not schedule.better_fitted(one)
    assert schedule.must_fit(20) == 20
    assert schedule.better_fitted(replace(one, parts=2))  # large fold models have no room beside others
    schedule.shape = Shape((8000,) * 5, 10_000, FEATURES, 0)
    assert schedule.better_fitted(one)
    assert schedule.must_fit(20) < 20


def test_a_first_trial_that_no_mean_would_take_ends_after_its_first_fold() -> None:
    schedule = make()
    schedule.ended += [ended(1, "baseline", (0.5,) * 5), ended(2, "lightgbm", GOOD)]
    assert schedule.far_behind([0.75])
    assert not schedule.far_behind([0.82])
    schedule.ended.pop()
    assert not schedule.far_behind([0.1])  # nothing to be behind yet but what looks at no feature


def test_where_the_best_loses_little_a_first_trial_that_loses_twice_as_much_ends_after_its_first_fold() -> None:
    schedule = make()
    little = (-0.10, -0.11, -0.09, -0.10, -0.10)
    schedule.ended += [ended(1, "baseline", (-3.2,) * 5), ended(2, "lightgbm", little)]
    assert schedule.far_behind([-0.21])
    assert not schedule.far_behind([-0.19])  # a fourth of the way to the baseline would be 0.9


def test_families_a_little_behind_are_tuned_once_the_best_is_settled() -> None:
    schedule = make(lightgbm=Timed("lightgbm", 1), mlp=Timed("torch", 1))
    behind = tuple(score - 0.012 for score in GOOD)
    schedule.ended += [ended(1, "baseline", (0.5,) * 5), ended(2, "lightgbm", GOOD), ended(3, "mlp", behind)]
    assert schedule.in_race() == ["lightgbm"]
    schedule.ended += [ended(number, "lightgbm", FAIR, "tuned") for number in range(4, 44)]
    assert schedule.in_race() == ["mlp"]


def test_what_was_pruned_says_less_of_whether_a_family_is_settled() -> None:
    schedule = make(lightgbm=Timed("lightgbm", 1))
    schedule.ended.append(ended(1, "lightgbm", GOOD))
    pruned = ended(2, "lightgbm", POOR[:1], "tuned")
    schedule.ended += [replace(pruned, trial=replace(pruned.trial, state="pruned", number=2 + n)) for n in range(40)]
    assert schedule.in_race() == ["lightgbm"]


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
