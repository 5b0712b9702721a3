"""A registry that speaks MLflow's HTTP for aliases and tags of versions."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from penstock.domain.workspace import Workspace

PREFIX = "/api/2.0/mlflow/registered-models/"
VERSIONS = "/api/2.0/mlflow/model-versions/"


class Registry:
    """The aliases of each model, by name, and the tags of its versions; `writes` counts aliases written over HTTP."""

    def __init__(self) -> None:
        self.models: dict[str, dict[str, str]] = {"churn": {}}
        self.tags: dict[str, dict[str, dict[str, str]]] = {}
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

    def versions_of(self, model: str) -> dict[str, object]:
        """Return the versions of a model that have tags, as MLflow says it."""
        found = [
            {"version": version, "tags": [{"key": key, "value": value} for key, value in tags.items()]}
            for version, tags in self.tags.get(model, {}).items()
        ]
        return {"model_versions": found} if found else {}

    @contextmanager
    def up(self, workspace: Workspace) -> Iterator["Registry"]:
        """Answer at the workspace's port of MLflow while the block runs."""
        registry = self

        class Answers(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked = urlsplit(self.path)
                if asked.path == f"{VERSIONS}search":
                    model = parse_qs(asked.query)["filter"][0].removeprefix("name='").removesuffix("'")
                    self._say(200, registry.versions_of(model))
                    return
                known = registry.models.get(parse_qs(asked.query)["name"][0])
                if asked.path != f"{PREFIX}get" or known is None:
                    self._say(404, {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "no such model"})
                    return
                aliases = [{"alias": alias, "version": version} for alias, version in known.items()]
                self._say(200, {"registered_model": {"aliases": aliases} if aliases else {}})

            def do_POST(self) -> None:
                body = self._body()
                if self.path == f"{VERSIONS}set-tag":
                    versions = registry.tags.setdefault(body["name"], {})
                    versions.setdefault(body["version"], {})[body["key"]] = body["value"]
                    self._say(200, {})
                    return
                registry.models[body["name"]][body["alias"]] = body["version"]
                registry.writes += 1
                self._say(200, {})

            def do_DELETE(self) -> None:
                body = self._body()
                registry.models[body["name"]].pop(body["alias"], None)
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
