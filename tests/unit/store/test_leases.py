"""Leases, trainings and the audit."""

import itertools
import os
import socket
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import ANY

import psutil
import pytest
import sqlalchemy as sa

from penstock.domain.releases import Training
from penstock.domain.workspace import Workspace
from penstock.store import database, leases, ledger, tables, trainings


def hold_in_another_process(workspace: Workspace, name: str) -> "subprocess.Popen[str]":
    code = (
        "import sys, time; from pathlib import Path; from penstock.domain.workspace import Workspace\n"
        "from penstock.store import leases\n"
        f"w = Workspace(Path({str(workspace.home)!r}), Path({str(workspace.app)!r}),"
        f" database_server={workspace.database_server!r})\n"
        f"print(leases.try_lease({name!r}, w), flush=True); time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    with process.stdout as said:
        assert said.readline().strip() == "True"
    return process


def test_a_living_holder_keeps_its_lease_and_a_dead_one_loses_it(workspace: Workspace) -> None:
    holder = hold_in_another_process(workspace, "train:churn")
    try:
        assert not leases.try_lease("train:churn", workspace)
    finally:
        holder.kill()
        holder.wait()
    assert leases.try_lease("train:churn", workspace)
    leases.give_back("train:churn", workspace)
    assert leases.held_leases(workspace) == []


def test_what_a_dead_process_held_and_nobody_wants_is_freed(workspace: Workspace) -> None:
    holder = hold_in_another_process(workspace, "monitor:churn")
    leases.try_lease("train:churn", workspace)
    assert leases.free_dead_leases(workspace) == []
    holder.kill()
    holder.wait()
    assert leases.free_dead_leases(workspace) == ["monitor:churn"]
    assert [name for name, _, _ in leases.held_leases(workspace)] == ["train:churn"]


def keep_lease(name: str, workspace: Workspace, **holder: object) -> None:
    """Have a lease held by this process, but for what is said otherwise."""
    values = {"pid": os.getpid(), "started": psutil.Process().create_time(), "host": socket.gethostname(), **holder}
    with database.connect(workspace).begin() as connection:
        connection.execute(sa.insert(tables.leases).values(name=name, taken_at=datetime.now(UTC), **values))


def test_a_lease_of_another_host_name_counts_by_its_process_where_the_database_is_a_file(workspace: Workspace) -> None:
    on_a_file = workspace.database_server is None
    holder = hold_in_another_process(workspace, "train:churn")
    try:
        with database.connect(workspace).begin() as connection:
            connection.execute(sa.update(tables.leases).values(host="a-container-of-yesterday"))
        assert not leases.try_lease("train:churn", workspace)
    finally:
        holder.kill()
        holder.wait()
    assert leases.held_leases(workspace) == ([("train:churn", holder.pid, False)] if on_a_file else [])
    assert leases.leases_elsewhere(workspace) == ([] if on_a_file else [("train:churn", "a-container-of-yesterday")])
    assert leases.try_lease("train:churn", workspace) is on_a_file


def test_what_a_dead_process_held_under_another_host_name_is_freed_where_the_database_is_a_file(
    workspace: Workspace,
) -> None:
    keep_lease("monitor:churn", workspace, started=1.0, host="a-container-of-yesterday")
    on_a_file = workspace.database_server is None
    assert leases.free_dead_leases(workspace) == (["monitor:churn"] if on_a_file else [])


def test_with_a_server_only_the_machine_of_a_holder_sees_whether_it_lives(workspace: Workspace) -> None:
    served = replace(workspace, database_server="postgresql://db")
    assert not leases.is_near("another-machine", served)
    assert leases.is_near(socket.gethostname(), served)


def test_a_lease_of_a_dead_process_whose_id_this_one_has_is_taken_over_and_not_freed(workspace: Workspace) -> None:
    keep_lease("train:churn", workspace, started=1.0)
    assert leases.try_lease("train:churn", workspace)
    assert leases.free_dead_leases(workspace) == []
    assert leases.held_leases(workspace) == [("train:churn", os.getpid(), True)]
    assert leases.try_lease("train:churn", workspace)


def test_of_two_that_saw_a_holder_dead_one_takes_its_lease(workspace: Workspace) -> None:
    keep_lease("train:churn", workspace, pid=2**22 + 1, started=1.0)
    with database.connect(workspace).begin() as connection:
        seen = connection.execute(sa.select(tables.leases)).one()
        first, second = ({**seen._asdict(), "pid": pid, "started": 2.0} for pid in (11, 12))
        assert leases._take_over(seen, first, connection)
        assert not leases._take_over(seen, second, connection)
    assert [pid for _, pid, _ in leases.held_leases(workspace)] == [11]


def test_a_record_of_an_earlier_version_is_read_by_its_start_time() -> None:
    mine = psutil.Process().create_time()
    assert leases.alive(os.getpid(), mine)
    assert not leases.alive(os.getpid(), mine - 1000)


ON_LINUX = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="Linux alone tells ticks since the boot.")


