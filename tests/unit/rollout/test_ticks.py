"""What one tick leaves for the next, and what a process that starts anew makes of time that has passed."""

from pathlib import Path

import pytest

from penstock.domain.workspace import Workspace
from penstock.rollout import advance, guard
from penstock.rollout import release as releases
from penstock.rollout.advance import advance_rollouts
from penstock.rollout.observations import LATE_EVERY, MOST_OF_ONE, Evidence, Observation, Source
from penstock.rollout.release import Finding
from penstock.spec import Tolerate
from penstock.store import ledger
from tests.unit.rollout.stage import ask, backdate, let_pass, rows_of
from tests.unit.rollout.test_advance import newest, open_second, project  # noqa: F401  a fixture

CALLERS = 40


def fill(source: Source, count: int, *, failed: bool = False) -> None:
    for number in range(count):
        source.add(Observation(str(number % CALLERS), failed))


@pytest.mark.usefixtures("project")
def test_each_late_look_is_measured_once(tmp_path: Path, workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    looks, find_harm = [], guard.find_harm

    def find(evidence: Evidence, tolerate: Tolerate) -> Finding | None:
        looks.append((evidence.late_paired.look, evidence.late_live.look))
        return find_harm(evidence, tolerate)

    monkeypatch.setattr(guard, "find_harm", find)
    open_second(workspace, tmp_path)
    advance_rollouts(workspace)
    (gathered,) = advance._gathered.values()
    fill(gathered.pairs, CALLERS * MOST_OF_ONE)
    for source in (gathered.pairs, gathered.pairs, gathered.answers):
        fill(source, LATE_EVERY)
        advance_rollouts(workspace)
        advance_rollouts(workspace)
    assert gathered.pairs.late.look == 2
    assert looks == [(0, 0), (1, 0), (0, 0), (2, 0), (0, 0), (0, 0), (0, 0)]
    fill(gathered.answers, CALLERS * MOST_OF_ONE)
    advance_rollouts(workspace)
    assert (looks[-1], gathered.answers.unmeasured().seen) == ((0, 1), ())


@pytest.mark.usefixtures("project")
def test_late_harm_that_could_not_be_acted_on_is_found_again(
    tmp_path: Path, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def locked(*_: object) -> None:
        raise OSError("database is locked")

    open_second(workspace, tmp_path)
    advance_rollouts(workspace)
    (gathered,) = advance._gathered.values()
    fill(gathered.pairs, CALLERS * MOST_OF_ONE)
    fill(gathered.pairs, LATE_EVERY * 4, failed=True)
    with monkeypatch.context() as patched:
        patched.setattr(releases, "take_back", locked)
        with pytest.raises(OSError, match="locked"):
            advance_rollouts(workspace)
    assert [each.version for each in advance_rollouts(workspace)] == ["1"]
    assert "newest answers" in ledger.list_audit("churn", workspace)[-1].reason


@pytest.mark.usefixtures("project")
def test_a_control_that_starts_anew_every_few_minutes_ends_a_stage_all_the_same(
    tmp_path: Path, workspace: Workspace
) -> None:
    ask(700, workspace)
    open_second(workspace, tmp_path, "{thin_traffic: hold, max_wait_minutes: 60}")
    assert [each.weights["2"] for each in advance_rollouts(workspace)] == [5.0]
    for began in range(0, 56, 7):
        advance._gathered.clear()  # as a new process
        backdate(began * 60, workspace)
        assert advance_rollouts(workspace) == []
        backdate((began + 7) * 60 - 5, workspace)
        let_pass(7 * 60 - 5)
        assert advance_rollouts(workspace) == []
    advance._gathered.clear()
    backdate(61 * 60, workspace)
    assert advance_rollouts(workspace) == []
    let_pass(7 * 60)
    assert [each.version for each in advance_rollouts(workspace)] == ["1"]
    assert ledger.list_audit("churn", workspace)[-1].actor == "guard:wait"
    assert rows_of(workspace)[1] == ("2", "rolled_back")


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize("minutes", [60, 1])
def test_after_a_night_a_challenger_has_time_to_show_itself(minutes: int, tmp_path: Path, workspace: Workspace) -> None:
    ask(700, workspace)
    open_second(workspace, tmp_path, f"{{max_wait_minutes: {minutes}}}")
    assert [each.weights["2"] for each in advance_rollouts(workspace)] == [5.0]
    advance._gathered.clear()  # `penstock down`
    backdate(8 * 3600, workspace)
    ask(1, workspace, version="2")
    assert advance_rollouts(workspace) == []
    let_pass(25)
    assert advance_rollouts(workspace) == []
    let_pass(25)
    assert [each.weights["2"] for each in advance_rollouts(workspace)] == [25.0]
    assert newest(workspace).state == "partial"
