"""How Prefect's server is asked."""

import http.server
import threading
from collections.abc import Iterator

import pytest

from penstock.domain.workspace import Workspace
from penstock.errors import NotFound, PenstockError
from penstock.orchestration.server import call, make_pool

BUSY_TIMES = 2


class _Prefect(http.server.BaseHTTPRequestHandler):
    """Busy at first; knows one page; makes no pool."""

    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        if self.path == "/api/busy" and self.asked.count(self.path) <= BUSY_TIMES:
            self._say(503, b'{"exception_message":"Service Unavailable"}')
        elif self.path == "/api/busy":
            self._say(200, b'{"found": 1}')
        else:
            self._say(404, b"{}")

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self._say(409, b'{"detail":"A work pool with this name already exists."}')

    def _say(self, code: int, body: bytes) -> None:
        self.send_response(code)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base class's name
        del format, args


@pytest.fixture
def prefect(workspace: Workspace) -> Iterator[list[str]]:
    """Let something like Prefect listen; return what it was asked."""
    handler = type("Prefect", (_Prefect,), {"asked": []})
    with http.server.ThreadingHTTPServer(("127.0.0.1", workspace.ports.prefect), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield handler.asked  # type: ignore[attr-defined]
        server.shutdown()
        thread.join()


def test_a_busy_server_is_asked_again(prefect: list[str], workspace: Workspace) -> None:
    assert call("GET", "/busy", workspace) == {"found": 1}
    assert len(prefect) == BUSY_TIMES + 1


@pytest.mark.usefixtures("prefect")
def test_what_the_server_does_not_know_is_not_found(workspace: Workspace) -> None:
    with pytest.raises(NotFound, match="404"):
        call("GET", "/deployments/name/nothing/nothing", workspace)


@pytest.mark.usefixtures("prefect")
def test_a_refusal_that_is_no_race_is_told(workspace: Workspace) -> None:
    with pytest.raises(PenstockError, match="already exists"):
        make_pool(workspace)
