"""Outbox, Prefect's server and its automation, without a worker: flow runs are made, and wait."""

import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from penstock.domain.events import DRIFT_DETECTED, MODEL_REGISTERED, Notice, Posted
from penstock.domain.workspace import Workspace
from penstock.orchestration import events, runs
from penstock.orchestration.server import call, set_state
from penstock.store import outbox, tables
from penstock.store.claims import end_claim, try_claim
from penstock.store.database import connect
from penstock.store.ledger import list_audit
from penstock.store.workspace import inherited_environment

NO_PATIENCE = timedelta(0)
CRASHED = {"type": "CRASHED", "name": "Crashed"}
TURN_LOST = {"type": "CANCELLED", "name": "Cancelled", "message": f"{events.SLOT_LOST} during provisioning"}
EARLIER = timedelta(seconds=1)  # of the server's clock, which is this one: a minute would list every test's flow runs


@pytest.fixture(autouse=True)
def one_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let questions for flow runs look back a second alone."""
    monkeypatch.setattr(events, "EARLIER", EARLIER)


def drift(project: str, workspace: Workspace) -> str:
    """Post the notice of a decision to retrain, as a monitor run does; return the decision's id."""
    decision = str(uuid.uuid4())
    payload = {"decision": decision, "reasons": ["It lost."], "columns": ["age"]}
    outbox.post_alone(Notice(decision, DRIFT_DETECTED, project, payload, decision), workspace)
    return decision


def posted(decision: str, project: str, workspace: Workspace) -> Posted:
    """Return a decision's notice."""
    return outbox.list_notices(project, workspace, incident=decision)[0]


def runs_of(decision: str, workspace: Workspace) -> list[dict[str, Any]]:
    """Return the flow runs for a decision."""
    told = sa.select(tables.outbox.c.created_at).where(tables.outbox.c.key == decision)
    with connect(workspace).connect() as connection:
        return events.runs_for(decision, connection.execute(told).scalar_one(), workspace)


def seen(event: str, project: str, workspace: Workspace) -> list[dict[str, Any]]:
    """Return a project's events of a kind from Prefect's feed."""
    question = {
        "filter": {"event": {"name": [event]}, "resource": {"id": [f"penstock.project.{project}"]}},
        "limit": 50,
    }
    found: list[dict[str, Any]] = call("POST", "/events/filter", workspace, question)["events"]
    return found


def wait_for(holds: Callable[[], bool], seconds: float = 60) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "what the test waits for did not come"
        time.sleep(0.3)


def test_an_event_starts_one_training_by_the_automation(prefect: Workspace) -> None:
    decision = drift("churn", prefect)
    assert [each.notice.key for each in events.send_outbox(prefect)] == [decision]
    wait_for(lambda: bool(runs_of(decision, prefect)))
    (run,) = runs_of(decision, prefect)
    assert run["parameters"]["project"] == "churn"
    assert run["created_by"]["type"] == "AUTOMATION"
    assert events.send_outbox(prefect) == []
    assert events.start_missing(prefect, NO_PATIENCE) == []  # it is coming
    assert posted(decision, "churn", prefect).settled_at is None
    try_claim(decision, "churn", run["id"], prefect)
    assert events.start_missing(prefect, NO_PATIENCE) == []
    told = posted(decision, "churn", prefect)
    assert (told.flow_run, told.note) == (run["id"], "The automation started it.")
    end_claim(decision, prefect)


def test_an_event_told_twice_is_one_event_and_one_training(prefect: Workspace) -> None:
    decision = drift("twice", prefect)
    notice = posted(decision, "twice", prefect)
    events.emit(notice, prefect)  # control is killed before it could remember
    events.send_outbox(prefect)
    wait_for(lambda: bool(seen(DRIFT_DETECTED, "twice", prefect) and runs_of(decision, prefect)))
    (event,) = seen(DRIFT_DETECTED, "twice", prefect)
    assert event["payload"]["decision"] == decision
    assert event["resource"]["prefect.resource.name"] == "twice"
    assert len(runs_of(decision, prefect)) == 1


def test_an_event_that_could_not_be_told_for_days_starts_its_training(prefect: Workspace) -> None:
    decision = drift("late", prefect)
    table = tables.outbox
    long_ago = sa.update(table).where(table.c.key == decision).values(created_at=datetime.now(UTC) - timedelta(days=2))
    with connect(prefect).begin() as connection:
        connection.execute(long_ago)
    events.send_outbox(prefect)
    wait_for(lambda: bool(runs_of(decision, prefect)))
    assert runs_of(decision, prefect)[0]["created_by"]["type"] == "AUTOMATION"


