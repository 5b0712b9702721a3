"""What the service counts of its calls, and what of that lies between two windows."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from penstock.domain.evaluation import Decision
from penstock.domain.monitoring import Monitored, Performance, Window
from penstock.domain.workspace import Workspace
from penstock.monitoring.calls import calls_since, count_calls
from penstock.serving.http.meters import Meters
from penstock.serving.http.routes import Routing


@contextmanager
def service(meters: Meters, workspace: Workspace) -> Iterator[None]:
    """Answer as the service's page of figures while the block runs."""

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            sent = meters.text()
            self.send_response(200)
            self.send_header("Content-Length", str(len(sent)))
            self.end_headers()
            self.wfile.write(sent)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", workspace.ports.serving), Answers)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def window(counted: tuple[int, int] | None) -> Monitored:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    return Monitored(
        Window("churn", 1, 500, "t" * 64, at, at, "id", "1"),
        None,
        replace(Performance("roc_auc"), counted=counted),
        Decision("d" * 36, "churn", "hold", ("",), at),
    )


def test_calls_that_failed_are_counted_apart_from_those_that_the_service_refused(workspace: Workspace) -> None:
    meters = Meters(Routing)
    for project, call, status, times in (
        ("churn", "predict", 200, 90),
        ("churn", "predict", 500, 7),
        ("churn", "predict", 503, 3),
        ("churn", "predict", 422, 50),
        ("churn", "labels", 500, 5),
        ("other", "predict", 500, 11),
    ):
        for _ in range(times):
            meters.count(project, call, status, 0.001)
    with service(meters, workspace):
        assert count_calls("churn", workspace) == (100, 10)
        assert count_calls("nobody", workspace) == (0, 0)


def test_a_service_that_is_down_says_nothing(workspace: Workspace) -> None:
    assert count_calls("churn", workspace) is None


def test_a_window_has_the_calls_since_the_one_before_it() -> None:
    assert calls_since(window((100, 10)), (150, 12)) == (50, 2)
    assert calls_since(None, (150, 12)) == (150, 12)
    assert calls_since(window((100, 10)), (30, 1)) == (30, 1)  # the service was started again
    assert calls_since(window(None), (150, 12)) is None
    assert calls_since(window((100, 10)), None) is None
