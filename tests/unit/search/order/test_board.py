"""What is known of a search so far: who is near the best, what has no hope, what is at hand."""

from dataclasses import replace

import pytest

from penstock.search.order.board import FAILED_TRIALS
from penstock.search.order.plans import Shape
from tests.unit.search.order.trials import FAIR, FEATURES, GOOD, POOR, Timed, ended, make


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


def test_a_family_whose_tuned_trials_all_fail_is_settled() -> None:
    schedule = make()
    schedule.ended.append(ended(1, "lightgbm", GOOD))
    schedule.lost += [ended(number, "lightgbm", (), "tuned") for number in range(2, 2 + FAILED_TRIALS)]
    assert schedule.in_race() == []
    schedule.lost.pop()
    assert schedule.in_race() == ["lightgbm"]


def test_a_family_whose_tuned_trials_fail_now_and_then_is_settled_too_and_waits_its_turn() -> None:
    schedule = make()
    schedule.ended += [ended(1, "lightgbm", GOOD), ended(2, "mlp", GOOD), ended(3, "lightgbm", GOOD, "tuned", 1)]
    schedule.lost += [ended(4, "lightgbm", (), "tuned", 9)]
    schedule.ended += [ended(5, "mlp", GOOD, "tuned", 5)]
    assert schedule.in_race() == ["mlp", "lightgbm"]
    schedule.lost += [ended(number, "lightgbm", (), "tuned") for number in range(6, 50)]
    assert schedule.in_race() == ["mlp"]


def test_a_trial_behind_the_best_on_its_folds_is_hopeless_and_one_within_noise_is_not() -> None:
    schedule = make()
    schedule.ended += [ended(1, "lightgbm", GOOD), ended(2, "lightgbm", FAIR)]
    assert schedule.hopeless("lightgbm", [0.80, 0.81])
    assert not schedule.hopeless("lightgbm", [0.90, 0.905])


def test_predictions_follow_what_was_measured() -> None:
    schedule = make()
    before = schedule.predicted("lightgbm", 800)
    schedule.ended.append(ended(1, "lightgbm", GOOD, seconds=10))
    assert schedule.predicted("lightgbm", 800) == pytest.approx(2 * before)


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
