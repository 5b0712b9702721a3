"""Ticks: a rollout is judged by what its challenger did, and moved or taken back."""

import time
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from penstock.domain.releases import Release
from penstock.domain.workspace import Workspace
from penstock.rollout import advance, kept, replay
from penstock.rollout import release as releases
from penstock.rollout.advance import advance_rollouts
from penstock.rollout.release import Finding
from penstock.serving.journals.request_ids import RequestIds
from penstock.serving.journals.shadow_spool import Shadowed, ShadowSpool
from penstock.store import ledger, records
from tests.spoiled import raising, slow
from tests.unit.rollout.stage import (
    answering,
    ask,
    backdate,
    graph,
    keep_rows,
    let_pass,
    rows_of,
    spoil,
    write_project,
)


@pytest.fixture
def project(workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Version 1 serves, version 2 is decided on, and stages need not last."""
    monkeypatch.setattr(advance, "MIN_STAGE_SECONDS", 0.0)
    monkeypatch.setattr(replay, "REPLAY_SECONDS", 20.0)
    for version in ("1", "2"):
        answering(version, workspace, tmp_path)
    open_first(workspace, write_project(workspace, tmp_path))
    return tmp_path


def open_first(workspace: Workspace, spec: object) -> None:
    from penstock.domain.evaluation import Decision

    decision = records.find_record("decision", "d1", "churn", Decision, workspace)
    assert decision is not None
    releases.open_release(decision, spec, workspace)  # type: ignore[arg-type]


def open_second(workspace: Workspace, folder: Path, rollout: str = "{}") -> Release:
    from penstock.domain.evaluation import Decision

    decision = records.find_record("decision", "d2", "churn", Decision, workspace)
    assert decision is not None
    return releases.open_release(decision, write_project(workspace, folder, rollout), workspace)


def newest(workspace: Workspace) -> Release:
    found = records.newest_release("churn", workspace)
    assert found is not None
    return found


def tick_until_it_ends(workspace: Workspace, ticks: int = 10) -> list[Release]:
    moved = []
    for _ in range(ticks):
        moved += advance_rollouts(workspace)
        let_pass(60)
        if not newest(workspace).active:
            return moved
    raise AssertionError(f"the rollout must end within {ticks} ticks, but is {newest(workspace)}")


def test_a_good_challenger_goes_to_the_end_by_replay_alone(project: Path, workspace: Workspace) -> None:
    ask(700, workspace)
    open_second(workspace, project)
    moved = tick_until_it_ends(workspace)
    assert [(each.state, each.weights["2"]) for each in moved] == [
        ("partial", 5.0),
        ("partial", 25.0),
        ("serving", 100.0),
    ]
    said = ledger.list_audit("churn", workspace)[-1]
    assert (said.actor, said.action) == ("control", "release.moved")
    assert "The stage of 25 % ended: 642 answers: failures at most" in said.reason


def test_where_few_have_asked_rows_of_the_dataset_are_replayed(project: Path, workspace: Workspace) -> None:
    ask(20, workspace)
    keep_rows("2", 2000, workspace)
    opened = open_second(workspace, project)
    asked = list(replay.requests_before(opened, workspace))
    assert len(asked) == kept.REQUESTS
    assert tick_until_it_ends(workspace)[-1].state == "serving"


def test_without_requests_and_rows_a_rollout_waits_and_is_then_taken_back(project: Path, workspace: Workspace) -> None:
    open_second(workspace, project, "{max_wait_minutes: 1}")
    assert advance_rollouts(workspace) == []
    let_pass(61)
    assert [each.version for each in advance_rollouts(workspace)] == ["1"]
    last = ledger.list_audit("churn", workspace)[-1]
    assert last.actor == "guard:wait"
    assert "0 of the 321 answers" in last.reason


def test_a_challenger_that_fails_some_rows_never_gets_traffic(project: Path, workspace: Workspace) -> None:
    ask(700, workspace)
    spoil("2", raising(graph("2", workspace), 0.0, 0.2), workspace, project)
    opened = open_second(workspace, project)
    assert [each.version for each in advance_rollouts(workspace)] == ["1"]
    found = records.find_record("guard", str(opened.id), "churn", Finding, workspace)
    assert found is not None
    assert found.guard == "errors"
    assert rows_of(workspace)[1] == ("2", "rolled_back")


def test_a_slow_challenger_never_gets_traffic(
    project: Path, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replay, "REPLAY_SECONDS", 1.0)
    ask(700, workspace)
    spoil("2", slow(graph("2", workspace), 1000), workspace, project)
    opened = open_second(workspace, project)
    tick_until_it_ends(workspace)
    found = records.find_record("guard", str(opened.id), "churn", Finding, workspace)
    assert found is not None
    assert found.guard == "latency"
    assert rows_of(workspace)[1] == ("2", "rolled_back")


def test_a_bundle_that_does_not_load_is_taken_back_at_once(project: Path, workspace: Workspace) -> None:
    spoil("2", b"no graph", workspace, project)
    open_second(workspace, project)
    assert [each.version for each in advance_rollouts(workspace)] == ["1"]
    assert ledger.list_audit("churn", workspace)[-1].actor == "guard:errors"


def test_what_shadows_and_callers_see_counts(project: Path, workspace: Workspace) -> None:
    ask(700, workspace)
    opened = open_second(workspace, project)
    shadow(workspace, 40)
    assert [each.state for each in advance_rollouts(workspace)] == ["partial"]
    begun = newest(workspace)
    ask(30, workspace, version="1", release=begun.id, failed="2")
    assert [each.version for each in advance_rollouts(workspace)] == ["1"]
    found = records.find_record("guard", str(opened.id), "churn", Finding, workspace)
    assert found is not None
    assert "live answers" in found.said


def test_a_shadow_that_fails_is_taken_back(project: Path, workspace: Workspace) -> None:
    ask(20, workspace)
    open_second(workspace, project)
    assert advance_rollouts(workspace) == []
    shadow(workspace, 40, error="ModelError: no number")
    assert [each.version for each in advance_rollouts(workspace)] == ["1"]


def shadow(workspace: Workspace, count: int, error: str | None = None) -> None:
    spool, ids = ShadowSpool(workspace), RequestIds()
    for _ in range(count):
        now = datetime.now(UTC).isoformat()
        facts = (ids.next(), now, "churn", "2", "1")
        said = Shadowed(*facts, error=error) if error else Shadowed(*facts, latency_ms=0.4, champion_ms=0.4)
        spool.append(said)
    spool.close()


def test_a_slow_answer_to_callers_is_held_against_those_near_it(project: Path, workspace: Workspace) -> None:
    ask(700, workspace)
    open_second(workspace, project)
    advance_rollouts(workspace)
    for _ in range(40):
        ask(2, workspace, version="1", latency=1.0)
        ask(1, workspace, version="2", latency=90.0)
    assert [each.version for each in advance_rollouts(workspace)] == ["1"]
    assert ledger.list_audit("churn", workspace)[-1].actor == "guard:latency"


def test_a_process_that_was_killed_goes_on_where_the_rollout_stands(project: Path, workspace: Workspace) -> None:
    ask(700, workspace)
    open_second(workspace, project)
    advance_rollouts(workspace)
    advance._gathered.clear()  # as a new process
    assert advance_rollouts(workspace) == []
    let_pass(60)
    assert [(each.state, each.weights["2"]) for each in advance_rollouts(workspace)] == [("partial", 25.0)]


@pytest.mark.parametrize("policy", ["{}", "{thin_traffic: hold}"])
def test_a_night_without_control_is_no_time_at_a_stage(
    policy: str, project: Path, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(700, workspace)
    open_second(workspace, project, policy)
    assert [each.weights["2"] for each in advance_rollouts(workspace)] == [5.0]
    advance._gathered.clear()  # `penstock down`
    backdate(8 * 3600, workspace)
    assert advance_rollouts(workspace) == []
    assert newest(workspace).weights == {"1": 95.0, "2": 5.0}
    monkeypatch.setattr(time, "monotonic", lambda clock=time.monotonic: clock() + 8 * 3600)  # held, and let go on
    assert advance_rollouts(workspace) == []
    assert newest(workspace).weights == {"1": 95.0, "2": 5.0}


def test_answers_of_a_version_that_callers_chose_are_no_evidence(project: Path, workspace: Workspace) -> None:
    ask(700, workspace)
    open_second(workspace, project, "{thin_traffic: hold}")
    assert [each.weights["2"] for each in advance_rollouts(workspace)] == [5.0]
    for _ in range(4):
        ask(100, workspace, version="1")
        ask(100, workspace, version="2", pinned=True)
    assert advance_rollouts(workspace) == []
    let_pass(60)
    assert advance_rollouts(workspace) == []


def test_where_callers_are_to_be_waited_for_replay_is_not_enough(project: Path, workspace: Workspace) -> None:
    ask(700, workspace)
    open_second(workspace, project, "{thin_traffic: hold}")
    assert [each.weights["2"] for each in advance_rollouts(workspace)] == [5.0]
    assert advance_rollouts(workspace) == []
    let_pass(60)
    assert advance_rollouts(workspace) == []
    for _ in range(4):
        ask(100, workspace, version="1")
        ask(100, workspace, version="2")
    assert [each.weights["2"] for each in advance_rollouts(workspace)] == [25.0]


def test_a_tick_renews_the_challengers_weight(project: Path, workspace: Workspace) -> None:
    ask(20, workspace)
    opened = open_second(workspace, project)
    advance_rollouts(workspace)
    assert opened.valid_until is not None
    after = newest(workspace).valid_until
    assert after is not None
    assert after > opened.valid_until


def test_a_project_file_that_is_gone_holds_up_no_other_and_renews_nothing(project: Path, workspace: Workspace) -> None:
    opened = open_second(workspace, project)
    (project / "churn.yaml").unlink()
    with pytest.raises(Exception, match="is gone"):
        advance_rollouts(workspace)
    assert newest(workspace).valid_until == opened.valid_until


def test_what_one_line_says_is_read_once(project: Path, workspace: Workspace) -> None:
    from penstock.rollout.live import ShadowPairs

    opened = open_second(workspace, project)
    pairs = ShadowPairs("churn", "2", "1", opened.opened_at)
    shadow(workspace, 3)
    assert len(list(pairs.read(workspace))) == 3
    shadow(workspace, 2)
    assert len(list(pairs.read(workspace))) == 2
    path = next((workspace.journal / "churn" / "shadow").glob("*.jsonl"))
    with path.open("ab") as file:
        file.write(msgspec.json.encode({"request_id": "torn"})[:-3])
    assert list(pairs.read(workspace)) == []
