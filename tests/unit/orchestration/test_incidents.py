"""The story of one incident, told from written records."""

import json
import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import jsonschema
import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from penstock.cli.main import penstock
from penstock.domain.datasets import DatasetVersion
from penstock.domain.evaluation import Comparison, Decision
from penstock.domain.events import DRIFT_DETECTED, MODEL_REGISTERED, Notice
from penstock.domain.models import ModelVersion
from penstock.domain.monitoring import ColumnDrift, DriftReport, Monitored, Performance, Window
from penstock.domain.workspace import Clock, Workspace
from penstock.errors import NotFound
from penstock.orchestration.chains import wall_time
from penstock.orchestration.incidents import tell_incident
from penstock.store import artifacts, records, tables
from penstock.store.claims import end_claim, name_training, try_claim
from penstock.store.database import connect
from penstock.store.ledger import Act, append_audit, record_act
from penstock.store.outbox import list_notices, mark_emitted, post, settle
from penstock.store.trainings import begin_training, end_training
from penstock.store.windows import put_window
from tests.stranger import check_shape

INCIDENT = str(uuid.uuid5(uuid.NAMESPACE_URL, "incident"))
MONITOR_RUN, TRAIN_RUN = str(uuid.uuid4()), str(uuid.uuid4())
OLD, NEW = "a" * 64, "b" * 64


@pytest.fixture
def decided(workspace: Workspace) -> Workspace:
    """A project whose monitor has decided to retrain."""
    records.register_project("churn", workspace.home / "churn.yaml", workspace)
    now = workspace.now()
    window = Window("churn", 3, 1000, None, now - timedelta(hours=2), now, "id", "1")
    columns = (
        ColumnDrift("monthly_fee", "psi", 0.61, 0.25, drifted=True, detail=""),
        ColumnDrift("age", "psi", 0.01, 0.25, drifted=False, detail=""),
    )
    seen = Performance("roc_auc", 0.79, 0.6, 0.55, 0.64, 0.77, 800, 0.19, 0.14, lost=True)
    reasons = ("The loss stood in 2 windows in a row.",)
    monitored = Monitored(
        window=window,
        drift=DriftReport("churn", "1", 8000, 1000, columns),
        performance=seen,
        decision=Decision(INCIDENT, "churn", "retrain", reasons, now),
        flow_run=MONITOR_RUN,
    )
    with connect(workspace).begin() as connection:
        put_window(connection, monitored)
        post(connection, Notice(INCIDENT, DRIFT_DETECTED, "churn", {"decision": INCIDENT}, INCIDENT))
        append_audit(connection, Act("monitor", "monitor.retrain", "churn", reasons[0], {}, incident=INCIDENT))
    return workspace


@pytest.fixture
def retrained(decided: Workspace) -> Workspace:
    """The same project, when the retraining has made a version that answers."""
    workspace = decided
    (posted,) = list_notices("churn", workspace)
    mark_emitted(posted.number, workspace)
    try_claim(INCIDENT, "churn", TRAIN_RUN, workspace)
    settle(posted.number, TRAIN_RUN, "The automation started it.", workspace)
    for number, (digest, rows) in enumerate([(OLD, 10_000), (NEW, 12_000)], 1):
        records.save_dataset(DatasetVersion("churn", digest, number, rows, "csv", workspace.now(), ()), workspace)
    training = begin_training("churn", NEW, "s" * 64, workspace, incident=INCIDENT)
    name_training(INCIDENT, training.id, workspace)
    report = artifacts.put_bytes(b"<html>report</html>", workspace)
    version = ModelVersion("churn", "2", training.id, "run", "m", "b", NEW, datetime.now(UTC), report)
    records.save_version(version, workspace)
    with connect(workspace).begin() as connection:
        post(connection, Notice("registered:churn:2", MODEL_REGISTERED, "churn", {"version": "2"}, INCIDENT))
    comparison = Comparison("1", "2", "roc_auc", 600, 0.22, 0.17, 0.95, 1, 0.05)
    decision = Decision(
        "judged", "churn", "promote", ("It is better.",), workspace.now(), "2", "1", comparison=comparison
    )
    records.save_record("decision", decision.id, "churn", decision, workspace)
    record_act(Act("judge", "judge.promote", "churn", "It is better.", {}, incident=INCIDENT), workspace)
    end_training(training, workspace)
    end_claim(INCIDENT, workspace)
    with connect(workspace).begin() as connection:
        connection.execute(
            sa.insert(tables.releases).values(
                project="churn",
                version="2",
                state="serving",
                weights={"2": 100.0},
                opened_at=datetime.now(UTC),
                actor="policy",
                reason="It is better.",
                previous="1",
                decision="judged",
                incident=INCIDENT,
            )
        )
        act = Act("policy", "release.moved", "churn", "stage 100 %", {"2": 100.0}, {"1": 100.0}, INCIDENT)
        append_audit(connection, act)
    return workspace


