"""Who a process is, whose it is, and how it ends."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from penstock.domain.workspace import Workspace
from penstock.orchestration.claims import beginning, claim_run, drop_claim, find_claim, living_claims, somebody_begins
from penstock.orchestration.processes import (
    PART_VARIABLE,
    RUN_VARIABLE,
    end,
    own_processes,
    read_identity,
    with_children,
    worked_on,
    write_identity,
)
from penstock.store.workspace import inherited_environment

STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); signal.pause()"


@contextmanager
def _process(workspace: Workspace, **variables: str) -> Iterator[subprocess.Popen[bytes]]:
    environment = {**inherited_environment(workspace), **variables}
    with subprocess.Popen([sys.executable, "-c", STUBBORN], env=environment, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield process
        finally:
            process.kill()


def test_a_record_names_a_process_only_while_it_lives(workspace: Workspace, tmp_path: Path) -> None:
    path = tmp_path / "part.json"
    assert read_identity(path) is None
    with _process(workspace) as process:
        write_identity(process.pid, path)
        found = read_identity(path)
        assert found is not None
        assert found.lives
    gone = read_identity(path)
    assert gone == found
    assert not gone.lives
    assert not replace(gone, pid=os.getpid(), started=gone.started - 100).lives  # an id that was used again


def test_a_record_of_an_earlier_version_is_read_by_its_start_time(tmp_path: Path) -> None:
    path, started = tmp_path / "part.json", psutil.Process().create_time()
    for seconds, since in ((0, started), (-100, None)):
        path.write_text(json.dumps({"pid": os.getpid(), "started": started + seconds}))
        found = read_identity(path)
        assert found is not None
        assert found.since == since


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="Linux alone tells ticks since the boot.")
def test_a_process_lives_on_when_the_clock_is_set_and_runs_since_a_time_of_that_clock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, create_time = tmp_path / "part.json", psutil.Process.create_time
    write_identity(os.getpid(), path)
    found = read_identity(path)
    assert found is not None
    monkeypatch.setattr(psutil.Process, "create_time", lambda process: create_time(process) + 3600)
    assert found.lives
    assert found.since == create_time(psutil.Process()) + 3600


def test_only_what_a_part_of_this_workspace_started_is_ours(workspace: Workspace, tmp_path: Path) -> None:
    other = replace(workspace, home=tmp_path / "other")
    with (
        _process(workspace, **{PART_VARIABLE: "worker", RUN_VARIABLE: "run-1"}) as mine,
        _process(workspace),
        _process(other, **{PART_VARIABLE: "worker", RUN_VARIABLE: "run-2"}),
    ):
        assert [process.pid for process in own_processes(workspace)] == [mine.pid]
        assert own_processes(workspace, "mlflow") == []
        assert worked_on(workspace) == {"run-1"}


def test_what_does_not_end_politely_is_killed(workspace: Workspace) -> None:
    with _process(workspace) as process:
        assert end(with_children([process.pid]), seconds=0.2) == 1
        assert not psutil.pid_exists(process.pid) or psutil.Process(process.pid).status() == psutil.STATUS_ZOMBIE
        assert end([], seconds=0.2) == 0


def test_a_claim_says_who_works_on_a_flow_run_until_it_is_dropped(workspace: Workspace) -> None:
    assert find_claim("run-1", workspace) is None
    claim_run("run-1", workspace)
    claim = find_claim("run-1", workspace)
    assert claim is not None
    assert claim.pid == os.getpid()
    assert set(living_claims(workspace)) == {"run-1"}
    drop_claim("run-1", workspace)
    assert not living_claims(workspace)


def test_a_process_begins_a_flow_run_until_it_has_claimed_one(workspace: Workspace) -> None:
    assert not somebody_begins(workspace)
    with beginning(workspace):
        assert somebody_begins(workspace)
        claim_run("run-1", workspace)
        assert not somebody_begins(workspace)
    drop_claim("run-1", workspace)
    assert not living_claims(workspace)
