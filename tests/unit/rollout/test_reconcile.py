"""The alias in the registry, and what answers: neither is lost, and neither wins by chance."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from penstock.domain.events import ALIAS_REFUSED
from penstock.domain.releases import Release
from penstock.domain.workspace import Workspace
from penstock.errors import SourceUnavailable
from penstock.rollout import admission, aliases, reconcile
from penstock.rollout import release as releases
from penstock.rollout.aliases import write_alias
from penstock.rollout.reconcile import ACTOR, reconcile_aliases
from penstock.store import database, ledger, outbox, records
from penstock.store.alias_requests import list_requests
from tests.killed import killed_at
from tests.registry import Registry
from tests.unit.rollout.stage import STAGES, keep, open_release, rows_of, write_project


@pytest.fixture
def registry_up(workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Registry]:
    """Version 1 served, and version 2 took its place; version 3 is there, and a registry that answers."""
    monkeypatch.setattr(reconcile, "SETTLE_SECONDS", 0.0)
    write_project(workspace, tmp_path)
    with Registry().up(workspace) as found:
        for version in ("1", "2"):
            write_alias(open_release(keep(version, workspace), workspace), workspace)
        keep("3", workspace)
        found.writes = 0
        yield found


def newest(workspace: Workspace) -> Release:
    found = records.newest_release("churn", workspace)
    assert found is not None
    return found


def states(workspace: Workspace) -> list[tuple[str | None, str]]:
    return [(each.version, each.state) for each in list_requests("churn", workspace)]


def test_nothing_is_written_where_all_is_as_it_should_be(registry_up: Registry, workspace: Workspace) -> None:
    assert reconcile_aliases(workspace) == []
    assert (registry_up.writes, registry_up.champion, states(workspace)) == (0, "2", [])


def test_a_moved_alias_is_followed_once(registry_up: Registry, workspace: Workspace) -> None:
    registry_up.champion = "1"
    assert [each.version for each in reconcile_aliases(workspace)] == ["1"]
    assert (newest(workspace).actor, newest(workspace).weights) == (ACTOR, {"1": 100.0})
    assert [reconcile_aliases(workspace) for _ in range(3)] == [[], [], []]
    assert states(workspace) == [("1", "followed")]
    assert (registry_up.champion, registry_up.writes) == ("1", 0)
    registry_up.champion = "2"
    assert [each.version for each in reconcile_aliases(workspace)] == ["2"]


def test_an_alias_is_followed_when_it_has_come_to_rest(
    registry_up: Registry, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconcile, "SETTLE_SECONDS", 60.0)
    for version in ("1", "3", "1", "2", "3"):
        registry_up.champion = version
        assert reconcile_aliases(workspace) == []
    assert newest(workspace).version == "2"
    monkeypatch.setattr(reconcile, "SETTLE_SECONDS", 0.0)
    assert [each.version for each in reconcile_aliases(workspace)] == ["3"]
    assert states(workspace) == [
        ("1", "overtaken"),
        ("3", "overtaken"),
        ("1", "overtaken"),
        ("3", "followed"),
    ]
    assert rows_of(workspace)[0] == ("3", "serving")
    assert len(rows_of(workspace)) == 3


def test_an_alias_that_is_moved_back_in_time_asks_for_nothing(
    registry_up: Registry, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconcile, "SETTLE_SECONDS", 60.0)
    registry_up.champion = "1"
    reconcile_aliases(workspace)
    registry_up.champion = "2"
    reconcile_aliases(workspace)
    monkeypatch.setattr(reconcile, "SETTLE_SECONDS", 0.0)
    assert reconcile_aliases(workspace) == []
    assert states(workspace) == [("1", "overtaken")]


@pytest.mark.parametrize(
    ("version", "said"),
    [("4", "smoke: as found"), ("5", "must have passed its gates"), ("9", "has no version '9'"), (None, "taken away")],
)
def test_a_version_that_may_not_answer_is_refused_and_the_alias_put_back(
    version: str | None, said: str, registry_up: Registry, workspace: Workspace
) -> None:
    keep("4", workspace, held=False)
    kept = records.find_version("churn", "4", workspace)
    records.save_version(replace(kept, version="5", training="t5"), workspace)
    registry_up.champion = version
    assert reconcile_aliases(workspace) == []
    assert (newest(workspace).version, registry_up.champion) == ("2", "2")
    last = ledger.list_audit("churn", workspace)[-1]
    assert (last.actor, last.action) == (ACTOR, "alias.refused")
    assert said in last.reason
    told = outbox.list_notices("churn", workspace)[-1].notice
    assert (told.event, told.payload["version"], told.payload["champion"]) == (ALIAS_REFUSED, version, "2")
    assert reconcile_aliases(workspace) == []
    assert states(workspace) == [(version, "refused")]


def test_a_version_that_was_rolled_back_needs_a_reason(registry_up: Registry, workspace: Workspace) -> None:
    releases.roll_back("churn", actor="ann", reason="bad", workspace=workspace)
    reconcile_aliases(workspace)
    assert registry_up.champion == "1"
    registry_up.champion = "2"
    assert reconcile_aliases(workspace) == []
    assert (newest(workspace).version, registry_up.champion) == ("1", "1")
    assert "needs a reason" in ledger.list_audit("churn", workspace)[-1].reason


def test_a_rollback_while_the_registry_is_down_is_not_undone_when_it_returns(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconcile, "SETTLE_SECONDS", 0.0)
    write_project(workspace, tmp_path)
    with Registry().up(workspace) as up:
        for version in ("1", "2"):
            write_alias(open_release(keep(version, workspace), workspace), workspace)
    back = releases.roll_back("churn", actor="ann", reason="bad", workspace=workspace)
    with pytest.raises(SourceUnavailable):
        write_alias(back, workspace)
    assert reconcile_aliases(workspace) == []
    with up.up(workspace):
        assert up.champion == "2"
        assert reconcile_aliases(workspace) == []
        assert (up.champion, newest(workspace).version) == ("1", "1")
    assert list_requests("churn", workspace) == []


@pytest.mark.parametrize("act", ["rollback", "release 1", "release 2"])
def test_a_request_that_waits_is_overtaken_by_what_a_person_does_by_hand(
    act: str, registry_up: Registry, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconcile, "SETTLE_SECONDS", 60.0)
    registry_up.champion = "3"
    assert reconcile_aliases(workspace) == []
    monkeypatch.setattr(reconcile, "SETTLE_SECONDS", 0.0)
    if act == "rollback":
        made = releases.roll_back("churn", actor="ann", reason="bad", workspace=workspace)
    else:
        made = releases.release_version("churn", act[-1], actor="ann", reason="this one", workspace=workspace)
    assert [reconcile_aliases(workspace) for _ in range(2)] == [[], []]
    assert (newest(workspace).id, newest(workspace).version, registry_up.champion) == (
        made.id,
        made.version,
        made.version,
    )
    assert states(workspace) == [("3", "overtaken")]


@pytest.mark.parametrize("wanted", ["3", "4"])
def test_a_rollback_while_a_request_is_answered_is_not_undone(
    wanted: str, registry_up: Registry, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep("4", workspace, held=False)

    def rolled_back_meanwhile(project: str, version: str, there: Workspace) -> object:
        monkeypatch.setattr(reconcile, "judged", admission.judged)
        releases.roll_back("churn", actor="ann", reason="bad", workspace=workspace)
        return admission.judged(project, version, there)

    monkeypatch.setattr(reconcile, "judged", rolled_back_meanwhile)
    registry_up.champion = wanted
    for _ in range(3):
        assert reconcile_aliases(workspace) == []
    assert (newest(workspace).version, registry_up.champion) == ("1", "1")
    assert states(workspace) == [(wanted, "overtaken")]
    assert ledger.list_audit("churn", workspace)[-1].action == "release.rolled_back"


def test_during_a_rollout_the_alias_stays_and_follows_at_its_end(registry_up: Registry, workspace: Workspace) -> None:
    rollout = open_release(keep("3", workspace), workspace, *STAGES)
    assert write_alias(rollout, workspace) == rollout
    while rollout.active:
        reconcile_aliases(workspace)
        assert registry_up.champion == "2"
        rollout = releases.move_on(rollout, STAGES, "fine", workspace)
    reconcile_aliases(workspace)
    assert (registry_up.champion, newest(workspace).alias_seen) == ("3", "3")
    assert states(workspace) == []


def test_a_moved_alias_ends_a_rollout_of_another_version(registry_up: Registry, workspace: Workspace) -> None:
    open_release(keep("3", workspace), workspace, *STAGES)
    registry_up.champion = "1"
    assert [each.version for each in reconcile_aliases(workspace)] == ["1"]
    assert rows_of(workspace)[:2] == [("1", "serving"), ("3", "superseded")]


def test_where_a_person_must_agree_a_moved_alias_is_a_proposal(
    registry_up: Registry, workspace: Workspace, tmp_path: Path
) -> None:
    write_project(workspace, tmp_path, "{approve: true}")
    registry_up.champion = "3"
    made = reconcile_aliases(workspace)
    assert [(each.version, each.state, each.champion) for each in made] == [("3", "pending_approval", "2")]
    reconcile_aliases(workspace)
    assert registry_up.champion == "2"
    assert states(workspace) == [("3", "proposed")]


def test_killed_between_writing_the_alias_and_remembering_it(registry_up: Registry, workspace: Workspace) -> None:
    made = releases.release_version("churn", "3", actor="ann", reason="", workspace=workspace)
    aliases.put_alias("churn", "3", workspace)  # and killed
    assert newest(workspace).alias_seen == "2"
    releases.release_version("churn", "1", actor="ann", reason="no, this one", workspace=workspace)
    for _ in range(2):
        assert reconcile_aliases(workspace) == []
    assert (registry_up.champion, newest(workspace).version) == ("1", "1")
    assert states(workspace) == []
    registry_up.champion = made.version  # the same value again, by a person
    assert [each.version for each in reconcile_aliases(workspace)] == ["3"]


@pytest.mark.parametrize("table", ["audit", "outbox", "alias_requests", "releases"])
@pytest.mark.parametrize("version", ["1", "4"])
def test_killed_at_any_write_a_request_is_answered_once(
    version: str, table: str, registry_up: Registry, workspace: Workspace
) -> None:
    keep("4", workspace, held=False)
    registry_up.champion = version
    if (version, table) != ("4", "releases"):
        with killed_at(table, workspace), pytest.raises(sa.exc.IntegrityError):
            reconcile_aliases(workspace)
    for _ in range(3):
        reconcile_aliases(workspace)
    expected = "1" if version == "1" else "2"
    assert (newest(workspace).version, registry_up.champion) == (expected, expected)
    assert states(workspace) == [(version, "followed" if version == "1" else "refused")]
    actions = [entry.action for entry in ledger.list_audit("churn", workspace)]
    assert actions[2:] == ["release.moved" if version == "1" else "alias.refused"]


def test_a_model_that_the_registry_does_not_know_is_waited_for(registry_up: Registry, workspace: Workspace) -> None:
    registry_up.models = {}
    with database.connect(workspace).begin() as connection:
        connection.execute(sa.text("update releases set alias_seen = null"))
    assert reconcile_aliases(workspace) == []
    assert newest(workspace).version == "2"
