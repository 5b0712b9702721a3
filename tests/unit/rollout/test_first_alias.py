"""An alias that a person sets before anything answers: followed or refused, and said in the audit."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from penstock.domain.events import ALIAS_REFUSED
from penstock.domain.releases import AliasRequest, Release
from penstock.domain.workspace import Workspace
from penstock.rollout import reconcile
from penstock.rollout import release as releases
from penstock.rollout.aliases import write_alias
from penstock.rollout.reconcile import ACTOR, reconcile_aliases
from penstock.store import ledger, outbox, records, registry_aliases
from tests.killed import killed_at
from tests.registry import Registry
from tests.unit.rollout.stage import keep, open_release, write_project
from tests.unit.rollout.test_reconcile import newest, states


@pytest.fixture
def unreleased(workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Registry]:
    """Versions 1 and 2 were held, version 4 has a broken gate, and nothing was released."""
    monkeypatch.setattr(reconcile, "SETTLE_SECONDS", 0.0)
    write_project(workspace, tmp_path)
    with Registry().up(workspace) as found:
        for version in ("1", "2"):
            keep(version, workspace, "hold")
        keep("4", workspace, held=False)
        yield found


def test_without_an_alias_and_a_release_nothing_is_asked(unreleased: Registry, workspace: Workspace) -> None:
    assert reconcile_aliases(workspace) == []
    assert (records.newest_release("churn", workspace), unreleased.champion, states(workspace)) == (None, None, [])


def test_an_alias_that_is_set_before_anything_answers_is_followed(unreleased: Registry, workspace: Workspace) -> None:
    unreleased.champion = "2"
    assert [each.version for each in reconcile_aliases(workspace)] == ["2"]
    assert (newest(workspace).actor, newest(workspace).weights) == (ACTOR, {"2": 100.0})
    assert [reconcile_aliases(workspace) for _ in range(3)] == [[], [], []]
    assert states(workspace) == [("2", "followed")]
    assert (unreleased.champion, newest(workspace).alias_seen) == ("2", "2")
    entry = ledger.list_audit("churn", workspace)[-1]
    assert (entry.actor, entry.action) == (ACTOR, "release.moved")
    assert "The alias was set to version 2. (the judge had said hold)" in entry.reason


def test_of_quick_moves_before_anything_answers_the_last_is_followed(
    unreleased: Registry, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconcile, "SETTLE_SECONDS", 60.0)
    for version in ("1", "4", "2"):
        unreleased.champion = version
        assert reconcile_aliases(workspace) == []
    monkeypatch.setattr(reconcile, "SETTLE_SECONDS", 0.0)
    assert [each.version for each in reconcile_aliases(workspace)] == ["2"]
    assert states(workspace) == [("1", "overtaken"), ("4", "overtaken"), ("2", "followed")]


@pytest.mark.parametrize(("version", "said"), [("4", "smoke: as found"), ("9", "has no version '9'")])
def test_a_version_that_may_not_answer_is_refused_and_the_first_alias_taken_away(
    version: str, said: str, unreleased: Registry, workspace: Workspace
) -> None:
    unreleased.champion = version
    assert reconcile_aliases(workspace) == []
    assert [records.newest_release("churn", workspace), unreleased.champion] == [None, None]
    entry = ledger.list_audit("churn", workspace)[-1]
    assert (entry.actor, entry.action) == (ACTOR, "alias.refused")
    assert said in entry.reason
    told = outbox.list_notices("churn", workspace)[-1].notice
    assert (told.event, told.payload["version"], told.payload["champion"]) == (ALIAS_REFUSED, version, None)
    assert [reconcile_aliases(workspace) for _ in range(2)] == [[], []]
    unreleased.champion = version  # once more: once more a request
    reconcile_aliases(workspace)
    assert states(workspace) == [(version, "refused")] * 2


def test_a_first_alias_that_is_taken_away_in_time_asks_for_nothing(
    unreleased: Registry, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconcile, "SETTLE_SECONDS", 60.0)
    unreleased.champion = "1"
    reconcile_aliases(workspace)
    unreleased.champion = None
    monkeypatch.setattr(reconcile, "SETTLE_SECONDS", 0.0)
    assert reconcile_aliases(workspace) == []
    assert (states(workspace), records.newest_release("churn", workspace)) == ([("1", "overtaken")], None)


@pytest.mark.parametrize("table", ["audit", "outbox", "alias_requests"])
@pytest.mark.parametrize("version", ["1", "4"])
def test_killed_at_any_write_a_first_request_is_answered_once(
    version: str, table: str, unreleased: Registry, workspace: Workspace
) -> None:
    unreleased.champion = version
    with killed_at(table, workspace), pytest.raises(sa.exc.IntegrityError):
        reconcile_aliases(workspace)
    for _ in range(3):
        reconcile_aliases(workspace)
    found = records.newest_release("churn", workspace)
    assert (found.version if found else None, unreleased.champion) == (("1", "1") if version == "1" else (None, None))
    assert len(states(workspace)) == 1
    actions = [entry.action for entry in ledger.list_audit("churn", workspace)]
    assert actions == ["release.moved" if version == "1" else "alias.refused"]


def test_what_a_training_releases_while_the_alias_is_read_is_no_request(
    unreleased: Registry, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask = registry_aliases.find_alias

    def released_meanwhile(project: str, there: Workspace) -> str | None:
        if records.newest_release("churn", workspace) is None:
            write_alias(open_release(keep("3", workspace), workspace), workspace)
        return ask(project, there)

    monkeypatch.setattr(registry_aliases, "find_alias", released_meanwhile)
    reconcile_aliases(workspace)
    assert (states(workspace), unreleased.champion) == ([], "3")


def test_a_first_alias_is_overtaken_by_a_release_by_hand(
    unreleased: Registry, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconcile, "SETTLE_SECONDS", 60.0)
    unreleased.champion = "2"
    assert reconcile_aliases(workspace) == []
    monkeypatch.setattr(reconcile, "SETTLE_SECONDS", 0.0)
    releases.release_version("churn", "1", actor="ann", reason="", workspace=workspace)
    assert [reconcile_aliases(workspace) for _ in range(2)] == [[], []]
    assert (newest(workspace).version, unreleased.champion, states(workspace)) == ("1", "1", [("2", "overtaken")])
    unreleased.champion = "2"  # once more: a request
    assert [each.version for each in reconcile_aliases(workspace)] == ["2"]


@pytest.mark.parametrize("version", ["2", "4"])
def test_a_release_by_hand_while_a_first_alias_is_answered_keeps_its_alias(
    version: str, unreleased: Registry, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    follow = reconcile._follow

    def overtaken(current: Release | None, request: AliasRequest, there: Workspace) -> Release:
        write_alias(releases.release_version("churn", "1", actor="ann", reason="", workspace=there), there)
        return follow(current, request, there)

    monkeypatch.setattr(reconcile, "_follow", overtaken)
    unreleased.champion = version
    assert reconcile_aliases(workspace) == []
    assert (newest(workspace).version, unreleased.champion) == ("1", "1")
    monkeypatch.setattr(reconcile, "_follow", follow)
    assert [reconcile_aliases(workspace) for _ in range(2)] == [[], []]
    assert (unreleased.champion, states(workspace)) == ("1", [(version, "overtaken")])


def test_a_project_without_a_version_asks_mlflow_nothing(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(registry_aliases, "find_alias", lambda project, _: asked.append(project))
    write_project(workspace, tmp_path)
    assert reconcile_aliases(workspace) == []
    assert asked == []
