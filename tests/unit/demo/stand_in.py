"""A service that answers what a test says, over HTTP on loopback."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Predict = Callable[[list[dict[str, Any]]], list[dict[str, Any]]]


@dataclass
class Heard:
    """What a service was asked, and the statuses that it says next."""

    url: str = ""
    rows: list[dict[str, Any]] = field(default_factory=list)
    labels: list[dict[str, Any]] = field(default_factory=list)
    failing: dict[str, list[int]] = field(default_factory=dict)


@contextmanager
def service(predict: Predict) -> Iterator[Heard]:
    """Answer predictions with `predict`, and take labels, while the block runs."""
    heard = Heard()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            call = self.path.rsplit("/", 1)[1]
            statuses = heard.failing.get(call, [])
            status = statuses.pop(0) if statuses else 200
            answer = _answer(call, body) if status == 200 else {"error": {"message": "not now", "details": []}}
            self._say(status, answer)

        def do_GET(self) -> None:
            self._say(200, {"versions": [{"version": "1", "weight": 100.0, "state": "serving"}]})

        def _say(self, status: int, answer: object) -> None:
            data = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *args: Any, **_: Any) -> None:
            del args

    def _answer(call: str, body: dict[str, Any]) -> dict[str, Any]:
        if call == "labels":
            heard.labels += body["labels"]
            return {"accepted": len(body["labels"]), "superseded": 0, "unknown": 0}
        number = len(heard.rows)
        heard.rows += body["rows"]
        return {"request_id": f"request-{number}", "version": "1", "predictions": predict(body["rows"])}

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    heard.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield heard
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
