"""The service during a rollout: weights that expire, challengers that fail, and shadows."""

import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa

from penstock.domain.evaluation import Held
from penstock.domain.workspace import Workspace
from penstock.serving.auth import Keys, project_key
from penstock.serving.http.application import Application, Parts
from penstock.serving.http.shadowing import MOST_WAITING, Shadowing, Task
from penstock.serving.journal import Journal
from penstock.serving.journals.reading import read_entries
from penstock.serving.journals.shadow_spool import Shadowed, ShadowSpool, shadow_folder
from penstock.serving.router import Router
from penstock.store import artifacts, database, records, tables
from tests.spoiled import graph_of, put_spoiled, raising
from tests.unit.serving.stand_in import ROW, Client, keep_version, release


def in_seconds(seconds: float) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=seconds)


@pytest.fixture
def router(workspace: Workspace, tmp_path: Path) -> Router:
    for version in ("1", "2"):
        keep_version(version, workspace, tmp_path / version)
    release("1", workspace)
    return Router(workspace)


def roll_out(workspace: Workspace, share: float, until: float = 30) -> None:
    state = "partial" if share else "shadow"
    weights = {"1": 100.0 - share, "2": share}
    release("2", workspace, previous="1", state=state, weights=weights, valid_until=in_seconds(until))


def change(workspace: Workspace, **values: object) -> None:
    with database.connect(workspace).begin() as connection:
        newest = sa.select(sa.func.max(tables.releases.c.id)).scalar_subquery()
        connection.execute(sa.update(tables.releases).where(tables.releases.c.id == newest).values(**values))


def client_of(router: Router, workspace: Workspace, shadowing: Shadowing | None = None) -> Client:
    keys = Keys(workspace)
    parts = Parts(lambda: router.current, keys, Journal(workspace), workspace.now, None, shadowing)
    client = Client(Application(parts), project_key("churn", workspace))
    keys.refresh()
    return client


def answered_by(client: Client, count: int = 40) -> set[str]:
    return {client.predict([ROW])[1]["version"] for _ in range(count)}


def test_a_weight_that_nobody_renews_counts_no_more(router: Router, workspace: Workspace) -> None:
    roll_out(workspace, 90, until=-1)
    router.refresh()
    client = client_of(router, workspace)
    assert answered_by(client) == {"1"}
    entries = list(read_entries("churn", workspace))
    assert {entry.expired for entry in entries} == {"2", None}
    assert {entry.version for entry in entries} == {"1"}
    _, body, _ = client.ask("GET", "/v1/churn/versions")
    assert body["versions"] == [
        {"version": "1", "weight": 100.0, "state": "serving"},
        {"version": "2", "weight": 0.0, "state": "partial"},
    ]
    status, pinned = client.predict([ROW], headers={"x-penstock-version": "2"})
    assert (status, pinned["version"]) == (200, "2")


def test_a_weight_that_is_renewed_counts_again_and_nothing_is_swapped(router: Router, workspace: Workspace) -> None:
    roll_out(workspace, 90, until=-1)
    router.refresh()
    before = router.current
    assert answered_by(client_of(router, workspace)) == {"1"}
    change(workspace, valid_until=in_seconds(30), alias_seen="1")
    router.refresh()
    assert router.current is before
    assert answered_by(client_of(router, workspace)) == {"1", "2"}


def test_a_database_that_is_away_lets_a_weight_expire(router: Router, workspace: Workspace) -> None:
    roll_out(workspace, 90, until=0.3)
    router.refresh()
    with database.connect(workspace).begin() as connection:
        connection.execute(sa.text("alter table releases rename to elsewhere"))
    client = client_of(router, workspace)
    assert answered_by(client, 10) >= {"2"}
    deadline = time.monotonic() + 5
    while answered_by(client, 10) != {"1"} and time.monotonic() < deadline:
        router.refresh()
    assert answered_by(client) == {"1"}


def test_a_caller_sees_no_error_of_a_challenger_whatever_its_share(
    router: Router, workspace: Workspace, tmp_path: Path
) -> None:
    spoil(workspace, tmp_path)
    roll_out(workspace, 90)
    router.refresh()
    client = client_of(router, workspace)
    assert answered_by(client) == {"1"}
    failed = [entry.failed for entry in read_entries("churn", workspace)]
    assert failed.count("2") > 20
    text = client.ask("GET", "/metrics")[1].decode()
    assert 'penstock_fallbacks_total{project="churn",version="2"}' in text
    assert 'penstock_version_weight{project="churn",version="2"} 90.0' in text
    assert 'penstock_version_state{project="churn",state="partial",version="2"} 1.0' in text


def spoil(workspace: Workspace, folder: Path) -> None:
    """Let version 2 fail every row that is sure enough, ROW among them; an empty one, which warms it, is not."""
    kept = records.find_version("churn", "2", workspace)
    graph = raising(graph_of(kept.bundle, workspace), 0.0, 0.3)
    bundle = put_spoiled(kept.bundle, graph, folder / "spoiled", workspace)
    values = {name: getattr(kept, name) for name in kept.__slots__} | {"bundle": bundle}
    records.save_version(type(kept)(**values), workspace)


