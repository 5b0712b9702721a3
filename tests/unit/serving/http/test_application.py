"""The service's HTTP, from outside: in which order things are checked, and what is answered but predictions."""

import asyncio
import json
import threading
from dataclasses import replace
from typing import Any

import pytest

from penstock.domain.releases import LabelCounts
from penstock.domain.workspace import Workspace
from penstock.serving.auth import create_key
from penstock.serving.http import answering, application, exchange
from penstock.serving.http.application import Application
from penstock.serving.http.openapi import SCHEMAS
from penstock.serving.http.routes import Failure, Routing
from penstock.serving.journals.reading import read_entries
from tests.unit.serving.http.calls import PREDICT, error
from tests.unit.serving.stand_in import ROW, Client

DASHES = "-" * 14 + "7" + "-" * 21  # as long as a request id


def test_a_request_without_a_known_key_is_401_before_anything_else(client: Client) -> None:
    for key, path in (("", PREDICT), ("wrong", PREDICT), ("wrong", "/v1/nothing/predict"), ("", "/v1/churn/nothing")):
        status, body, headers = Client(client.app, key).ask("GET", path, raw=b"{no json")
        assert (status, headers["www-authenticate"]) == (401, "Bearer")
        assert "key" in error(body)["message"]


def test_a_key_made_a_moment_ago_opens(client: Client, workspace: Workspace) -> None:
    key = create_key("new", ("churn",), workspace)
    assert Client(client.app, key).predict([ROW])[0] == 200


def test_a_key_of_another_project_is_403(client: Client, workspace: Workspace) -> None:
    status, body = Client(client.app, create_key("other", ("empty",), workspace)).predict("not rows")
    assert status == 403
    assert "churn" in error(body)["message"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/v1/nothing/predict", 404),
        ("POST", "/v1/churn/nothing", 404),
        ("POST", "/v1/churn/predict/more", 404),
        ("POST", "/v1/../predict", 404),
        ("POST", "/v1//predict", 404),
        ("GET", "/", 404),
        ("GET", PREDICT, 405),
        ("POST", "/v1/churn/schema", 405),
        ("DELETE", "/livez", 405),
    ],
)
def test_what_there_is_not_is_404_or_405_before_the_body_is_read(
    client: Client, method: str, path: str, status: int
) -> None:
    found, body, headers = client.ask(method, path, raw=b"{no json")
    assert found == status
    assert error(body)["message"]
    assert status != 405 or headers["allow"] in {"GET", "POST"}


def test_a_project_without_a_release_is_404(client: Client, workspace: Workspace) -> None:
    key = create_key("all", (), workspace)
    status, body, _ = Client(client.app, key).ask("POST", "/v1/empty/predict", {"rows": [ROW]})
    assert status == 404
    assert "no version" in error(body)["message"]
    assert Client(client.app, key).ask("GET", "/v1/empty/versions")[1] == {"versions": []}


def test_a_request_over_a_limit_is_413(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answering, "MOST_ROWS", 3)
    assert client.predict([ROW] * 3)[0] == 200
    assert client.predict([ROW] * 4)[0] == 413
    monkeypatch.setattr(exchange, "BODY_BYTES", 100)
    assert client.predict([ROW] * 3)[0] == 413
    assert client.predict([ROW] * 3, headers={"content-length": "10"})[0] == 413


def test_too_many_large_requests_at_once_are_429(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(application, "LARGE_BYTES", 10)
    assert client.predict([ROW])[0] == 200
    monkeypatch.setattr(application, "MOST_LARGE", 0)
    status, body = client.predict([ROW])
    assert status == 429
    assert error(body)["message"]


class _Waiting:
    """A desk whose every call waits, as for the lock of the database."""

    def __init__(self) -> None:
        self.go_on = threading.Event()

    def accept(self, project: str, labels: list[Any]) -> LabelCounts:
        del project, labels
        self.go_on.wait(60)
        return LabelCounts(1, 0, 0)

    def flag(self, project: str, given: Any) -> None:
        del project, given


def test_a_large_request_does_not_wait_for_labels_that_do(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(application, "LARGE_BYTES", 10)
    desk = _Waiting()
    app = Application(replace(client.app.parts, desk=desk))

    async def ask(call: str, body: Any) -> int:
        said: list[Any] = []

        async def receive() -> Any:
            return {"type": "http.request", "body": json.dumps(body).encode()}

        async def send(message: Any) -> None:
            said.append(message)

        headers = [(b"authorization", f"Bearer {client.key}".encode())]
        await app({"type": "http", "method": "POST", "path": f"/v1/churn/{call}", "headers": headers}, receive, send)
        return int(said[0]["status"])

    async def all_at_once() -> list[int]:
        waiting = [asyncio.create_task(ask("labels", {"labels": []})) for _ in range(40)]  # more than threads in a pool
        try:
            status = await asyncio.wait_for(ask("predict", {"rows": [ROW]}), 20)
            assert not any(task.done() for task in waiting)
        finally:
            desk.go_on.set()
        return [status, *await asyncio.gather(*waiting)]

    assert asyncio.run(all_at_once()) == [200] * 41


def test_versions_and_schema_are_told(client: Client) -> None:
    assert client.ask("GET", "/v1/churn/versions")[1] == {
        "versions": [{"version": "1", "weight": 100.0, "state": "serving"}]
    }
    schema = client.ask("GET", "/v1/churn/schema")[1]
    assert list(schema["properties"]) == ["age", "income", "plan"]
    assert schema["required"] == ["age"]


def test_labels_are_taken_superseded_and_parked(client: Client) -> None:
    request_id = client.predict([ROW, ROW])[1]["request_id"]
    labels = [{"request_id": request_id, "row": row, "value": "yes"} for row in (0, 1, 2)]
    labels.append({"request_id": "00000000-0000-7000-8000-000000000000", "row": 0, "value": "no"})
    labels.append({"request_id": DASHES, "row": 0, "value": "no"})
    path = "/v1/churn/labels"
    assert client.ask("POST", path, {"labels": labels})[:2] == (200, {"accepted": 2, "superseded": 0, "unknown": 3})
    assert client.ask("POST", path, {"labels": labels[:2]})[1] == {"accepted": 2, "superseded": 0, "unknown": 0}
    changed = [{**labels[0], "value": "no", "observed_at": "2026-01-01T00:00:00Z"}]
    assert client.ask("POST", path, {"labels": changed})[1] == {"accepted": 1, "superseded": 1, "unknown": 0}


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"labels": 1},
        {"labels": [1]},
        {"labels": [{"row": 0, "value": "yes"}]},
        {"labels": [{"request_id": "x", "row": -1, "value": "yes"}]},
    ],
)
def test_labels_of_another_shape_are_422(client: Client, body: Any) -> None:
    status, answer, _ = client.ask("POST", "/v1/churn/labels", body)
    assert status == 422
    assert error(answer)["details"]


