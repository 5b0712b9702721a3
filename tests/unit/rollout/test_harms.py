"""Ticks of a rollout whose challenger harms, or does not: live answers of a stage, the mix of answers, and quality."""

from pathlib import Path

import msgspec
import pytest

from penstock.domain.releases import Label
from penstock.domain.workspace import Workspace
from penstock.rollout import kept
from penstock.rollout.advance import advance_rollouts
from penstock.rollout.release import Finding
from penstock.serving.journals.reading import read_entries
from penstock.store import artifacts, ledger, records
from penstock.store.labels import save_labels
from tests.spoiled import turned
from tests.unit.rollout.stage import ask, graph, let_pass, spoil
from tests.unit.rollout.test_advance import open_second, project, tick_until_it_ends
from tests.unit.serving.stand_in import ROW

__all__ = ["project"]


def live(workspace: Workspace, count: int, failing: int = 0) -> None:
    """Answers of both versions to callers, as at a stage above 0 %, some of which the challenger has failed to give."""
    if failing:
        ask(failing, workspace, version="1", failed="2")
    half = (count - failing) // 2
    for part in (half, count - failing - half):
        ask(part, workspace, version="1")
        ask(part, workspace, version="2")


def test_where_traffic_is_enough_live_answers_of_the_stage_end_it(project: Path, workspace: Workspace) -> None:
    ask(700, workspace)
    open_second(workspace, project)
    assert [each.weights["2"] for each in advance_rollouts(workspace)] == [5.0]
    live(workspace, 400)
    assert [each.weights["2"] for each in advance_rollouts(workspace)] == [25.0]
    said = ledger.list_audit("churn", workspace)[-1].reason
    assert "The stage of 5 % ended: 321 answers: failures at most" in said
    assert advance_rollouts(workspace) == []  # what was seen at 5 % does not count at 25 %
    live(workspace, 700)
    assert [each.state for each in advance_rollouts(workspace)] == ["serving"]
    assert "The stage of 25 % ended: 642 answers" in ledger.list_audit("churn", workspace)[-1].reason


def test_live_failures_hold_a_stage_up_whatever_pairs_have_shown(project: Path, workspace: Workspace) -> None:
    ask(700, workspace)
    open_second(workspace, project)
    advance_rollouts(workspace)
    live(workspace, 400, failing=6)  # too few to be shown to be harm, too many to be none
    for _ in range(3):
        assert advance_rollouts(workspace) == []
        let_pass(120)


def test_a_few_live_failures_count_where_traffic_is_thin(project: Path, workspace: Workspace) -> None:
    ask(700, workspace)
    open_second(workspace, project)
    advance_rollouts(workspace)
    live(workspace, 60, failing=4)
    assert advance_rollouts(workspace) == []
    let_pass(60)
    assert advance_rollouts(workspace) == []


def test_traffic_that_will_soon_be_enough_is_waited_for(project: Path, workspace: Workspace) -> None:
    ask(700, workspace)
    open_second(workspace, project)
    advance_rollouts(workspace)
    live(workspace, 200)
    assert advance_rollouts(workspace) == []  # at this pace 321 answers are there within the next seconds
    let_pass(29)
    live(workspace, 60)
    assert advance_rollouts(workspace)[0].weights["2"] == 25.0  # at this one they are not


def judged(workspace: Workspace, pairs: int) -> None:
    """Rows that the judge has seen, as the workshop keeps them."""
    rows = [{**ROW, "age": 20 + number % 50} for number in range(pairs)]
    made = kept.Judged("1", artifacts.put_bytes(msgspec.json.encode(rows), workspace))
    records.save_record(kept.JUDGED, "2", "churn", made, workspace)


@pytest.mark.parametrize("seen_by_the_judge", [False, True])
def test_a_changed_mix_is_taken_back_unless_the_judge_has_seen_it(
    seen_by_the_judge: bool, project: Path, workspace: Workspace
) -> None:
    ask(700, workspace)
    spoil("2", turned(graph("2", workspace)), workspace, project)
    opened = open_second(workspace, project)
    if seen_by_the_judge:
        judged(workspace, 250)
        assert tick_until_it_ends(workspace)[-1].version == "2"
        return
    assert [each.version for each in advance_rollouts(workspace)] == ["1"]
    found = records.find_record("guard", str(opened.id), "churn", Finding, workspace)
    assert found is not None
    assert (found.guard, found.limit) == ("mix", 0.05)
    assert ledger.list_audit("churn", workspace)[-1].actor == "guard:mix"


def test_labels_show_a_segment_in_which_a_challenger_is_bad(project: Path, workspace: Workspace) -> None:
    """The champion is wrong about the youngest, the challenger about as many of the oldest: as good on the whole."""
    for version, low, high in (("1", 0, 32), ("2", 58, 100)):
        spoil(version, turned(graph(version, workspace), low, high), workspace, project)
    ask(700, workspace)
    opened = open_second(workspace, project)
    label_all(workspace, "yes")
    assert [each.version for each in advance_rollouts(workspace)] == ["1"]
    found = records.find_record("guard", str(opened.id), "churn", Finding, workspace)
    assert found is not None
    assert found.guard == "segment"
    assert "where 'age' is above" in found.said
    assert ledger.list_audit("churn", workspace)[-1].actor == "guard:segment"


def test_labels_show_what_a_challenger_loses(project: Path, workspace: Workspace) -> None:
    spoil("2", turned(graph("2", workspace), 60, 100), workspace, project)
    ask(700, workspace)
    judged(workspace, 700)  # who has seen the change of the mix, and not the loss
    open_second(workspace, project)
    label_all(workspace, "yes")
    assert [each.version for each in advance_rollouts(workspace)] == ["1"]
    assert ledger.list_audit("churn", workspace)[-1].actor == "guard:quality"


def label_all(workspace: Workspace, value: str) -> None:
    now = workspace.now()
    labels = [
        (Label("churn", entry.request_id, 0, value, "http", now, now), True)
        for entry in read_entries("churn", workspace)
    ]
    save_labels(labels, workspace)
