"""Which trial wins, and what is said of it."""

from dataclasses import replace

import pytest

from penstock.errors import ModelError
from penstock.search.selection import rank
from tests.unit.search.order.trials import GOOD, POOR, ended, make


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
