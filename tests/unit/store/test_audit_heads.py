"""The audit's end, kept apart from its table: what shows that the last entries were taken out."""

import json
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from penstock.cli.traffic import audit_verify
from penstock.domain.workspace import Workspace
from penstock.errors import Refused
from penstock.store import audit_heads, database, ledger, tables
from penstock.store.audit_heads import FILE, keep_head, stamp_releases, verify
from penstock.store.records import register_project
from penstock.store.workspace import environment
from tests.registry import Registry


def act(workspace: Workspace, *reasons: str) -> None:
    for reason in reasons:
        ledger.record_act(ledger.Act("me", "act", "churn", reason, {}), workspace)


def take_out(workspace: Workspace, after: int) -> None:
    with database.connect(workspace).begin() as connection:
        connection.execute(sa.delete(tables.audit).where(tables.audit.c.number > after))


def serve(version: str, workspace: Workspace, state: str = "serving") -> None:
    register_project("churn", workspace.home / "churn.yaml", workspace)
    with database.connect(workspace).begin() as connection:
        values = {"state": state, "weights": {version: 100.0}, "opened_at": datetime.now(UTC)}
        connection.execute(
            sa.insert(tables.releases).values(project="churn", version=version, actor="me", reason="", **values)
        )


def test_the_end_is_written_down_and_follows_the_chain(workspace: Workspace) -> None:
    assert keep_head(workspace) is None
    assert not (workspace.home / FILE).exists()
    act(workspace, "one", "two")
    head = keep_head(workspace)
    assert head is not None
    assert head.count == 2
    assert json.loads((workspace.home / FILE).read_text()) == {"count": 2, "hash": head.hash}
    act(workspace, "three")
    assert keep_head(workspace) != head
    found = verify(workspace)
    assert (found.entries, found.broken, found.missing, found.not_asked) == (3, None, None, ())


def test_a_missing_tail_is_named_and_the_file_that_shows_it_stays(workspace: Workspace) -> None:
    act(workspace, "one", "two", "three")
    kept = keep_head(workspace)
    take_out(workspace, after=1)
    assert ledger.first_broken(workspace) is None  # what is left follows from itself
    with pytest.raises(Refused, match="must have at least 3 entries"):
        keep_head(workspace)
    found = verify(workspace)
    assert found.missing is not None
    assert "has 1: the tail from entry 2 on is missing." in found.missing
    act(workspace, "another two", "another three", "four")
    with pytest.raises(Refused, match="Entry 3 of the audit must be the one"):
        keep_head(workspace)
    assert audit_heads.find_kept(workspace) == kept


def test_the_version_of_each_release_is_tagged_once_when_mlflow_answers(workspace: Workspace) -> None:
    act(workspace, "one")
    serve("1", workspace)
    assert stamp_releases(workspace) == []  # MLflow is down, and nothing waits for it
    with Registry().up(workspace) as registry:
        assert stamp_releases(workspace) == ["churn"]
        head = ledger.find_head(workspace)
        assert head is not None
        assert registry.tags["churn"]["1"] == {"penstock.audit_count": "1", "penstock.audit_head": head.hash}
        act(workspace, "two")
        assert stamp_releases(workspace) == []
        serve("2", workspace, "shadow")
        assert stamp_releases(workspace) == []
        assert "2" not in registry.tags["churn"]


def test_what_mlflow_was_told_shows_a_missing_tail_where_the_file_is_gone(workspace: Workspace) -> None:
    act(workspace, "one", "two")
    serve("1", workspace)
    with Registry().up(workspace):
        stamp_releases(workspace)
        take_out(workspace, after=1)
        (workspace.home / FILE).unlink()
        found = verify(workspace)
        assert found.missing is not None
        assert "as version 1 of 'churn' in MLflow says" in found.missing
    down = verify(workspace)
    assert (down.missing, len(down.not_asked)) == (None, 1)


def test_the_command_says_what_is_missing_and_who_could_not_be_asked(workspace: Workspace) -> None:
    act(workspace, "one", "two")
    serve("1", workspace)
    keep_head(workspace)
    runner = CliRunner(env=environment(workspace))
    said = runner.invoke(audit_verify, ["--json"])
    body = json.loads(said.stdout)
    assert (body["broken"], body["entries"], len(body["not_asked"])) == (None, 2, 1)
    assert "could not be asked" in said.stderr
    take_out(workspace, after=1)
    said = runner.invoke(audit_verify, [])
    assert isinstance(said.exception, Refused)
    assert "must have at least 2 entries" in said.exception.message