def test_other_events_are_shown_and_start_nothing(prefect: Workspace) -> None:
    told = {"version": "1", "training": "t", "dataset": "d", "metric": "roc_auc", "score": 0.9, "page": "p"}
    outbox.post_alone(Notice("registered:feed:1", MODEL_REGISTERED, "feed", told), prefect)
    events.send_outbox(prefect)
    wait_for(lambda: bool(seen(MODEL_REGISTERED, "feed", prefect)))
    assert seen(MODEL_REGISTERED, "feed", prefect)[0]["payload"]["version"] == "1"


@pytest.fixture
def suppressed(prefect: Workspace) -> Iterator[Workspace]:
    """The same, while the automation is switched off."""
    (automation,) = call("POST", "/automations/filter", prefect, {})
    path = f"/automations/{automation['id']}"
    call("PATCH", path, prefect, {"enabled": False})
    yield prefect
    call("PATCH", path, prefect, {"enabled": True})


def test_what_the_automation_does_not_start_control_starts_once(suppressed: Workspace) -> None:
    decision = drift("quiet", suppressed)
    events.send_outbox(suppressed)
    assert events.start_missing(suppressed) == []  # the automation has 30 s
    (run,) = events.start_missing(suppressed, NO_PATIENCE)
    assert events.start_missing(suppressed, NO_PATIENCE) == []
    (found,) = runs_of(decision, suppressed)
    assert (found["id"], found["parameters"]) == (run, {"project": "quiet", "decision": decision})
    claim_and_die(decision, "quiet", run, suppressed)
    events.start_missing(suppressed, NO_PATIENCE)
    assert posted(decision, "quiet", suppressed).note == "The automation did not start it: control did."


def claim_and_die(decision: str, project: str, run: str, workspace: Workspace) -> None:
    """Claim a decision for a flow run, by a process that is not there any more."""
    assert try_claim(decision, project, run, workspace)[1]
    gone = sa.update(tables.claims).where(tables.claims.c.decision == decision).values(started=1.0)
    with connect(workspace).begin() as connection:
        connection.execute(gone)


def crash(run: str, workspace: Workspace, ending: dict[str, str] = CRASHED) -> None:
    """Let a flow run be known as crashed, or as ended badly in another way."""
    set_state(run, ending, workspace)


@pytest.mark.parametrize("ending", [CRASHED, TURN_LOST], ids=["crashed", "its turn was lost"])
def test_a_killed_training_is_begun_again_by_one_flow_run(ending: dict[str, str], suppressed: Workspace) -> None:
    decision = drift("killed", suppressed)
    events.send_outbox(suppressed)
    (first,) = events.start_missing(suppressed, NO_PATIENCE)
    claim_and_die(decision, "killed", first, suppressed)
    assert events.start_missing(suppressed, NO_PATIENCE) == []  # Prefect does not know yet, and may hand it back
    crash(first, suppressed, ending)
    (second,) = events.start_missing(suppressed, NO_PATIENCE)
    assert events.start_missing(suppressed, NO_PATIENCE) == []
    assert [run["id"] for run in runs_of(decision, suppressed)] == [first, second]
    claim, mine = try_claim(decision, "killed", second, suppressed)
    assert (mine, claim.taken_over) == (True, 1)
    end_claim(decision, suppressed)
    crash(second, suppressed)
    assert events.start_missing(suppressed, NO_PATIENCE) == []


@pytest.mark.parametrize("ending", [CRASHED, TURN_LOST], ids=["crashed", "its turn was lost"])
def test_a_flow_run_that_crashes_before_it_claims_is_followed_by_another_until_it_is_enough(
    ending: dict[str, str], suppressed: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "PAUSE", NO_PATIENCE)
    decision = drift("broken", suppressed)
    events.send_outbox(suppressed)
    for _ in range(events.TRIES):
        (run,) = events.start_missing(suppressed, NO_PATIENCE)
        crash(run, suppressed, ending)
    assert events.start_missing(suppressed, NO_PATIENCE) == []
    assert len(runs_of(decision, suppressed)) == events.TRIES
    (entry,) = list_audit("broken", suppressed, incident=decision)
    assert entry.action == "training.given_up"


