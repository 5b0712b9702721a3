"""What is said of parts without a supervisor."""

import http.server
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from penstock.domain.workspace import Workspace
from penstock.orchestration.processes import write_identity
from penstock.stack.parts import PARTS, record_of
from penstock.stack.state import PartState, is_up, serves_commands, status


class _Well(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/livez" else 404)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base class's name
        del format, args


@pytest.fixture
def answering(workspace: Workspace) -> Iterator[Workspace]:
    """Let something that is well listen on the service's port."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", workspace.ports.serving), _Well) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield workspace
        server.shutdown()
        thread.join()


def _serving(workspace: Workspace) -> PartState:
    return next(part for part in status(workspace) if part.name == "serving")


def test_of_a_workspace_that_is_not_there_every_part_is_stopped_and_nothing_is_made(
    workspace: Workspace, tmp_path: Path
) -> None:
    nowhere = replace(workspace, home=tmp_path / "nowhere")
    assert [(part.name, part.state, part.since) for part in status(nowhere)] == [
        (part.name, "stopped", None) for part in PARTS
    ]
    assert not is_up(nowhere)
    assert not serves_commands(nowhere)
    assert not nowhere.home.exists()


def test_a_living_part_that_answers_runs_since_its_process_started(answering: Workspace) -> None:
    write_identity(os.getpid(), record_of("serving", answering))
    found = _serving(answering)
    assert (found.state, found.url) == ("running", answering.serving_url)
    assert found.since is not None
    assert found.since.endswith("+00:00")


def test_a_living_part_that_does_not_answer_is_starting(workspace: Workspace) -> None:
    write_identity(os.getpid(), record_of("serving", workspace))
    assert _serving(workspace).state == "starting"


def test_a_stranger_who_answers_on_the_port_is_no_part(answering: Workspace) -> None:
    assert _serving(answering).state == "stopped"


def test_a_part_whose_process_is_gone_is_stopped(answering: Workspace) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        write_identity(process.pid, record_of("serving", answering))
        process.kill()
    assert _serving(answering).state == "stopped"