def test_rows_that_only_the_challenger_refuses_are_answered_by_the_champion(
    router: Router, workspace: Workspace, tmp_path: Path
) -> None:
    kept = records.find_version("churn", "2", workspace)
    folder = tmp_path / "strict"
    graph = graph_of(kept.bundle, workspace)
    put_spoiled(kept.bundle, graph, folder, workspace)
    signature = json.loads((folder / "signature.json").read_text())
    for column in signature["decoding"]["columns"]:
        column["required"] = True
    (folder / "signature.json").write_text(json.dumps(signature))
    values = {name: getattr(kept, name) for name in kept.__slots__}
    values["bundle"] = artifacts.put_folder(folder, workspace)
    records.save_version(type(kept)(**values), workspace)
    roll_out(workspace, 90)
    router.refresh()
    client = client_of(router, workspace)
    said = [client.predict([{"age": 40}]) for _ in range(30)]
    assert {(status, body["version"]) for status, body in said} == {(200, "1")}
    assert client.predict([{"income": 1}])[0] == 422


# --- shadows --------------------------------------------------------------------------------------------------------


def lines(workspace: Workspace) -> list[Shadowed]:
    files = sorted(shadow_folder("churn", workspace).glob("*.jsonl"))
    return [msgspec.json.decode(line, type=Shadowed) for file in files for line in file.read_bytes().splitlines()]


def wait_for(workspace: Workspace, count: int) -> list[Shadowed]:
    deadline = time.monotonic() + 20
    while len(lines(workspace)) < count and time.monotonic() < deadline:
        time.sleep(0.01)
    return lines(workspace)


@pytest.fixture
def shadowing(workspace: Workspace) -> Shadowing:
    return Shadowing(ShadowSpool(workspace))


def test_a_shadow_answers_the_same_rows_and_nobody_hears_it(
    router: Router, workspace: Workspace, shadowing: Shadowing
) -> None:
    roll_out(workspace, 0)
    router.refresh()
    shadowing.start()
    client = client_of(router, workspace, shadowing)
    status, body = client.predict([{**ROW, "customer": "c1"}])
    assert (status, body["version"]) == (200, "1")
    (said,) = wait_for(workspace, 1)
    shadowing.stop()
    assert (said.request_id, said.version, said.champion, said.id) == (body["request_id"], "2", "1", "c1")
    assert said.latency_ms is not None
    assert said.champion_ms is not None
    assert said.predictions is not None
    assert said.predictions != body["predictions"] == said.champion_predictions
    assert [entry.version for entry in read_entries("churn", workspace)] == ["1"]
    assert 'penstock_shadow_rows_total{project="churn",version="2"} 1.0' in client.ask("GET", "/metrics")[1].decode()


def test_a_shadow_that_fails_is_written_down(
    router: Router, workspace: Workspace, shadowing: Shadowing, tmp_path: Path
) -> None:
    spoil(workspace, tmp_path)
    roll_out(workspace, 0)
    router.refresh()
    shadowing.start()
    assert client_of(router, workspace, shadowing).predict([ROW])[0] == 200
    (said,) = wait_for(workspace, 1)
    shadowing.stop()
    assert said.error is not None
    assert said.error.startswith("ModelError: ")
    assert said.predictions is None
    assert shadowing.failed["churn", "2"] == 1


def test_what_does_not_fit_into_the_queue_is_dropped_and_counted(
    router: Router, workspace: Workspace, shadowing: Shadowing
) -> None:
    roll_out(workspace, 0)
    router.refresh()
    client = client_of(router, workspace, shadowing)  # its thread is not started: nobody empties the queue
    for _ in range(MOST_WAITING + 5):
        assert client.predict([ROW])[0] == 200
    assert shadowing.dropped["churn"] == 5
    assert 'penstock_shadow_dropped_total{project="churn"} 5.0' in client.ask("GET", "/metrics")[1].decode()


def test_nobody_is_shadowed_once_a_rollout_is_over(router: Router, workspace: Workspace) -> None:
    roll_out(workspace, 5)
    router.refresh()
    assert router.current.routes["churn"].shadows == ()


def test_a_held_challenger_is_shadowed_beside_the_champion_it_was_held_against(
    router: Router, workspace: Workspace
) -> None:
    now = datetime.now(UTC)
    records.save_record("held", "churn", "churn", Held("churn", "2", "1", "d", 300, now, now), workspace)
    router.refresh()
    route = router.current.routes["churn"]
    assert [(live.version, live.state, live.weight) for live in route.shadows] == [("2", "held", 0.0)]
    records.save_record("held", "churn", "churn", None, workspace)
    router.refresh()
    assert router.current.routes["churn"].shadows == ()


def test_old_files_of_shadows_make_way(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    from penstock.serving.journals import shadow_spool

    monkeypatch.setattr(shadow_spool, "FILE_BYTES", 200)
    spool = ShadowSpool(workspace)
    for number in range(60):
        spool.append(Shadowed(f"{number:036}", "now", "churn", "2", "1", 1.0, 1.0))
    spool.close()
    files = sorted(shadow_folder("churn", workspace).glob("*.jsonl"))
    assert len(files) == shadow_spool.MOST_FILES
    assert lines(workspace)[-1].request_id == f"{59:036}"


def test_a_task_names_what_was_journalled(router: Router, workspace: Workspace, shadowing: Shadowing) -> None:
    roll_out(workspace, 0)
    router.refresh()
    route = router.current.routes["churn"]
    task: Any = Task("r", "now", route, route.live["1"], None, msgspec.json.encode([ROW] * 500))
    shadowing.do(task)
    (said,) = lines(workspace)
    assert said.predictions is not None
    assert len(said.predictions) == 100
