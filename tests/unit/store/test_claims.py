"""A decision is worked on by one process, and taken over if that process dies."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import sqlalchemy as sa

from penstock.domain.workspace import Workspace
from penstock.store import tables
from penstock.store.claims import end_claim, find_claim, name_training, open_claims, try_claim
from penstock.store.database import connect
from penstock.store.ledger import Act, list_audit
from penstock.store.workspace import inherited_environment

CLAIM = """
import sys
from penstock.store.claims import try_claim
from penstock.store.workspace import find_workspace
claim, mine = try_claim("d1", "churn", sys.argv[1], find_workspace())
print(mine, claim.flow_run, flush=True)
sys.stdin.read()
"""


class Other:
    """Another process that claims the decision, and then waits to be ended."""

    def __init__(self, flow_run: str, workspace: Workspace) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", CLAIM, flow_run],
            env=inherited_environment(workspace),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.said = self.process.stdout.readline().split()

    def kill(self) -> None:
        """Kill it without mercy."""
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def other(workspace: Workspace) -> Iterator[Other]:
    """A process that has claimed the decision first."""
    found = Other("run-1", workspace)
    yield found
    found.kill()


def test_of_two_processes_one_works(other: Other, workspace: Workspace) -> None:
    assert other.said == ["True", "run-1"]
    claim, mine = try_claim("d1", "churn", "run-2", workspace)
    assert (claim.flow_run, mine) == ("run-1", False)
    assert [(each.decision, lives) for each, lives in open_claims(workspace)] == [("d1", True)]


def test_a_dead_claimants_work_is_taken_over(other: Other, workspace: Workspace) -> None:
    other.kill()
    assert [lives for _, lives in open_claims(workspace)] == [False]
    claim, mine = try_claim("d1", "churn", "run-2", workspace)
    assert (claim.flow_run, claim.taken_over, mine) == ("run-2", 1, True)


def test_a_dead_claimant_is_dead_though_its_machine_has_another_name(other: Other, workspace: Workspace) -> None:
    other.kill()
    with connect(workspace).begin() as connection:
        connection.execute(sa.update(tables.claims).values(host="a-container-of-yesterday"))
    on_a_file = workspace.database_server is None  # else another machine alone knows
    assert [lives for _, lives in open_claims(workspace)] == [not on_a_file]
    assert try_claim("d1", "churn", "run-2", workspace)[1] == on_a_file


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="Linux alone tells ticks since the boot.")
def test_a_living_claimant_keeps_its_claim_when_the_clock_is_set(
    other: Other, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_time = psutil.Process.create_time
    monkeypatch.setattr(psutil.Process, "create_time", lambda process: create_time(process) + 3.0)
    assert [lives for _, lives in open_claims(workspace)] == [True]
    assert not try_claim("d1", "churn", "run-2", workspace)[1]
    other.kill()
    assert [lives for _, lives in open_claims(workspace)] == [False]


def test_what_was_done_is_not_done_again(other: Other, workspace: Workspace) -> None:
    name_training("d1", "t1", workspace)
    assert end_claim("d1", workspace)
    other.kill()
    claim, mine = try_claim("d1", "churn", "run-2", workspace)
    assert (claim.training, mine) == ("t1", False)
    assert claim.ended_at is not None
    assert open_claims(workspace) == []


def test_a_claim_that_a_process_repeats_is_still_its_own(workspace: Workspace) -> None:
    assert try_claim("d1", "churn", "run-1", workspace)[1]
    assert try_claim("d1", "churn", "run-1", workspace)[1]


def test_the_end_of_a_claim_is_audited_once(workspace: Workspace) -> None:
    try_claim("d1", "churn", "run-1", workspace)
    act = Act("control", "training.given_up", "churn", "It was cancelled.", after="d1", incident="d1")
    assert end_claim("d1", workspace, act)
    assert not end_claim("d1", workspace, act)
    assert [entry.action for entry in list_audit("churn", workspace, incident="d1")] == ["training.given_up"]
    found = find_claim("d1", workspace)
    assert found is not None
    assert found.ended_at is not None