def test_an_answered_row_can_be_flagged_and_another_cannot(client: Client) -> None:
    request_id = client.predict([ROW])[1]["request_id"]
    given = {"request_id": request_id, "row": 0, "reason": "this cannot be"}
    status, body, _ = client.ask("POST", "/v1/churn/flags", given)
    assert (status, body) == (200, {"request_id": request_id, "row": 0, "state": "queued"})
    assert client.ask("POST", "/v1/churn/flags", {**given, "row": 1})[0] == 404
    assert client.ask("POST", "/v1/churn/flags", {**given, "request_id": DASHES})[0] == 404
    assert client.ask("POST", "/v1/churn/flags", {**given, "reason": ""})[0] == 422
    assert client.ask("POST", "/v1/churn/flags", [])[0] == 422
    assert client.ask("POST", "/v1/churn/flags", raw=b"{")[0] == 400


def test_pages_need_no_key_and_load_nothing_from_elsewhere(client: Client) -> None:
    stranger = Client(client.app)
    assert stranger.ask("GET", "/livez")[:2] == (200, {"live": True})
    assert stranger.ask("GET", "/readyz")[1] == {
        "ready": True,
        "problem": None,
        "projects": {"churn": ["1"], "empty": []},
        "failed": [],
    }
    page = stranger.ask("GET", "/docs")[1].decode()
    assert "http://" not in page
    assert "https://" not in page
    assert set(stranger.ask("GET", "/openapi.json")[1]["paths"]) >= {"/v1/{project}/predict", "/v1/{project}/labels"}


def test_a_service_that_cannot_answer_says_why(client: Client) -> None:
    routing = Routing(failures=(Failure("churn", "2", "It has no graph."),))
    app = Application(replace(client.app.parts, routing=lambda: routing))
    status, body, _ = Client(app).ask("GET", "/readyz")
    assert (status, body["ready"], body["projects"]) == (503, False, {})
    assert body["problem"] == "The releases were not read yet."
    assert body["failed"] == [{"project": "churn", "version": "2", "reason": "It has no graph."}]


def test_every_body_that_the_reference_describes_is_sent_or_answered(client: Client) -> None:
    address = {"request_id": client.predict([ROW])[1]["request_id"], "row": 0}
    observed = "2026-01-01T00:00:00Z"
    client.ask("POST", "/v1/churn/labels", {"labels": [{**address, "value": "yes", "observed_at": observed}]})
    client.ask("POST", "/v1/churn/flags", {**address, "reason": "this cannot be"})
    for path in ("/v1/churn/versions", "/v1/churn/schema", "/livez", "/readyz", "/openapi.json", "/nothing"):
        client.ask("GET", path)
    assert client.held == set(SCHEMAS)


def test_names_of_callers_making_never_become_labels_of_metrics(client: Client) -> None:
    for name in ("a", "b", "c"):
        client.ask("POST", f"/v1/{name}/predict", {"rows": [ROW]})
        client.ask("POST", f"/v1/churn/{name}", {"rows": [ROW]})
    client.predict([ROW])
    text = client.ask("GET", "/metrics")[1].decode()
    assert 'penstock_requests_total{call="",project="",status="404"}' not in text
    assert 'penstock_requests_total{call="predict",project="churn",status="200"} 1.0' in text
    assert 'penstock_requests_total{call="",project="churn",status="404"} 3.0' in text
    assert 'penstock_version_weight{project="churn",version="1"} 100.0' in text
    assert 'project="a"' not in text


def test_a_fault_of_ours_is_500_and_tells_no_secret(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(application, "write_down", lambda *_: 1 / 0)
    status, body = client.predict([ROW])
    assert (status, body) == (500, {"error": {"message": "The service failed; its log says why.", "details": []}})


def test_a_client_that_leaves_is_answered_nothing(client: Client, workspace: Workspace) -> None:
    said: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        said.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": PREDICT,
        "headers": [(b"authorization", f"Bearer {client.key}".encode())],
    }
    asyncio.run(client.app(scope, receive, send))
    assert said == []
    assert not list(read_entries("churn", workspace))