def test_the_story_is_told_in_the_order_of_time_with_links(retrained: Workspace) -> None:
    story = tell_incident("churn", INCIDENT, retrained)
    told = "\n".join(line.what for line in story.lines)
    words = [
        "Window 3: 1,000 rows",
        "Drifted: monthly_fee (psi 0.61 over 0.25)",
        "Measured AUC 0.6",
        "Decided to retrain",
        DRIFT_DETECTED,
        "The automation started it.",
        "dataset version 2 (12,000 rows, +2,000 beside version 1)",
        "Registered version 2",
        "Judge promote: It is better.",
        "Ended the training",
        "Release moved (version 2 100 %): stage 100 %",
    ]
    places = [told.index(word) for word in words]
    assert places == sorted(places), told
    assert [line.at for line in story.lines] == sorted(line.at for line in story.lines)
    links = [line.link or "" for line in story.lines]
    for part in (f"flow-run/{MONITOR_RUN}", f"flow-run/{TRAIN_RUN}", "/events/event/", "#/models/churn/versions/2"):
        assert any(part in link for link in links), part
    assert story.outcome == "Version 2 answers."


def test_the_report_is_where_its_link_says(retrained: Workspace) -> None:
    story = tell_incident("churn", "last", retrained)
    (link,) = (line.link for line in story.lines if "report of version 2" in line.what)
    assert link == str(retrained.home / "reports" / "churn" / "2.html")
    assert (retrained.home / "reports" / "churn" / "2.html").read_text() == "<html>report</html>"


def test_the_facts_name_every_link_of_the_chain(retrained: Workspace) -> None:
    facts = tell_incident("churn", "last", retrained).facts
    assert facts["id"] == INCIDENT
    assert facts["drifted"] == ["monthly_fee"]
    assert facts["window"]["flow_run"] == MONITOR_RUN
    assert facts["flow_run"] == TRAIN_RUN
    assert [each["event"] for each in facts["events"]] == [DRIFT_DETECTED, MODEL_REGISTERED]
    assert (facts["training"]["dataset"], facts["training"]["state"]) == (2, "ended")
    assert facts["version"] == "2"
    assert facts["judgements"][0]["low"] == 0.17
    assert facts["release"] == {"version": "2", "state": "serving", "weights": {"2": 100.0}, "actor": "policy"}


def test_a_decision_that_nobody_has_taken_up_is_told_so(decided: Workspace) -> None:
    story = tell_incident("churn", "last", decided)
    assert story.outcome == "No flow run has taken it up yet."
    assert len(story.lines) == 3
    assert story.facts["training"] is None


def test_a_refused_training_is_the_outcome(decided: Workspace) -> None:
    act = Act("train", "training.blocked", "churn", "The contract does not hold.", {}, incident=INCIDENT)
    record_act(act, decided)
    assert tell_incident("churn", INCIDENT, decided).outcome == "The contract does not hold."


def test_an_unknown_incident_names_those_there_are(decided: Workspace) -> None:
    with pytest.raises(NotFound, match=INCIDENT):
        tell_incident("churn", "nothing", decided)
    with pytest.raises(NotFound, match="No monitoring window"):
        tell_incident("quiet", "last", decided)


def test_a_moment_of_a_fast_calendar_is_told_in_the_walls_time(workspace: Workspace) -> None:
    start, began = datetime(2026, 1, 5, tzinfo=UTC), datetime(2030, 1, 1, tzinfo=UTC)
    fast = replace(workspace, clock=Clock(start, 1000.0, began))
    assert wall_time(start + timedelta(seconds=5000), fast) == began + timedelta(seconds=5)


def test_the_command_prints_a_page_and_the_documented_json(
    retrained: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PENSTOCK_HOME", str(retrained.home))
    said = CliRunner().invoke(penstock, ["audit", "churn", "--incident", "last", "--json"])
    assert said.exit_code == 0, said.output
    check_shape(json.loads(said.stdout), "commands.json", "audit --incident")
    assert CliRunner().invoke(penstock, ["audit", "churn", "--incident", "--json"]).stdout == said.stdout
    page = CliRunner().invoke(penstock, ["audit", "churn", "--incident", INCIDENT]).stdout
    assert page.startswith(f"Incident {INCIDENT} of churn\nVersion 2 answers.\n")
    assert "/events/event/" in page
    with pytest.raises(jsonschema.ValidationError):
        check_shape({"entries": []}, "commands.json", "audit --incident")
