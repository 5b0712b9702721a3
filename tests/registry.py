"""A registry that speaks MLflow's HTTP for aliases, and keeps one a model."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from penstock.domain.workspace import Workspace

PREFIX = "/api/2.0/mlflow/registered-models/"


class Registry:
    """The aliases of each model, by name; `writes` counts what was written over HTTP."""

    def __init__(self) -> None:
        self.models: dict[str, dict[str, str]] = {"churn": {}}
        self.writes = 0

    @property
    def champion(self) -> str | None:
        """The version that the alias of `churn` points at."""
        return self.models["churn"].get("champion")

    @champion.setter
    def champion(self, version: str | None) -> None:
        if version is None:
            self.models["churn"].pop("champion", None)
        else:
            self.models["churn"]["champion"] = version

    @contextmanager
    def up(self, workspace: Workspace) -> Iterator["Registry"]:
        """Answer at the workspace's port of MLflow while the block runs."""
        registry = self

        class Answers(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked = urlsplit(self.path)
                model = registry.models.get(parse_qs(asked.query)["name"][0])
                if asked.path != f"{PREFIX}get" or model is None:
                    self._say(404, {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "no such model"})
                    return
                aliases = [{"alias": alias, "version": version} for alias, version in model.items()]
                self._say(200, {"registered_model": {"aliases": aliases} if aliases else {}})

            def do_POST(self) -> None:
                body = self._body()
                registry.models[body["name"]][body["alias"]] = body["version"]
                registry.writes += 1
                self._say(200, {})

            def _body(self) -> dict[str, str]:
                found: dict[str, str] = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                return found

            def _say(self, status: int, body: object) -> None:
                sent = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(sent)))
                self.end_headers()
                self.wfile.write(sent)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        server = ThreadingHTTPServer(("127.0.0.1", workspace.ports.mlflow), Answers)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()
            thread.join()
