"""What the command of a training answers, also where the service does not."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from penstock.cli import outcome as outcomes
from penstock.cli.output import Output
from penstock.domain.evaluation import Decision, Score
from penstock.domain.outcomes import Outcome
from penstock.domain.workspace import Workspace
from penstock.store import artifacts
from tests.unit.serving.stand_in import keep_version, release


def test_a_result_is_not_lost_where_the_service_does_not_answer(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(outcomes, "ANSWER_SECONDS", 0)
    keep_version("1", workspace, tmp_path / "1")
    release("1", workspace)
    outcome = Outcome(
        project="churn",
        version="1",
        decision=Decision("d" * 36, "churn", "promote", ("It is the first.",), datetime.now(UTC), "1"),
        score=Score("roc_auc", 0.8, 0.7, 0.9, True, 200),
        finished=3,
        skipped=0,
        report=artifacts.put_bytes(b"<html></html>", workspace),
        closing=("", "", ""),
    )
    body = outcomes.answering(outcome, workspace)
    assert (body["version"], body["decision"]["verdict"]) == ("1", "promote")
    assert body["endpoint"] == workspace.endpoint("churn")
    assert "must answer with version 1 of 'churn'" in body["unanswered"]
    assert outcomes.ending(body, Output(as_json=True)) == 2
    said = capsys.readouterr()
    assert (said.out, body["unanswered"] in said.err) == ("", True)
    del body["unanswered"]
    assert outcomes.ending(body, Output(as_json=True)) == 0
