"""S9: kill -9, run again, and nothing is lost or doubled."""

import os
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import psutil
import pytest

from penstock.serving.journals.reading import read_entries
from tests.e2e.loop import come_to_rest
from tests.e2e.rollouts import Orders
from tests.stranger import Stranger, ask, make_quick

PATIENCE = 120


@pytest.fixture
def table(stranger: Stranger, subscriptions: pd.DataFrame, request: pytest.FixtureRequest) -> str:
    """The name of a project of this test alone, its file written."""
    name: str = request.node.name.removeprefix("test_").replace("_", "-")[:40]
    subscriptions.head(2000).to_csv(stranger.folder / f"{name}.csv", index=False)
    return name


@pytest.fixture
def quick(stranger: Stranger, table: str) -> str:
    """The name of a project of this test alone that searches one simple family."""
    stranger.answer("init", table, "--data", f"{table}.csv", "--target", "churned")
    make_quick(stranger, table)
    return table


def home(stranger: Stranger) -> Path:
    """Return the stranger's workspace."""
    return Path(stranger.environment["PENSTOCK_HOME"])


def rows(stranger: Stranger, query: str, *values: object) -> list[tuple[Any, ...]]:
    """Ask Penstock's own database."""
    connection = sqlite3.connect(home(stranger) / "penstock.db", timeout=30)
    try:
        return connection.execute(query, values).fetchall()
    finally:
        connection.close()


def kill_when(
    stranger: Stranger, name: str, ready: Callable[[], bool], *options: object, seconds: float = 0.005
) -> None:
    """Start the main job, and kill it without mercy as soon as something is so; look every so many seconds."""
    process = stranger.start("run", f"{name}.csv", "--target", "churned", *options, "--json")
    deadline = time.monotonic() + PATIENCE
    while not ready() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(seconds)
    ended = process.poll()
    children = psutil.Process(process.pid).children(recursive=True) if ended is None else []
    process.send_signal(signal.SIGKILL)
    said = process.communicate()
    assert ended is None, f"the job ended with {ended} before it could be killed: {said}"
    gone, alive = psutil.wait_procs(children, timeout=20)
    assert not alive, f"slots outlive the search: {alive}"
    assert len(gone) == len(children)


def finished(stranger: Stranger, name: str) -> dict[tuple[str, int], float]:
    """Return the finished trials of a project's newest search, by study and number."""
    import optuna
    from optuna.storages.journal import JournalFileBackend

    found = rows(stranger, "select study from trainings where project = ? order by started_at desc", name)
    if not found:
        return {}
    journals = list((home(stranger) / "searches" / found[0][0]).glob("*.log"))
    if not journals:
        return {}
    storage = optuna.storages.JournalStorage(JournalFileBackend(str(journals[0])))
    return {
        (study.study_name, each.number): each.value
        for study in storage.get_all_studies()
        for each in storage.get_all_trials(study._study_id)
        if each.state.name == "COMPLETE" and each.value is not None
    }


def in_order_again(stranger: Stranger, name: str) -> Iterator[str]:
    """Say what is not in order after the job was run again."""
    if len(rows(stranger, "select version from versions where project = ?", name)) != 1:
        yield "there is not exactly one version"
    if rows(stranger, "select name from leases"):
        yield "a lease is still held"
    if rows(stranger, "select id from trainings where project = ? and state = 'open'", name):
        yield "a training is still open"
    url = f"http://127.0.0.1:{stranger.environment['PENSTOCK_PREFECT_PORT']}/api/flow_runs/filter"
    _, running = ask(url, {"flow_runs": {"state": {"type": {"any_": ["RUNNING", "PENDING"]}}}})
    if running:
        yield "a flow run is still Running"


def test_a_killed_search_goes_on_with_its_finished_trials(stranger: Stranger, table: str) -> None:
    kill_when(stranger, table, lambda: len(finished(stranger, table)) >= 3, "--seconds", 10, seconds=0.1)
    before = finished(stranger, table)
    again = stranger.answer("resume", table, "--seconds", 10)
    after = finished(stranger, table)
    assert before.items() <= after.items()
    assert again["trials"]["finished"] >= len(before)
    assert again["version"] == "1"
    assert come_to_rest(lambda: in_order_again(stranger, table)) == []
    assert rows(stranger, "select resumed from trainings where project = ?", table) == [(1,)]


def test_a_job_killed_in_packaging_makes_one_version(stranger: Stranger, quick: str) -> None:
    def registered() -> bool:
        return bool(rows(stranger, "select version from versions where project = ?", quick))

    kill_when(stranger, quick, registered)
    again = stranger.answer("run", f"{quick}.csv", "--target", "churned")
    assert again["release"]["weights"] == {"1": 100.0}
    assert come_to_rest(lambda: in_order_again(stranger, quick)) == []


def test_a_job_killed_before_the_alias_is_set_sets_it_when_run_again(stranger: Stranger, quick: str) -> None:
    def released() -> bool:
        return bool(rows(stranger, "select version from releases where project = ?", quick))

    kill_when(stranger, quick, released)
    again = stranger.answer("run", f"{quick}.csv", "--target", "churned")
    assert again["version"] == "1"
    assert rows(stranger, "select version, alias_seen from releases where project = ?", quick) == [("1", "1")]
    assert come_to_rest(lambda: in_order_again(stranger, quick)) == []


def test_a_killed_service_comes_back_and_the_journal_has_every_answer_once(
    stranger: Stranger, customers: Orders
) -> None:
    asked = {"rows": customers.rows[:1]}
    answered = [ask(customers.endpoint, asked, customers.key)[1]["request_id"] for _ in range(50)]
    port = int(stranger.environment["PENSTOCK_SERVING_PORT"])
    for process in {each.pid for each in psutil.net_connections("inet") if each.laddr and each.laddr.port == port}:
        if process is not None and process != os.getpid():
            os.kill(process, signal.SIGKILL)
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            status, said = ask(customers.endpoint, asked, customers.key)
            if status == 200:
                answered.append(said["request_id"])
                break
        except OSError:
            time.sleep(0.2)
    journalled = [entry.request_id for entry in read_entries("customers", customers.workspace)]  # sealed ones too
    for request_id in answered:
        assert journalled.count(request_id) == 1
