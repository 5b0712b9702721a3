"""Decisions on windows of a stream: the one transaction that keeps each, and what it starts."""

from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from penstock.domain.evaluation import Decision
from penstock.domain.events import DRIFT_DETECTED, SERVICE_DEGRADED
from penstock.domain.monitoring import Monitored, Seen
from penstock.domain.workspace import Workspace
from penstock.monitoring.drift import measure_drift
from penstock.monitoring.performance import measure_performance
from penstock.monitoring.policy import decide, find_facts
from penstock.monitoring.windows import take_window
from penstock.spec import Retrain
from penstock.store import claims, outbox, records
from penstock.store.database import connect
from penstock.store.ledger import first_broken, list_audit
from penstock.store.windows import list_windows
from tests.killed import killed_at
from tests.unit.monitoring.measurements import LATER, UNKNOWN
from tests.unit.monitoring.world import QUIET, Shift, World


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
