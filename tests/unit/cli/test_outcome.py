"""What the command of a training answers, also where the service does not."""

import json
import sys
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import NoReturn

import click
import pytest

from penstock.cli import outcome as outcomes
from penstock.cli.output import Output
from penstock.cli.training import _train
from penstock.domain.evaluation import Decision, Score
from penstock.domain.outcomes import Outcome
from penstock.domain.workspace import Workspace
from penstock.errors import Refused
from penstock.store import artifacts
from tests.stranger import check_shape
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


@pytest.fixture
def refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A flow that a contract stops, without Prefect around it."""

    def refuse(**_: object) -> NoReturn:
        print("what a library prints is no answer")  # noqa: T201
        raise Refused("The contract of 'churn' stops this table.", ["age is gone"])

    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setitem(sys.modules, "flows.train", SimpleNamespace(train=refuse))
    bare = SimpleNamespace(running_in_process=lambda _: nullcontext())
    monkeypatch.setitem(sys.modules, "penstock.orchestration.runs", bare)


@pytest.mark.usefixtures("refused")
def test_a_training_that_is_refused_answers_with_its_verdict(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(click.exceptions.Exit) as ended:
        _train({"project": "churn"}, Output(as_json=True), workspace)
    assert ended.value.exit_code == 3
    said = json.loads(capsys.readouterr().out)
    check_shape(said, "commands.json", "error")
    message = "The contract of 'churn' stops this table."
    assert said == {
        "project": "churn",
        "version": None,
        "decision": {"verdict": "block", "reasons": [message]},
        "error": {"kind": "Refused", "message": message, "details": ["age is gone"]},
    }


@pytest.mark.usefixtures("refused")
def test_a_person_is_told_why_a_training_is_refused(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(click.exceptions.Exit):
        _train({"project": "churn"}, Output(as_json=False), workspace)
    said = capsys.readouterr()
    assert (said.out, "error: The contract of 'churn' stops this table." in said.err) == ("", True)
