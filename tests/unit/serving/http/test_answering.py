"""The answer to a predict call: which rows it takes, what it says of them, and what the journal holds of it."""

import json
from pathlib import Path
from typing import Any

import pytest

from penstock.domain.workspace import Workspace
from penstock.serving import journal
from penstock.serving.journal import Journal
from penstock.serving.journals.reading import read_entries
from tests.unit.serving.http.calls import PREDICT, error
from tests.unit.serving.stand_in import ROW, Client, keep_version, release


def test_rows_are_answered_and_journalled(client: Client, workspace: Workspace) -> None:
    status, body = client.predict([ROW, {"age": 1}])
    assert status == 200
    assert list(body) == ["request_id", "version", "predictions"]
    assert (body["version"], len(body["predictions"])) == ("1", 2)
    entry = journal.find(body["request_id"], "churn", workspace)
    assert entry is not None
    assert (entry.rows, entry.predictions, entry.version) == ([ROW, {"age": 1}], body["predictions"], "1")
    assert (entry.unknown, entry.others) == ({}, [])


def test_a_number_is_answered_with_its_interval(client: Client, workspace: Workspace, tmp_path: Path) -> None:
    keep_version("3", workspace, tmp_path / "3", "regression")
    release("3", workspace, previous="1")
    client.router.refresh()  # type: ignore[attr-defined]
    status, body = client.predict([ROW])
    assert (status, body["version"]) == (200, "3")
    (said,) = body["predictions"]
    assert said["low"] < said["value"] < said["high"]


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


@pytest.mark.parametrize("padding", [0, 100_001])  # which a thread answers, from a stack of its own
@pytest.mark.parametrize("name", ["note", "nobody's"])
def test_no_column_nests_deeper_than_a_reader_of_the_journal_can_follow(
    client: Client, workspace: Workspace, name: str, padding: int
) -> None:
    value = b"[" * 900 + b"]" * 900
    raw = b'{"rows":[{"age":1,"%s":%s}]%s}' % (name.encode(), value, b" " * padding)
    status, body, _ = client.ask("POST", PREDICT, raw=raw)
    assert (status, error(body)["message"]) == (400, "JSON must nest at most 64 deep, but nests 903 deep.")
    assert not list(read_entries("churn", workspace))


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


def test_no_answer_leaves_that_the_journal_does_not_hold(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Journal, "append", full)
    status, body = client.predict([ROW])
    assert status == 503
    assert "journal" in error(body)["message"]
