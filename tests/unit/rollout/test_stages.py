"""A rollout from stage to stage: one active row, each transition whole or not at all."""

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

from penstock.domain.events import RELEASE_MOVED, RELEASE_ROLLED_BACK
from penstock.domain.releases import Release
from penstock.domain.workspace import Workspace
from penstock.errors import Refused
from penstock.rollout import history
from penstock.rollout import release as releases
from penstock.rollout.release import Finding
from penstock.rollout.writing import Cause
from penstock.store import database, ledger, outbox, records, tables
from tests.killed import killed_at
from tests.unit.rollout.stage import STAGES, keep, make_spec, open_release, rows_of

FOUND = Finding("latency", "Slowed requests: 100 % of 20.", 1.0, 0.05, 20, 0.6)


@pytest.fixture
def rollout(workspace: Workspace) -> Release:
    """Version 2 shadowed beside version 1."""
    open_release(keep("1", workspace), workspace)
    return open_release(keep("2", workspace), workspace, *STAGES)


def newest(workspace: Workspace) -> Release:
    found = records.newest_release("churn", workspace)
    assert found is not None
    return found


def test_a_first_model_serves_at_once(workspace: Workspace) -> None:
    first = open_release(keep("1", workspace), workspace, *STAGES)
    assert (first.state, first.weights, first.active) == ("serving", {"1": 100.0}, False)


def test_a_later_one_begins_in_the_shadow_and_the_champion_answers(rollout: Release, workspace: Workspace) -> None:
    assert (rollout.state, rollout.stage, rollout.champion, rollout.previous) == ("shadow", 0, "1", "1")
    assert rollout.weights == {"1": 100.0, "2": 0.0}
    assert rollout.stage_began is not None
    assert rollout.valid_until is not None
    assert rows_of(workspace) == [("2", "shadow"), ("1", "serving")]


def test_a_rollout_goes_from_stage_to_stage_and_ends_serving(rollout: Release, workspace: Workspace) -> None:
    seen = [(rollout.state, rollout.weights["2"])]
    while rollout.active:
        rollout = releases.move_on(rollout, STAGES, "nothing was found", workspace)
        seen.append((rollout.state, rollout.weights["2"]))
    assert seen == [("shadow", 0.0), ("partial", 5.0), ("partial", 25.0), ("serving", 100.0)]
    assert rows_of(workspace) == [("2", "serving"), ("1", "superseded")]
    assert (rollout.champion, rollout.previous, rollout.valid_until) == ("2", "1", None)
    told = outbox.list_notices("churn", workspace)
    assert [each.notice.event for each in told] == [RELEASE_MOVED] * 5
    assert [each.notice.payload["weights"].get("2") for each in told] == [None, 0.0, 5.0, 25.0, 100.0]


def test_a_stage_that_is_skipped_or_repeated_is_left_as_it_is(rollout: Release, workspace: Workspace) -> None:
    moved = releases.move_on(rollout, STAGES, "fine", workspace)
    again = releases.move_on(rollout, STAGES, "fine, says a process that was late", workspace)
    assert (moved.stage, again.stage) == (1, 0)
    assert newest(workspace).stage == 1
    late = releases.take_back(rollout, FOUND, workspace)
    assert late == rollout
    assert newest(workspace).stage == 1


def test_harm_gives_everything_back_and_only_a_person_may_try_again(rollout: Release, workspace: Workspace) -> None:
    back = releases.take_back(rollout, FOUND, workspace)
    assert (back.version, back.state, back.weights, back.previous) == ("1", "serving", {"1": 100.0}, None)
    assert rows_of(workspace) == [("1", "serving"), ("2", "rolled_back"), ("1", "superseded")]
    last = ledger.list_audit("churn", workspace)[-1]
    assert (last.actor, last.action, last.reason) == ("guard:latency", "release.rolled_back", FOUND.said)
    assert records.find_record("guard", str(rollout.id), "churn", Finding, workspace) == FOUND
    assert outbox.list_notices("churn", workspace)[-1].notice.event == RELEASE_ROLLED_BACK
    other = records.find_record("decision", "d2", "churn", type(keep("2", workspace)), workspace)
    assert other is not None
    with pytest.raises(Refused, match="was rolled back"):
        open_release(type(other)(**{**as_dict(other), "id": "another"}), workspace, *STAGES)
    releases.release_version("churn", "2", actor="ann", reason="checked", workspace=workspace)
    assert newest(workspace).champion == "2"


def test_a_rollback_passes_over_what_a_version_was_to_replace_and_never_did(
    rollout: Release, workspace: Workspace
) -> None:
    """Version 2 is taken back, 3 serves, a person releases 2 after it, and 4 is taken back from 2."""
    releases.take_back(rollout, FOUND, workspace)
    open_release(keep("3", workspace), workspace)
    releases.release_version("churn", "2", actor="ann", reason="a broken feed", workspace=workspace)
    fourth = open_release(keep("4", workspace), workspace, *STAGES)
    back = releases.take_back(fourth, FOUND, workspace)
    assert (back.version, back.previous) == ("2", "3")
    made = releases.roll_back("churn", actor="ann", reason="bad after all", workspace=workspace)
    assert (made.version, made.previous) == ("3", "1")


def as_dict(record: Any) -> dict[str, Any]:
    return {name: getattr(record, name) for name in record.__slots__}