def set_clock(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Have start times moved as they are when somebody sets the system's clock: they are the boot's plus ticks."""
    create_time = psutil.Process.create_time
    monkeypatch.setattr(psutil.Process, "create_time", lambda process: create_time(process) + seconds)


@ON_LINUX
@pytest.mark.parametrize("seconds", [3.0, -86_400.0])
def test_a_living_holder_keeps_its_lease_when_the_clock_is_set(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    holder = hold_in_another_process(workspace, "train:churn")
    set_clock(monkeypatch, seconds)
    try:
        assert leases.free_dead_leases(workspace) == []
        assert not leases.try_lease("train:churn", workspace)
        assert leases.held_leases(workspace) == [("train:churn", holder.pid, True)]
    finally:
        holder.kill()
        holder.wait()
    assert leases.free_dead_leases(workspace) == ["train:churn"]


@ON_LINUX
def test_a_start_is_of_one_process_of_one_boot(monkeypatch: pytest.MonkeyPatch) -> None:
    mine = leases.start_of(os.getpid())
    assert leases.alive(os.getpid(), mine)
    assert not leases.alive(os.getpid(), mine + 1)
    assert not leases.alive(os.getppid(), mine)
    monkeypatch.setattr(leases, "_boot", lambda: 2**20 - 1)
    longest = leases.start_of(os.getpid())
    assert longest != mine
    assert longest - 1 < longest < longest + 1
    with pytest.raises(psutil.NoSuchProcess):
        leases.start_of(2**22 + 1)


def test_a_waiting_training_is_told_once_for_whom_it_waits_and_goes_on(workspace: Workspace) -> None:
    holder = hold_in_another_process(workspace, "train:churn")
    told: list[leases.Holder] = []

    def tell(found: leases.Holder) -> None:
        told.append(found)
        holder.kill()
        holder.wait()

    with leases.hold_lease("train:churn", workspace, waiting=tell):
        assert [each.pid for each in told] == [holder.pid]
        assert leases.holder_of("train:churn", workspace) == replace(told[0], pid=os.getpid(), taken_at=ANY)


def test_it_waits_as_long_as_the_holder_lives(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    holder = hold_in_another_process(workspace, "train:churn")
    days = itertools.count(step=86_400.0)
    looks: list[float] = []

    def sleep(seconds: float) -> None:
        looks.append(seconds)
        if len(looks) == 5:
            holder.kill()
            holder.wait()

    monkeypatch.setattr(leases, "time", SimpleNamespace(sleep=sleep, monotonic=lambda: next(days)))
    with leases.hold_lease("train:churn", workspace):
        assert len(looks) == 5


def test_a_killed_training_is_taken_over_and_an_ended_one_is_not(workspace: Workspace) -> None:
    first = trainings.begin_training("churn", "d", "s", workspace)
    trainings.remember(first.id, "fit", first, workspace)
    again = trainings.begin_training("churn", "d", "s", workspace)
    assert (again.id, again.resumed) == (first.id, 1)
    assert trainings.recall(first.id, "fit", Training, workspace) == first
    trainings.end_training(again, workspace)
    assert trainings.begin_training("churn", "d", "s", workspace).id != first.id


def test_a_training_whose_model_cannot_be_served_is_not_taken_over_and_counts(workspace: Workspace) -> None:
    first = trainings.begin_training("churn", "d", "s", workspace)
    assert trainings.times_refused(first, workspace) == 0
    trainings.refuse_training(first, workspace)
    again = trainings.begin_training("churn", "d", "s", workspace)
    assert (again.id == first.id, again.study == first.study, again.resumed) == (False, False, 0)
    assert trainings.times_refused(again, workspace) == 1
    other = trainings.begin_training("churn", "other rows", "s", workspace)
    assert trainings.times_refused(other, workspace) == 0


def test_a_training_of_other_data_does_not_take_over(workspace: Workspace) -> None:
    first = trainings.begin_training("churn", "d", "s", workspace)
    assert trainings.begin_training("churn", "other", "s", workspace).id != first.id


def test_a_changed_or_missing_audit_entry_is_named(workspace: Workspace) -> None:
    for number in range(4):
        ledger.record_act(ledger.Act("me", "act", "churn", str(number), {}), workspace)
    assert ledger.first_broken(workspace) is None
    with database.connect(workspace).begin() as connection:
        connection.execute(sa.update(tables.audit).where(tables.audit.c.number == 3).values(reason="else"))
    assert ledger.first_broken(workspace) == 3
    with database.connect(workspace).begin() as connection:
        connection.execute(sa.delete(tables.audit).where(tables.audit.c.number == 2))
    assert ledger.first_broken(workspace) == 2
