"""What follows from a window: the rules alone."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from penstock.domain.evaluation import Decision
from penstock.domain.monitoring import DriftReport, Monitored, Performance, Seen
from penstock.monitoring.policy import Choice, Facts, choose
from penstock.spec import ProjectSpec, Retrain, Source
from tests.unit.monitoring.measurements import LATER, LOST, MOVED, SOUND, STILL, UNKNOWN, WINDOW

SPEC = ProjectSpec(name="churn", source=Source(kind="csv_file", path="x.csv"), target="y", metric="roc_auc")
MANY = Facts(LATER, new_labels=5000)


def seen(performance: Performance = SOUND, drift: DriftReport = STILL, version: str = "1") -> Seen:
    return Seen(replace(WINDOW, version=version), drift, performance)


def earlier(*performances: Performance, version: str = "1", verdict: Any = "hold") -> tuple[Monitored, ...]:
    """Earlier windows, the newest first."""
    return tuple(
        Monitored(
            replace(WINDOW, number=4 - place, version=version),
            STILL,
            performance,
            Decision(f"{place:036}", "churn", verdict, ("",), LATER - timedelta(minutes=15 * (place + 1))),
        )
        for place, performance in enumerate(performances)
    )


def chosen(given: Seen, facts: Facts = MANY, **retrain: Any) -> Choice:
    return choose(given, facts, SPEC.model_copy(update={"retrain": Retrain(**retrain)}))


def test_nothing_moved_and_nothing_lost_is_no_action() -> None:
    choice = chosen(seen())
    assert choice.verdict == "hold"
    assert choice.reasons == (
        "No action: no column drifted, and no measurable loss: AUC 0.7900 on 500 labels, where 0.8000 is expected "
        "(lower bound of the loss -0.0300, 0.0200 is borne).",
    )


def test_drift_without_a_measured_loss_is_no_action_with_the_numbers() -> None:
    choice = chosen(seen(drift=MOVED))
    assert choice.verdict == "hold"
    assert choice.reasons[0].startswith("No action: drifted (age by 0.50 psi), but no measurable loss: AUC 0.7900")
    assert choice.reasons[1] == "'age' drifted: up to 30: 10% then, 40% now."


def test_drift_without_labels_needs_labels_whatever_the_estimate() -> None:
    choice = chosen(seen(replace(UNKNOWN, estimated=0.2), MOVED), replace(MANY, history=earlier(LOST)))
    assert choice.verdict == "hold"
    assert "needs labels: 12 new labels so far (estimated AUC 0.2000, which sees the inputs only)" in choice.reasons[0]


def test_no_drift_and_no_labels_says_that_nothing_was_measured() -> None:
    assert "quality was not measured, with 12 new labels" in chosen(seen(UNKNOWN)).reasons[0]


def test_a_loss_must_stand_in_so_many_windows_in_a_row() -> None:
    first = chosen(seen(LOST))
    assert first.verdict == "hold"
    assert first.reasons[0].startswith("No action yet: a loss was measured in 1 window of the 2 in a row")
    second = chosen(seen(LOST), replace(MANY, history=earlier(LOST)))
    assert second.verdict == "retrain"
    assert second.reasons[0].startswith("Retrain: a loss was measured in 2 measured windows in a row: AUC 0.6000")
    assert second.reasons[-1] == "5,000 labels came since the data of version 1 was fixed."
    assert chosen(seen(LOST), replace(MANY, history=earlier(SOUND, LOST))).verdict == "hold"
    assert chosen(seen(LOST), persistence=1).verdict == "retrain"


def test_a_loss_without_drift_is_a_loss() -> None:
    assert chosen(seen(LOST, STILL), replace(MANY, history=earlier(LOST))).verdict == "retrain"


def test_windows_without_enough_labels_neither_count_nor_break_the_row() -> None:
    assert chosen(seen(LOST), replace(MANY, history=earlier(UNKNOWN, LOST))).verdict == "retrain"
    assert chosen(seen(LOST), replace(MANY, history=earlier(UNKNOWN, UNKNOWN))).verdict == "hold"


def test_losses_of_an_earlier_version_do_not_count() -> None:
    assert chosen(seen(LOST, version="2"), replace(MANY, history=earlier(LOST))).verdict == "hold"


def test_with_little_to_learn_a_retraining_waits() -> None:
    choice = chosen(seen(LOST), Facts(LATER, earlier(LOST), new_labels=80))
    assert choice.verdict == "hold"
    assert choice.reasons[0].endswith("80 of the 200 new labels that it needs have come.")


def test_a_second_shock_within_the_cool_down_is_merged_with_the_first() -> None:
    last = Decision("d" * 36, "churn", "retrain", ("",), LATER - timedelta(minutes=20))
    facts = Facts(LATER, earlier(LOST), last, new_labels=900)
    choice = chosen(seen(LOST), facts)
    assert (choice.verdict, choice.merged) == ("hold", last.id)
    assert f"decided 20 of 60 minutes ago: merged with decision {last.id}." in choice.reasons[0]
    after = replace(facts, now=LATER + timedelta(minutes=41))
    assert chosen(seen(LOST), after).verdict == "retrain"


def test_while_a_retraining_is_under_way_another_is_merged_with_it() -> None:
    last = Decision("d" * 36, "churn", "retrain", ("",), LATER - timedelta(days=1))
    facts = Facts(LATER, earlier(LOST), last, "the rollout of version 2 is under way", 900)
    choice = chosen(seen(LOST), facts)
    assert (choice.verdict, choice.merged) == ("hold", last.id)
    assert "the rollout of version 2 is under way" in choice.reasons[0]


def test_so_many_labels_are_a_reason_of_their_own() -> None:
    assert chosen(seen(), every_labels=4000).verdict == "retrain"
    assert "`retrain.every_labels` is 4,000" in chosen(seen(), every_labels=4000).reasons[0]
    assert chosen(seen(), every_labels=6000).verdict == "hold"
    cooling = Facts(LATER, (), Decision("d" * 36, "churn", "retrain", ("",), LATER), None, 5000)
    assert chosen(seen(), cooling, every_labels=4000).verdict == "hold"


def test_fewer_labels_than_a_loss_asks_for_are_a_reason_if_the_project_says_so() -> None:
    few = Facts(LATER, new_labels=50)
    choice = chosen(seen(), few, every_labels=50, min_new_labels=200)
    assert choice.verdict == "retrain"
    assert choice.reasons[0] == "Retrain: 50 labels came, and `retrain.every_labels` is 50."
    assert chosen(seen(LOST), replace(few, history=earlier(LOST)), every_labels=50).verdict == "retrain"
    assert chosen(seen(), replace(few, new_labels=49), every_labels=50).verdict == "hold"
    busy = replace(few, under_way="the rollout of version 2 is under way")
    assert chosen(seen(), busy, every_labels=50).verdict == "hold"


def timed(*times: float, **changed: Any) -> tuple[Performance, ...]:
    return tuple(replace(SOUND, latency_ms=each, request_rows=1.0, **changed) for each in times)


def test_a_champion_that_got_slower_is_an_alert_and_no_reason_to_retrain() -> None:
    usual = earlier(*timed(20, 11, 10, 12, 10))
    choice = chosen(seen(timed(21)[0]), replace(MANY, history=usual))
    assert choice.verdict == "hold"
    (alert,) = choice.alerts
    assert choice.reasons[0] == alert
    assert alert == (
        "Alert: version 1 answers slowly in 2 windows in a row: 21 ms at the 95th percentile, where 10.50 ms were "
        "usual and 1.2 times that is borne."
    )
    assert choice.reasons[1].startswith("No action: no column drifted")


@pytest.mark.parametrize(
    ("now", "before", "why"),
    [
        (timed(21), timed(10, 11, 10, 12, 10), "one window alone"),
        (timed(21), timed(20, 10), "nobody knows what is usual"),
        (timed(12), timed(12, 11, 10, 12, 10), "within what is tolerated"),
        (timed(3), timed(3, 1, 1, 1, 1), "2 ms more harm nobody"),
        (timed(21), timed(20, 11, 30, 12, 10), "it was seen before"),
        (timed(21, strained=True), timed(20, 11, 10, 12, 10), "this machine was training"),
        (timed(21), (*timed(20, strained=True), *timed(11, 10, 12, 10)), "this machine was training before"),
        (tuple(replace(each, request_rows=2.0) for each in timed(21)), timed(20, 11, 10, 12, 10), "requests grew"),
    ],
    ids=lambda given: given if isinstance(given, str) else "",
)
def test_what_is_no_alert_of_latency(now: tuple[Performance, ...], before: tuple[Performance, ...], why: str) -> None:
    choice = chosen(seen(now[0]), replace(MANY, history=earlier(*before)))
    assert choice.alerts == (), why
    assert choice.reasons[0].startswith("No action")


def test_slow_windows_of_an_earlier_version_say_nothing_of_this_one() -> None:
    usual = earlier(*timed(20, 11, 10, 12, 10))
    assert chosen(seen(timed(21)[0], version="2"), replace(MANY, history=usual)).alerts == ()


def test_a_champion_that_fails_more_calls_is_an_alert() -> None:
    sound = earlier(replace(SOUND, asked=1000, errors=1))
    failing = replace(SOUND, asked=1000, errors=40)
    choice = chosen(seen(failing), replace(MANY, history=sound))
    assert (choice.verdict, len(choice.alerts)) == ("hold", 1)
    assert choice.reasons[0] == (
        "Alert: 40 of 1,000 calls got no answer (4.00%), where 0.10% did before and 1.00% more are borne: "
        "see serving.log."
    )
    for few in (replace(failing, errors=12), replace(failing, asked=20, errors=1), replace(failing, asked=None)):
        assert chosen(seen(few), replace(MANY, history=sound)).alerts == ()
    usual = earlier(*[replace(SOUND, asked=1000, errors=38)] * 3)
    assert chosen(seen(failing), replace(MANY, history=usual)).alerts == ()


def test_an_alert_beside_a_loss_retrains_for_the_loss() -> None:
    choice = chosen(seen(replace(LOST, asked=1000, errors=40)), replace(MANY, history=earlier(LOST)))
    assert choice.verdict == "retrain"
    assert choice.reasons[0].startswith("Retrain: ")
    assert choice.reasons[-1] == choice.alerts[0]


def test_every_no_action_says_why_in_one_sentence() -> None:
    for performance in (SOUND, LOST, UNKNOWN):
        for drift in (STILL, MOVED):
            choice = chosen(seen(performance, drift))
            assert choice.verdict == "hold"
            assert choice.reasons[0].startswith("No action")
            assert choice.reasons[0].endswith(".")
