"""The inference service as a real process: it follows releases under load, and loses no answer to a kill."""

import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

import psutil
import pytest

from penstock.domain.workspace import Workspace
from penstock.serving import journal
from penstock.serving.auth import project_key
from penstock.serving.journals.reading import find_entry, read_entries
from penstock.store.database import connect
from penstock.store.workspace import inherited_environment, make_folders
from tests.conftest import ROOT, free_ports
from tests.unit.serving.http.calls import hold
from tests.unit.serving.stand_in import ROW, keep_version, release

MILLISECOND = len("01a200ae-a61a")  # of a request id: what comes before says when, the rest is random
PATIENCE_SECONDS = 60


@dataclass
class Server:
    """A running service, and what its clients were told."""

    workspace: Workspace
    key: str
    process: subprocess.Popen[bytes]
    answered: list[tuple[str, str]] = field(default_factory=list)
    refused: list[tuple[int, Any]] = field(default_factory=list)
    broken: int = 0
    stopping: threading.Event = field(default_factory=threading.Event)

    def ask(self, method: str, path: str, body: Any = None) -> tuple[int, bytes]:
        """Ask over a connection of its own, and hold what is said against the reference."""
        connection = http.client.HTTPConnection("127.0.0.1", self.workspace.ports.serving, timeout=10)
        try:
            sent = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
            connection.request(method, path, sent, {"Authorization": f"Bearer {self.key}"})
            answer = connection.getresponse()
            said = answer.read()
            hold(path, answer.status, sent, json.loads(said))
            return answer.status, said
        finally:
            connection.close()

    def wait(self, holds: Callable[[], bool]) -> None:
        """Wait until something holds."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            try:
                if holds():
                    return
            except OSError:
                assert self.process.poll() is None, "the service must run, but ended"
            time.sleep(0.05)
        raise AssertionError("what must come to hold did not")

    def load(self) -> None:
        """Ask over and over, and keep what was answered."""
        body = json.dumps({"rows": [ROW]}).encode()
        while not self.stopping.is_set():
            connection = http.client.HTTPConnection("127.0.0.1", self.workspace.ports.serving, timeout=10)
            try:
                while not self.stopping.is_set():
                    connection.request("POST", "/v1/churn/predict", body, {"Authorization": f"Bearer {self.key}"})
                    answer = connection.getresponse()
                    said = json.loads(answer.read())
                    if answer.status == 200:
                        self.answered.append((said["request_id"], said["version"]))
                    else:
                        self.refused.append((answer.status, said))
            except (OSError, http.client.HTTPException):
                self.broken += 1
                time.sleep(0.02)
            finally:
                connection.close()

    def versions(self) -> dict[str, float]:
        """The live versions with their weights."""
        return {
            each["version"]: each["weight"] for each in json.loads(self.ask("GET", "/v1/churn/versions")[1])["versions"]
        }

    def worker(self) -> psutil.Process:
        """The process that answers: the one that holds the journal or may come to."""
        workers = [
            child
            for child in psutil.Process(self.process.pid).children(recursive=True)
            if "_bentoml_impl.worker.service" in " ".join(child.cmdline())
        ]
        assert len(workers) == 1
        return workers[0]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, migrated_database: Path) -> Iterator[Server]:
    """A service that answers with version 1 of two."""
    home = tmp_path_factory.mktemp("service")
    shutil.copyfile(migrated_database, home / "penstock.db")
    workspace = Workspace(home=home, app=ROOT, ports=free_ports())
    make_folders(workspace)
    for version in ("1", "2"):
        keep_version(version, workspace, home / f"version-{version}")
    release("1", workspace)
    address = ["--host", "127.0.0.1", "--port", str(workspace.ports.serving)]
    with (workspace.logs / "serving.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "bentoml", "serve", "penstock.serving.service:Inference", *address],
            env=inherited_environment(workspace),
            cwd=home,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    made = Server(workspace, project_key("churn", workspace), process)
    try:
        made.wait(lambda: made.ask("GET", "/readyz")[0] == 200)
        yield made
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        connect(workspace).dispose()


@pytest.fixture
def server(running: Server) -> Server:
    """The running service, with clients that were told nothing yet."""
    return Server(running.workspace, running.key, running.process)


def under_load(server: Server, act: Callable[[], None], clients: int = 4) -> None:
    """Do something while clients ask."""
    threads = [threading.Thread(target=server.load) for _ in range(clients)]
    for thread in threads:
        thread.start()
    try:
        server.wait(lambda: len(server.answered) > 50)
        act()
    finally:
        server.stopping.set()
        for thread in threads:
            thread.join()


def test_a_release_reaches_every_caller_and_costs_none_an_answer(server: Server) -> None:
    def move() -> None:
        for version, previous in (("2", "1"), ("1", "2"), ("2", "1")):
            release(version, server.workspace, previous=previous)
            server.wait(lambda version=version: server.versions().get(version) == 100)  # type: ignore[misc]
            before = len(server.answered)
            server.wait(lambda before=before: len(server.answered) > before + 20)  # type: ignore[misc]

    under_load(server, move)
    assert server.refused == []
    assert server.broken == 0
    assert [version for version, _ in _runs(iter(_in_order(server.answered)))] == ["1", "2", "1", "2"]
    _each_answer_is_journalled_once(server)


def _in_order(answered: list[tuple[str, str]]) -> list[str]:
    """Return the versions of answers in the order of the requests, whose ids of one millisecond have none."""
    order: list[str] = []
    for _, group in groupby(sorted(answered), key=lambda answer: answer[0][:MILLISECOND]):
        last = order[-1:]
        order += sorted((version for _, version in group), key=lambda version: [version] != last)
    return order


def test_a_killed_worker_loses_no_answer(server: Server) -> None:
    def kill() -> None:
        for _ in range(2):
            worker, before = server.worker(), len(server.answered)
            worker.kill()
            worker.wait(10)
            server.wait(lambda before=before: len(server.answered) > before + 50)  # type: ignore[misc]

    files = len(journal.spool_files("churn", server.workspace))
    under_load(server, kill)
    assert server.refused == []
    assert len(journal.spool_files("churn", server.workspace)) == files + 2
    _each_answer_is_journalled_once(server)


def test_hostile_requests_leave_the_service_alive(server: Server) -> None:
    path = "/v1/churn/predict"
    assert server.ask("POST", path, b"\x80\x04\x95\x1f\x00cposix\nsystem\n.")[0] == 400
    assert server.ask("POST", path, {"rows": [{"age": [[[]]]}]})[0] == 422
    assert server.ask("POST", path, b'{"rows":[{"age":' + b"9" * 5000 + b"}]}")[0] in {200, 400, 422}
    assert server.ask("POST", path, b"[" * 1_000_000)[0] in {400, 422}
    assert server.ask("POST", "/v1/..%2f..%2fetc/predict", {"rows": [ROW]})[0] == 404
    assert _huge(server) in {413, None}
    assert server.ask("POST", path, {"rows": [ROW]})[0] == 200


def _huge(server: Server) -> int | None:
    """Send a body over the limit; the service may hang up before it is whole."""
    try:
        return server.ask("POST", "/v1/churn/predict", b'{"rows":[' + b" " * 30_000_000 + b"]}")[0]
    except OSError:
        return None


def _runs(values: Iterator[str]) -> list[tuple[str, int]]:
    runs: list[tuple[str, int]] = []
    for value in values:
        if runs and runs[-1][0] == value:
            runs[-1] = (value, runs[-1][1] + 1)
        else:
            runs.append((value, 1))
    return runs


def _each_answer_is_journalled_once(server: Server) -> None:
    written = Counter(entry.request_id for entry in read_entries("churn", server.workspace))
    assert len(server.answered) > 100
    assert {written[request_id] for request_id, _ in server.answered} == {1}
    assert set(written.values()) == {1}
    request_id, version = server.answered[len(server.answered) // 2]
    found = find_entry(request_id, "churn", server.workspace)
    assert found is not None
    assert found.version == version