@pytest.mark.usefixtures("rollout")
def test_a_newer_version_ends_a_rollout(workspace: Workspace) -> None:
    third = open_release(keep("3", workspace), workspace, *STAGES)
    assert (third.champion, third.weights) == ("1", {"1": 100.0, "3": 0.0})
    assert rows_of(workspace) == [("3", "shadow"), ("2", "superseded"), ("1", "serving")]
    assert [entry.action for entry in ledger.list_audit("churn", workspace)][-2:] == [
        "release.superseded",
        "release.opened",
    ]
    back = releases.take_back(third, FOUND, workspace)
    assert (back.version, back.previous) == ("1", None)


@pytest.mark.usefixtures("rollout")
@pytest.mark.parametrize("act", ["rollback", "release 1", "release 2", "release 3"])
def test_a_person_ends_a_rollout(act: str, workspace: Workspace) -> None:
    keep("3", workspace)
    if act == "rollback":
        made = releases.roll_back("churn", actor="ann", reason="no", workspace=workspace)
    else:
        made = releases.release_version("churn", act[-1], actor="ann", reason="now", workspace=workspace)
    expected = "1" if act == "rollback" else act[-1]
    assert (made.version, made.weights, made.state) == (expected, {expected: 100.0}, "serving")
    assert made.previous == (None if expected == "1" else "1")
    assert [state for _, state in rows_of(workspace)].count("serving") == 1
    left = {"rollback": "rolled_back"}.get(act, "superseded")
    assert rows_of(workspace)[1] == ("2", left)


def test_a_decision_opens_one_release_however_often_it_is_carried_out(workspace: Workspace) -> None:
    open_release(keep("1", workspace), workspace)
    decision = keep("2", workspace)
    first = open_release(decision, workspace, *STAGES)
    releases.move_on(first, STAGES, "fine", workspace)
    assert open_release(decision, workspace, *STAGES).id == first.id
    assert len(rows_of(workspace)) == 2


def test_the_database_holds_one_rollout_a_project(rollout: Release, workspace: Workspace) -> None:
    values = {"project": "churn", "version": "9", "state": "partial", "weights": {}, "opened_at": rollout.opened_at}
    with database.connect(workspace).begin() as connection, pytest.raises(sa.exc.IntegrityError):
        connection.execute(sa.insert(tables.releases).values(**values, actor="x", reason="x"))


def test_a_transition_that_is_killed_leaves_the_stage_before(rollout: Release, workspace: Workspace) -> None:
    acts: tuple[Callable[[], Release], ...] = (
        lambda: releases.move_on(rollout, STAGES, "fine", workspace),
        lambda: releases.take_back(rollout, FOUND, workspace),
        lambda: open_release(keep("3", workspace), workspace, *STAGES),
        lambda: releases.roll_back("churn", actor="ann", reason="", workspace=workspace),
    )
    for table in ("audit", "outbox"):
        for act in acts:
            with killed_at(table, workspace), pytest.raises(sa.exc.IntegrityError):
                act()
            assert newest(workspace) == rollout
            assert rows_of(workspace) == [("2", "shadow"), ("1", "serving")]
    assert releases.move_on(rollout, STAGES, "fine", workspace).stage == 1


def test_renewing_moves_nothing_but_the_time(rollout: Release, workspace: Workspace) -> None:
    releases.renew(rollout, workspace)
    after = newest(workspace)
    assert after.valid_until is not None
    assert rollout.valid_until is not None
    assert after.valid_until > rollout.valid_until
    assert len(ledger.list_audit("churn", workspace)) == 2


def test_a_version_waits_for_approval_and_then_begins(workspace: Workspace) -> None:
    open_release(keep("1", workspace), workspace)
    waiting = open_release(keep("2", workspace), workspace, *STAGES, approve=True)
    assert (waiting.state, waiting.weights, waiting.champion) == ("pending_approval", {"1": 100.0}, "1")
    assert f"`penstock approve {waiting.id}`" in ledger.list_audit("churn", workspace)[-1].reason
    begun = releases.approve_release(waiting, make_spec(STAGES), Cause("ann", "fine"), workspace)
    assert (begun.id, begun.state, begun.weights) == (waiting.id, "shadow", {"1": 100.0, "2": 0.0})
    with pytest.raises(Refused, match="must wait for approval"):
        releases.approve_release(waiting, make_spec(STAGES), Cause("ann", "fine"), workspace)


def test_a_version_that_a_person_rejects_is_not_proposed_again(workspace: Workspace) -> None:
    open_release(keep("1", workspace), workspace)
    waiting = open_release(keep("2", workspace), workspace, *STAGES, approve=True)
    back = releases.reject_release(waiting, Cause("ann", "not now"), workspace)
    assert (back.version, back.reason) == ("1", "not now")
    assert rows_of(workspace)[1] == ("2", "rolled_back")
    with database.connect(workspace).begin() as connection:
        assert history.was_taken_back(connection, "churn", "2")


def test_trust_is_won_by_three_approvals(workspace: Workspace) -> None:
    open_release(keep("1", workspace), workspace)
    states = []
    for version in ("2", "3", "4", "5"):
        opened = open_release(keep(version, workspace), workspace, *STAGES, approve="until_trusted")
        states.append(opened.state)
        if opened.state == "pending_approval":
            releases.approve_release(opened, make_spec((100,)), Cause("ann", ""), workspace)
    assert states == ["pending_approval"] * 3 + ["shadow"]
