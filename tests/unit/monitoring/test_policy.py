"""What follows from windows: the rules alone, and the one transaction that keeps a decision."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from penstock.domain.evaluation import Decision
from penstock.domain.events import DRIFT_DETECTED, SERVICE_DEGRADED
from penstock.domain.monitoring import ColumnDrift, DriftReport, Monitored, Performance, Seen, Window
from penstock.domain.workspace import Workspace
from penstock.monitoring.drift import measure_drift
from penstock.monitoring.performance import measure_performance
from penstock.monitoring.policy import Choice, Facts, choose, decide, find_facts
from penstock.monitoring.windows import take_window
from penstock.spec import ProjectSpec, Retrain, Source
from penstock.store import claims, outbox, records
from penstock.store.database import connect
from penstock.store.ledger import first_broken, list_audit
from penstock.store.windows import list_windows
from tests.killed import killed_at
from tests.unit.monitoring.world import DAYS, QUIET, START, Shift, World

LATER = START + timedelta(days=DAYS)
SPEC = ProjectSpec(name="churn", source=Source(kind="csv_file", path="x.csv"), target="y", metric="roc_auc")
WINDOW = Window("churn", 5, 1000, "t" * 64, LATER, LATER, "id", "1")
SOUND = Performance("roc_auc", 0.8, 0.79, 0.76, 0.82, 0.79, 500, 0.01, -0.03, tolerance=0.02)
LOST = replace(SOUND, measured=0.6, low=0.55, high=0.65, loss=0.2, loss_low=0.14, lost=True)
UNKNOWN = replace(SOUND, measured=None, low=None, high=None, loss=None, loss_low=None, labels=12)
STILL = DriftReport("churn", "d", 20_000, 1000, (ColumnDrift("age", "psi", 0.01, 0.2, False, "no"),))
MOVED = replace(STILL, columns=(ColumnDrift("age", "psi", 0.5, 0.2, True, "up to 30: 10% then, 40% now"),))
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


def test_an_alert_is_kept_and_told_and_starts_nothing(world: World) -> None:
    world.label(world.ask(LATER, 500))
    given = look(world, world.workspace)
    failing = replace(given, performance=replace(given.performance, asked=1000, errors=200))
    monitored = decide(failing, world.spec, "", world.workspace)
    assert (monitored.decision.verdict, monitored.kind) == ("hold", "alert")
    assert monitored.decision.reasons[0].startswith("Alert: 200 of 1,000 calls got no answer")
    (entry,) = list_audit("churn", world.workspace)
    assert entry.action == "monitor.alert"
    (posted,) = outbox.list_notices("churn", world.workspace)
    assert (posted.notice.event, posted.notice.incident) == (SERVICE_DEGRADED, None)
    facts = find_facts(failing, world.spec, world.workspace)
    assert facts.under_way is None


def test_a_window_is_short_of_rows_because_calls_fail_and_says_so_once(world: World) -> None:
    world.ask(LATER, 50)
    window = take_window(world.spec, world.workspace)
    assert window.table is None
    failing = Seen(window, None, replace(UNKNOWN, asked=1000, errors=950))
    for _ in range(2):
        monitored = decide(failing, world.spec, "", world.workspace)
        assert monitored.kind == "alert"
        assert monitored.decision.reasons[1].startswith("No action: too few rows")
    assert [each.notice.event for each in outbox.list_notices("churn", world.workspace)] == [SERVICE_DEGRADED]


def test_every_no_action_says_why_in_one_sentence() -> None:
    for performance in (SOUND, LOST, UNKNOWN):
        for drift in (STILL, MOVED):
            choice = chosen(seen(performance, drift))
            assert choice.verdict == "hold"
            assert choice.reasons[0].startswith("No action")
            assert choice.reasons[0].endswith(".")


def watch(world: World, day: float, shift: Shift = QUIET, labelled: int | None = None) -> Monitored:
    """Let a day of the stream pass, and look at it."""
    rows = world.ask(LATER + timedelta(days=day), 500, shift)
    world.label(rows.iloc[:labelled])
    place = world.at(LATER + timedelta(days=day + 1))
    monitored = decide(look(world, place), world.spec, "http://run", place)
    connect(place).dispose()
    return monitored


def look(world: World, place: Workspace) -> Seen:
    window = take_window(world.spec, place)
    drift = measure_drift(window, world.spec, place)
    return Seen(window, drift, measure_performance(window, world.spec, place))


def kept(world: World) -> dict[str, int]:
    """Return how many rows of each kind there are."""
    return {
        "windows": len(list_windows("churn", world.workspace)),
        "notices": len(outbox.list_notices("churn", world.workspace)),
        "audit": len(list_audit("churn", world.workspace)),
        "decisions": len(records.list_records("decision", "churn", Decision, world.workspace)),
    }


def test_a_real_loss_starts_one_training_with_an_incident(world: World) -> None:
    verdicts = [watch(world, day, Shift({"age": 0.8}, concept=1.0) if day > 1 else QUIET) for day in range(5)]
    assert [each.decision.verdict for each in verdicts] == ["hold", "hold", "hold", "retrain", "hold"]
    retrain = verdicts[3]
    (posted,) = outbox.list_notices("churn", world.workspace)
    notice = posted.notice
    assert (notice.event, notice.key, notice.incident) == (DRIFT_DETECTED, retrain.decision.id, retrain.decision.id)
    assert notice.payload["project"] == "churn"
    assert notice.payload["decision"] == retrain.decision.id
    assert notice.payload["version"] == "1"
    assert [column["column"] for column in notice.payload["columns"]] == ["age"]
    assert notice.payload["measured"] == pytest.approx(retrain.performance.measured)
    assert notice.payload["window"]["rows"] == 500
    chain = list_audit("churn", world.workspace, incident=retrain.decision.id)
    assert [entry.action for entry in chain] == ["monitor.retrain", "monitor.no_action"]
    assert chain[0].link == "http://run"
    assert "about to start: merged with it" in verdicts[4].decision.reasons[0]
    assert retrain.decision.version is None
    assert first_broken(world.workspace) is None


def test_a_harmless_change_is_told_and_starts_nothing(world: World) -> None:
    found = [watch(world, day, Shift({"idle": 2.0})) for day in range(3)]
    assert all(each.decision.verdict == "hold" for each in found)
    assert found[0].drift is not None
    assert found[0].drift.drifted == ("idle",)
    assert "no measurable loss" in found[0].decision.reasons[0]
    assert outbox.list_notices("churn", world.workspace) == []


def test_drift_with_labels_withheld_needs_labels(world: World) -> None:
    found = watch(world, 0, Shift({"age": 1.5}, concept=1.0), labelled=0)
    assert found.decision.verdict == "hold"
    assert "needs labels" in found.decision.reasons[0]


def test_the_same_window_again_changes_nothing(world: World) -> None:
    world.label(world.ask(LATER, 500))
    given = look(world, world.workspace)
    first = decide(given, world.spec, "", world.workspace)
    before = kept(world)
    assert before == {"windows": 1, "notices": 0, "audit": 1, "decisions": 1}
    assert decide(given, world.spec, "another run", world.workspace) == first
    assert kept(world) == before


@pytest.mark.parametrize("table", ["windows", "records", "outbox", "audit"])
def test_killed_between_any_two_writes_nothing_is_kept_and_the_next_look_does_it_all(world: World, table: str) -> None:
    spec = world.spec.model_copy(update={"retrain": Retrain(persistence=1)})
    world.label(world.ask(LATER, 500, Shift(concept=1.0)))
    given = look(world, world.workspace)
    with killed_at(table, world.workspace), pytest.raises(sa.exc.IntegrityError, match="killed"):
        decide(given, spec, "", world.workspace)
    assert kept(world) == {"windows": 0, "notices": 0, "audit": 0, "decisions": 0}
    again = look(world, world.workspace)
    assert again.window == given.window
    assert decide(again, spec, "", world.workspace).decision.verdict == "retrain"
    assert kept(world) == {"windows": 1, "notices": 1, "audit": 1, "decisions": 1}


def test_facts_know_of_claims_and_of_labels_since_the_data_and_the_last_retraining(world: World) -> None:
    world.label(world.ask(LATER, 300))
    given = look(world, world.workspace)
    facts = find_facts(given, world.spec, world.workspace)
    assert (facts.new_labels, facts.under_way, facts.retrained) == (300, None, None)
    claims.try_claim("d" * 36, "churn", None, world.workspace)
    assert "decision dddddddd is under way" in str(find_facts(given, world.spec, world.workspace).under_way)
    claims.end_claim("d" * 36, world.workspace)
    assert find_facts(given, world.spec, world.workspace).under_way is None


def quiet_days(world: World, days: int) -> list[Monitored]:
    return [watch(world, day, labelled=300) for day in range(days)]


def test_quiet_days_start_no_training(world: World) -> None:
    found = quiet_days(world, 5)
    assert {each.decision.verdict for each in found} == {"hold"}
    assert not any(each.drift is not None and each.drift.drifted for each in found)


@pytest.mark.full
@pytest.mark.timeout(1200)
def test_sixty_quiet_days_start_no_training(world: World) -> None:
    found = quiet_days(world, 60)
    assert {each.decision.verdict for each in found} == {"hold"}
    assert not any(each.drift is not None and each.drift.drifted for each in found)
    assert outbox.list_notices("churn", world.workspace) == []
    assert sum(each.performance.measured is not None for each in found) == 60
