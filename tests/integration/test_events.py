"""Outbox, Prefect's server and its automation, without a worker: flow runs are made, and wait."""

import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psutil
import pytest

from penstock.domain.events import DRIFT_DETECTED, MODEL_REGISTERED, Notice
from penstock.domain.workspace import Workspace
from penstock.orchestration import deploying, events
from penstock.orchestration.processes import end
from penstock.orchestration.server import call, set_state, wait_for_prefect
from penstock.store import outbox
from penstock.store.claims import end_claim, find_claim, try_claim
from penstock.store.database import connect
from penstock.store.ledger import list_audit
from penstock.store.schema import migrate
from penstock.store.workspace import inherited_environment, make_folders
from tests.conftest import ROOT, free_ports

NO_PATIENCE = timedelta(0)


@pytest.fixture(scope="module")
def prefect(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """A workspace with Prefect's server alone, and the deployments of `prefect.yaml`."""
    workspace = Workspace(home=tmp_path_factory.mktemp("prefect"), app=ROOT, ports=free_ports())
    make_folders(workspace)
    migrate(workspace)
    command = ["prefect", "server", "start", "--host", "127.0.0.1", "--port", str(workspace.ports.prefect)]
    with (workspace.logs / "prefect.log").open("wb") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", *command], env=inherited_environment(workspace), stdout=log, stderr=log
        )
    try:
        wait_for_prefect(workspace)
        deploying.deploy(workspace)
        yield workspace
    finally:
        end([psutil.Process(server.pid)])
        server.wait()
        connect(workspace).dispose()


def drift(project: str, workspace: Workspace) -> str:
    """Post the notice of a decision to retrain, as a monitor run does; return the decision's id."""
    decision = str(uuid.uuid4())
    payload = {"decision": decision, "reasons": ["It lost."], "columns": ["age"]}
    outbox.post_alone(Notice(decision, DRIFT_DETECTED, project, payload, decision), workspace)
    return decision


def posted(decision: str, project: str, workspace: Workspace) -> outbox.Posted:
    """Return a decision's notice."""
    return outbox.list_notices(project, workspace, incident=decision)[0]


def runs_of(decision: str, workspace: Workspace) -> list[dict[str, Any]]:
    """Return the flow runs for a decision."""
    return events.runs_for(decision, datetime.now(UTC) - timedelta(minutes=5), workspace)


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
        time.sleep(0.1)


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
    wait_for(lambda: bool(seen(DRIFT_DETECTED, "twice", prefect)))
    (event,) = seen(DRIFT_DETECTED, "twice", prefect)
    assert event["payload"]["decision"] == decision
    assert event["resource"]["prefect.resource.name"] == "twice"
    assert len(runs_of(decision, prefect)) == 1


def test_other_events_are_shown_and_start_nothing(prefect: Workspace) -> None:
    told = {"version": "1", "training": "t", "dataset": "d", "metric": "roc_auc", "score": 0.9, "page": "p"}
    outbox.post_alone(Notice("registered:feed:1", MODEL_REGISTERED, "feed", told), prefect)
    events.send_outbox(prefect)
    wait_for(lambda: bool(seen(MODEL_REGISTERED, "feed", prefect)))
    assert seen(MODEL_REGISTERED, "feed", prefect)[0]["payload"]["version"] == "1"
