"""Releases: who answers, and how that changes."""

from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from penstock.domain.evaluation import Decision
from penstock.domain.models import ModelVersion
from penstock.domain.releases import Training
from penstock.domain.workspace import Workspace
from penstock.errors import NotFound, Refused
from penstock.rollout import history
from penstock.rollout import release as releases
from penstock.store import ledger, records
from tests.killed import killed_at
from tests.unit.rollout.stage import keep, make_decision, open_release


def test_a_training_is_to_beat_what_served_before_its_own_version(workspace: Workspace) -> None:
    def to_beat(training: str) -> str | None:
        found = history.find_champion("churn", Training(training, "churn", "s", datetime.now(UTC)), workspace)
        return found.version if found else None

    assert to_beat("t1") is None
    open_release(keep("1", workspace), workspace)
    assert (to_beat("t1"), to_beat("t2")) == (None, "1")
    open_release(keep("2", workspace), workspace)
    assert (to_beat("t2"), to_beat("t3")) == ("1", "2")


def test_a_promotion_gives_all_traffic_once(workspace: Workspace) -> None:
    decision = keep("1", workspace)
    first = open_release(decision, workspace)
    again = open_release(decision, workspace)
    assert first == again
    assert (first.state, first.weights) == ("serving", {"1": 100.0})
    assert len(ledger.list_audit("churn", workspace)) == 1


def test_a_held_decision_opens_nothing(workspace: Workspace) -> None:
    with pytest.raises(Refused, match="says 'hold'"):
        open_release(make_decision("1", "hold"), workspace)
    assert records.newest_release("churn", workspace) is None


def test_a_rollback_returns_to_the_version_before_and_marks_the_one_left(workspace: Workspace) -> None:
    for version in ("1", "2", "3"):
        open_release(keep(version, workspace), workspace)
    back = releases.roll_back("churn", actor="ann", reason="complaint 123", workspace=workspace)
    assert (back.version, back.weights) == ("2", {"2": 100.0})
    assert records.list_releases("churn", workspace)[1].state == "rolled_back"
    further = releases.roll_back("churn", actor="ann", reason="", workspace=workspace)
    assert further.version == "1"
    with pytest.raises(Refused, match="had none before version 1"):
        releases.roll_back("churn", actor="ann", reason="", workspace=workspace)


def test_a_version_that_is_released_again_is_rolled_back_to_the_one_that_it_replaced(workspace: Workspace) -> None:
    for version in ("1", "2"):
        open_release(keep(version, workspace), workspace)
    again = releases.release_version("churn", "1", actor="ann", reason="", workspace=workspace)
    assert again.previous == "2"
    undone = [releases.roll_back("churn", actor="ann", reason="oops", workspace=workspace) for _ in range(2)]
    assert [(each.version, each.previous) for each in undone] == [("2", "1"), ("1", None)]


def test_a_version_rolled_back_returns_only_by_hand(workspace: Workspace) -> None:
    open_release(keep("1", workspace), workspace)
    decision = keep("2", workspace)
    open_release(decision, workspace)
    releases.roll_back("churn", actor="ann", reason="bad", workspace=workspace)
    other = Decision(**{name: getattr(decision, name) for name in decision.__slots__ if name != "id"}, id="another")
    with pytest.raises(Refused, match="was rolled back"):
        open_release(other, workspace)
    by_hand = releases.release_version("churn", "2", actor="ann", reason="checked", workspace=workspace)
    assert by_hand.weights == {"2": 100.0}


def test_a_held_version_may_be_released_by_hand_and_the_audit_says_so(workspace: Workspace) -> None:
    open_release(keep("1", workspace), workspace)
    keep("2", workspace, "hold")
    releases.release_version("churn", "2", actor="ann", reason="for the fair", workspace=workspace)
    last = ledger.list_audit("churn", workspace)[-1]
    assert (last.actor, last.after) == ("ann", '{"2": 100.0}')
    assert "the judge had said hold" in last.reason


def test_a_version_with_a_broken_gate_or_none_is_refused(workspace: Workspace) -> None:
    keep("1", workspace, held=False)
    with pytest.raises(Refused, match="smoke: as found"):
        releases.release_version("churn", "1", actor="ann", reason="", workspace=workspace)
    records.save_version(
        ModelVersion("churn", "2", "t2", "run", "m" * 64, "b" * 64, "a" * 64, datetime.now(UTC)), workspace
    )
    with pytest.raises(Refused, match="has none"):
        releases.release_version("churn", "2", actor="ann", reason="", workspace=workspace)
    with pytest.raises(NotFound):
        releases.release_version("churn", "9", actor="ann", reason="", workspace=workspace)


def test_a_release_and_its_audit_entry_stand_together_or_not_at_all(workspace: Workspace) -> None:
    decision = keep("1", workspace)
    with killed_at("audit", workspace), pytest.raises(sa.exc.IntegrityError):
        open_release(decision, workspace)
    assert records.newest_release("churn", workspace) is None
    assert open_release(decision, workspace).version == "1"
