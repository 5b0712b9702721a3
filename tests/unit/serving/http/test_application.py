"""The service's HTTP, from outside: what is asked, what is answered, in which order things are checked."""

import json
from pathlib import Path
from typing import Any

import pytest

from penstock.domain.workspace import Workspace
from penstock.serving import journal
from penstock.serving.auth import Keys, create_key, project_key
from penstock.serving.http import answering, application, exchange
from penstock.serving.http.application import Application, Parts
from penstock.serving.journal import Journal
from penstock.serving.journals.reading import read_entries
from penstock.serving.labels import WorkspaceDesk
from penstock.serving.router import Router
from penstock.store import records
from tests.unit.serving.stand_in import ROW, Client, keep_version, release

PREDICT = "/v1/churn/predict"


@pytest.fixture
def client(workspace: Workspace, tmp_path: Path) -> Client:
    keep_version("1", workspace, tmp_path / "1")
    keep_version("2", workspace, tmp_path / "2")
    release("1", workspace)
    records.register_project("empty", tmp_path, workspace)
    router, keys = Router(workspace), Keys(workspace)
    key = project_key("churn", workspace)
    router.refresh()
    keys.refresh()
    spool = Journal(workspace)
    app = Application(Parts(lambda: router.current, keys, spool, workspace.now, WorkspaceDesk(workspace)))
    made = Client(app, key)
    made.router = router  # type: ignore[attr-defined]
    return made


def error(body: Any) -> Any:
    assert set(body) == {"error"}
    assert set(body["error"]) == {"message", "details"}
    return body["error"]


def test_rows_are_answered_and_journalled(client: Client, workspace: Workspace) -> None:
    status, body = client.predict([ROW, {"age": 1}])
    assert status == 200
    assert list(body) == ["request_id", "version", "predictions"]
    assert (body["version"], len(body["predictions"])) == ("1", 2)
    entry = journal.find(body["request_id"], "churn", workspace)
    assert entry is not None
    assert (entry.rows, entry.predictions, entry.version) == ([ROW, {"age": 1}], body["predictions"], "1")
    assert (entry.unknown, entry.others) == ({}, [])


def test_unknown_columns_are_passed_over_counted_and_named(client: Client, workspace: Workspace) -> None:
    row = {**ROW, "customer": "c1", "note": "hello", "spy": "secret", "x": 1}
    status, body = client.predict([row, ROW, {**ROW, "x": 2}])
    assert status == 200
    entry = journal.find(body["request_id"], "churn", workspace)
    assert entry is not None
    assert entry.unknown == {"spy": 1, "x": 2}
    assert entry.others == [{"spy": "secret", "x": 1}, {}, {"x": 2}]
    assert entry.rows == [{**ROW, "customer": "c1", "note": "hello"}, ROW, ROW]
    assert entry.id == "c1"
    assert b'penstock_unknown_columns_total{project="churn"} 3.0' in client.ask("GET", "/metrics")[1]


def test_rows_over_several_lines_stay_one_line_of_the_journal(client: Client, workspace: Workspace) -> None:
    raw = json.dumps({"rows": [{**ROW, "plan": "g\u00f6ld\n"}]}, indent=2).encode()
    status, body, _ = client.ask("POST", PREDICT, raw=raw)
    assert status == 200
    assert [entry.rows for entry in read_entries("churn", workspace)] == [[{**ROW, "plan": "g\u00f6ld\n"}]]
    assert journal.find(body["request_id"], "churn", workspace) is not None


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


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{rows:",
        b'{"rows": [{"age": NaN}]}',
        b"\x80\x04\x95cposix\nsystem\n",
        b'{"rows": [{"age": 1}]',
        b"\xff\xfe",
    ],
)
def test_what_is_no_json_is_400(client: Client, raw: bytes) -> None:
    status, body, _ = client.ask("POST", PREDICT, raw=raw)
    assert status == 400
    assert "JSON" in error(body)["message"]


def test_deeply_nested_json_is_refused_and_the_service_lives(client: Client) -> None:
    for raw in (b"[" * 90_000, b'{"rows": ' + b"[" * 40_000 + b"]" * 40_000 + b"}"):
        assert client.ask("POST", PREDICT, raw=raw)[0] in {400, 422}
    assert client.predict([ROW])[0] == 200


@pytest.mark.parametrize("body", [{}, [], 1, "x", None, {"rows": "x"}, {"rows": []}, {"rows": {}}, {"rows": None}])
def test_json_of_another_shape_is_422(client: Client, body: Any) -> None:
    status, answer, _ = client.ask("POST", PREDICT, raw=json.dumps(body).encode())
    assert status == 422
    assert set(error(answer)["details"][0]) == {"row", "column", "must", "found"}


def test_a_row_that_does_not_fit_is_422_and_names_nothing_else(client: Client, workspace: Workspace) -> None:
    status, body = client.predict([ROW, {**ROW, "income": {"a": 1}, "plan": "private"}])
    assert status == 422
    assert error(body)["details"] == [{"row": 1, "column": "income", "must": "be a number", "found": '{"a": 1}'}]
    assert "private" not in json.dumps(body)
    assert not list(read_entries("churn", workspace))


@pytest.mark.parametrize("row", [1, None, "x", [1]])
def test_a_row_that_is_no_object_is_422(client: Client, row: Any) -> None:
    status, body = client.predict([row])
    assert status == 422
    assert error(body)["details"][0]["row"] == 0


def test_a_missing_required_column_is_422(client: Client) -> None:
    status, body = client.predict([{"income": 1}])
    assert status == 422
    assert error(body)["details"] == [{"row": 0, "column": "age", "must": "be present", "found": "nothing"}]


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


def test_a_large_request_is_answered_as_a_small_one(client: Client, workspace: Workspace) -> None:
    rows = [{**ROW, "age": age} for age in range(3000)]
    status, body = client.predict(rows)
    assert status == 200
    assert body["predictions"][7] == client.predict([rows[7]])[1]["predictions"][0]
    entry = journal.find(body["request_id"], "churn", workspace)
    assert entry is not None
    assert len(entry.rows) == 3000


def test_a_live_version_can_be_pinned_and_another_cannot(client: Client, workspace: Workspace) -> None:
    pin = {"x-penstock-version": "2"}
    status, body = client.predict([ROW], headers=pin)
    assert status == 404
    assert "not live" in error(body)["message"]
    release("2", workspace, previous="1")
    client.router.refresh()  # type: ignore[attr-defined]
    assert [client.predict([ROW], headers={"x-penstock-version": version})[1]["version"] for version in "12"] == [
        "1",
        "2",
    ]
    assert client.predict([ROW])[1]["version"] == "2"
    assert client.predict("x", headers={"x-penstock-version": "999"})[0] == 404


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
    path = "/v1/churn/labels"
    assert client.ask("POST", path, {"labels": labels})[:2] == (200, {"accepted": 2, "superseded": 0, "unknown": 2})
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


def test_no_answer_leaves_that_the_journal_does_not_hold(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Journal, "append", full)
    status, body = client.predict([ROW])
    assert status == 503
    assert "journal" in error(body)["message"]


def test_a_fault_of_ours_is_500_and_tells_no_secret(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(application, "write_down", lambda *_: 1 / 0)
    status, body = client.predict([ROW])
    assert (status, body) == (500, {"error": {"message": "The service failed; its log says why.", "details": []}})


def test_a_client_that_leaves_is_answered_nothing(client: Client, workspace: Workspace) -> None:
    import asyncio

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
