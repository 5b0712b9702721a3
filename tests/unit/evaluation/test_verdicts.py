"""The judge's decisions in the audit."""

from dataclasses import replace
from datetime import UTC, datetime

from penstock.domain.evaluation import Comparison, Decision
from penstock.domain.models import ModelVersion
from penstock.domain.workspace import Workspace
from penstock.evaluation.verdicts import record_verdict
from penstock.store import records, trainings
from penstock.store.ledger import list_audit

SEEN = Comparison("1", "2", "mae", rows=400, gain=1.0, low=0.2, confidence=0.95, look=1, spent=0.05)


def decision_on(version: str, workspace: Workspace, incident: str | None) -> Decision:
    """Return a decision on a version of a training that a decision asked for."""
    training = trainings.begin_training("bikes", version * 64, "s" * 64, workspace, incident)
    made = ModelVersion("bikes", version, training.id, "r", "m", "b", "d", datetime.now(UTC))
    records.save_version(made, workspace)
    return Decision("j1", "bikes", "hold", ("Not yet.",), datetime.now(UTC), version, "1", SEEN)


def test_each_look_of_the_judge_is_written_once_with_its_incident(workspace: Workspace) -> None:
    decision = decision_on("2", workspace, "d1")
    assert record_verdict(decision, "http://127.0.0.1/run", workspace) == "d1"
    record_verdict(decision, "", workspace)
    (entry,) = list_audit("bikes", workspace, incident="d1")
    assert (entry.actor, entry.action, entry.reason) == ("judge", "judge.hold", "Not yet.")
    assert entry.link == "http://127.0.0.1/run"
    record_verdict(replace(decision, comparison=replace(SEEN, look=2, rows=800)), "", workspace)
    promoted = replace(decision, verdict="promote", comparison=replace(SEEN, look=3, rows=1600))
    record_verdict(promoted, "", workspace)
    assert [each.action for each in list_audit("bikes", workspace)] == ["judge.hold", "judge.hold", "judge.promote"]


def test_a_training_by_a_person_has_no_incident(workspace: Workspace) -> None:
    assert record_verdict(decision_on("2", workspace, None), "", workspace) is None
