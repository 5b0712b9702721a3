"""Commands that move traffic need no process but their own."""

import json
import threading
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from penstock.cli import waiting
from penstock.cli.main import penstock
from penstock.cli.output import Output
from penstock.domain.releases import Release
from penstock.domain.workspace import Workspace
from penstock.errors import NotFound, PenstockError, Refused
from penstock.rollout import release as releases
from penstock.store import ledger, records
from tests.stranger import check_shape
from tests.unit.rollout.stage import STAGES, keep, open_release, write_project


@pytest.fixture
def at_home(workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """The workspace is where commands find it; version 1 serves."""
    monkeypatch.setenv("PENSTOCK_HOME", str(workspace.home))
    monkeypatch.setenv("PENSTOCK_MLFLOW_PORT", str(workspace.ports.mlflow))
    monkeypatch.setenv("PENSTOCK_ACTOR", "ann")
    write_project(workspace, tmp_path, "{approve: true}")
    open_release(keep("1", workspace), workspace)
    return workspace


def answer(*arguments: object) -> dict[str, Any]:
    done = CliRunner().invoke(penstock, [*map(str, arguments), "--json"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    body: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    check_shape(body, "commands.json", str(arguments[0]))
    return body


def refuse(kind: type[PenstockError], *arguments: object) -> str:
    with pytest.raises(kind) as refused:
        CliRunner().invoke(penstock, [*map(str, arguments), "--json"], catch_exceptions=False)
    return refused.value.message


def waiting_release(workspace: Workspace) -> Release:
    return open_release(keep("2", workspace), workspace, *STAGES, approve=True)


def test_a_proposal_is_approved_by_its_number(at_home: Workspace) -> None:
    proposed = waiting_release(at_home)
    body = answer("approve", proposed.id, "--reason", "looked at it")
    assert body == {
        "project": "churn",
        "version": "2",
        "release": {"state": "shadow", "weights": {"1": 100.0, "2": 0.0}},
    }
    said = [entry for entry in ledger.list_audit("churn", at_home) if entry.action == "release.approved"]
    assert [(entry.actor, entry.reason) for entry in said] == [("ann", "looked at it")]
    assert "must wait for approval" in refuse(Refused, "approve", proposed.id)


def test_a_proposal_is_rejected_by_its_number(at_home: Workspace) -> None:
    proposed = waiting_release(at_home)
    assert answer("reject", proposed.id)["version"] == "1"
    released = records.newest_release("churn", at_home)
    assert released is not None
    assert (released.champion, released.weights) == ("1", {"1": 100.0})


def test_a_number_that_no_release_has_is_not_found(at_home: Workspace) -> None:
    del at_home
    assert "99" in refuse(NotFound, "approve", 99)


def test_a_rollback_needs_neither_registry_nor_stack(at_home: Workspace) -> None:
    open_release(keep("2", at_home), at_home, *STAGES)
    body = answer("rollback", "churn", "--reason", "complaint 123")
    assert (body["version"], body["release"]["weights"]) == ("1", {"1": 100.0})


def test_the_status_shows_who_has_which_share(at_home: Workspace) -> None:
    rollout = open_release(keep("2", at_home), at_home, *STAGES)
    releases.move_on(rollout, STAGES, "fine", at_home)
    (project,) = answer("status")["projects"]
    assert (project["champion"], project["weights"]) == ("1", {"1": 95.0, "2": 5.0})
    said = CliRunner().invoke(penstock, ["status"], catch_exceptions=False).output
    assert "version 2 at 5 %" in said


def test_waiting_for_a_rollout_ends_with_it(
    at_home: Workspace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(waiting, "POLL_SECONDS", 0.01)
    rollout = open_release(keep("2", at_home), at_home, *STAGES)

    def move() -> None:
        moving = rollout
        while moving.active:
            moving = releases.move_on(moving, STAGES, "fine", at_home)

    thread = threading.Timer(0.3, move)
    thread.start()
    ended = waiting.wait_for_end(rollout, Output(as_json=True), at_home)
    thread.join()
    assert ended is not None
    assert (ended.state, ended.weights) == ("serving", {"2": 100.0})
    assert "Version 2 is at 0 %." in capsys.readouterr().err