def test_a_decision_whose_flow_runs_crash_after_one_had_claimed_it_is_given_up_in_the_end(
    suppressed: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "PAUSE", NO_PATIENCE)
    decision = drift("hopeless", suppressed)
    events.send_outbox(suppressed)
    (run,) = events.start_missing(suppressed, NO_PATIENCE)
    claim_and_die(decision, "hopeless", run, suppressed)
    crash(run, suppressed)
    for _ in range(events.TRIES - 1):
        (run,) = events.start_missing(suppressed, NO_PATIENCE)
        crash(run, suppressed)
    assert events.start_missing(suppressed, NO_PATIENCE) == []
    assert events.start_missing(suppressed, NO_PATIENCE) == []
    assert [entry.action for entry in list_audit("hopeless", suppressed, incident=decision)] == ["training.given_up"]


def test_what_a_person_cancelled_is_not_started_again(suppressed: Workspace) -> None:
    decision = drift("cancelled", suppressed)
    events.send_outbox(suppressed)
    (run,) = events.start_missing(suppressed, NO_PATIENCE)
    set_state(run, {"type": "CANCELLED", "name": "Cancelled"}, suppressed)
    assert events.start_missing(suppressed, NO_PATIENCE) == []
    assert events.start_missing(suppressed, NO_PATIENCE) == []
    assert [entry.action for entry in list_audit("cancelled", suppressed, incident=decision)] == ["training.given_up"]


TICK = """
import os, sys
from datetime import timedelta
import sqlalchemy as sa
from penstock.orchestration import events, server
from penstock.store.database import connect
from penstock.store.workspace import find_workspace

workspace, kind, left = find_workspace(), sys.argv[1], [int(sys.argv[2])]
reached = [False]

def die():
    left[0] -= 1
    if left[0] == 0:
        os._exit(9)

engine, really_ask = connect(workspace), server.ask

@sa.event.listens_for(engine, "commit")
def before_commit(connection):
    if kind == "before a commit":
        die()
    reached[0] = True

@sa.event.listens_for(engine, "checkin")
def after_commit(connection, record):
    if kind == "behind a commit" and reached[0]:
        die()
    reached[0] = False

def ask(method, path, *rest, **others):
    answer = really_ask(method, path, *rest, **others)
    if kind == "behind an answer of Prefect":
        die()
    return answer

server.ask = ask
events.PAUSE, events.EARLIER = timedelta(0), timedelta(seconds=1)
events.send_outbox(workspace)
events.start_missing(workspace, timedelta(0))
"""


def tick_and_die(kind: str, number: int, workspace: Workspace) -> bool:
    """Tick in a process that dies at a place; return whether it came there."""
    arguments = [sys.executable, "-c", TICK, kind, str(number)]
    done = subprocess.run(arguments, env=inherited_environment(workspace), capture_output=True, text=True, check=False)
    assert done.returncode in {0, 9}, done.stderr[-2000:]
    return done.returncode == 9


BEFORE = pytest.param("before a commit", marks=pytest.mark.full)  # what is there is what the commit before left


@pytest.mark.parametrize("kind", [BEFORE, "behind a commit", "behind an answer of Prefect"])
def test_control_killed_at_any_commit_loses_and_doubles_nothing(
    kind: str, suppressed: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "PAUSE", NO_PATIENCE)
    number = 0
    while True:
        number += 1
        fresh = drift("ticks", suppressed)  # still to be told, and to be started
        killed = drift("ticks", suppressed)  # its claimant is dead, and its flow run has crashed
        run = runs.start_run("train", {"project": "ticks", "decision": killed}, suppressed, key=killed)
        claim_and_die(killed, "ticks", run, suppressed)
        crash(run, suppressed)
        came_there = tick_and_die(kind, number, suppressed)
        events.send_outbox(suppressed)
        events.start_missing(suppressed, NO_PATIENCE)
        assert not outbox.unsent(suppressed)
        assert [len(runs_of(decision, suppressed)) for decision in (fresh, killed)] == [1, 2]
        assert posted(killed, "ticks", suppressed).settled_at is not None
        for decision in (fresh, killed):  # leave nothing to the next round
            for each in runs_of(decision, suppressed):
                try_claim(decision, "ticks", each["id"], suppressed)
            end_claim(decision, suppressed)
        events.start_missing(suppressed, NO_PATIENCE)
        if not came_there:
            break
    assert number > 2, "the place was never reached"
