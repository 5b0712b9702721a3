"""The router follows the releases, and serves only what is whole."""

import time
from pathlib import Path

import pytest
import sqlalchemy as sa

from penstock.domain.workspace import Workspace
from penstock.serving import router as routers
from penstock.serving.router import Router
from penstock.store import artifacts, database, tables
from tests.unit.serving.stand_in import keep_version, release


def answers(router: Router) -> str | None:
    route = router.current.routes.get("churn")
    return None if route is None or route.main is None else route.main.version


def spoil(bundle: str, workspace: Workspace) -> None:
    graph = artifacts.local_folder(bundle, workspace) / "graph.onnx"
    graph.chmod(0o600)
    graph.write_bytes(graph.read_bytes() + b"more")


def test_nothing_answers_before_a_release(workspace: Workspace, tmp_path: Path) -> None:
    keep_version("1", workspace, tmp_path / "1")
    router = Router(workspace)
    problems = [router.current.problem]
    router.refresh()
    problems.append(router.current.problem)
    assert problems == ["The releases were not read yet.", None]
    assert list(router.current.routes) == ["churn"]
    assert answers(router) is None


def test_a_release_is_followed_and_what_answered_before_stays_warm(workspace: Workspace, tmp_path: Path) -> None:
    keep_version("1", workspace, tmp_path / "1")
    keep_version("2", workspace, tmp_path / "2")
    release("1", workspace)
    router = Router(workspace)
    router.refresh()
    before = router.current.routes["churn"]
    assert answers(router) == "1"
    release("2", workspace, previous="1")
    router.refresh()
    assert answers(router) == "2"
    assert set(router.current.routes["churn"].live) == {"1", "2"}
    assert before.live["1"].bundle is router.current.routes["churn"].live["1"].bundle
    assert set(before.live) == {"1"}


def test_weights_that_move_are_followed(workspace: Workspace, tmp_path: Path) -> None:
    keep_version("1", workspace, tmp_path / "1")
    keep_version("2", workspace, tmp_path / "2")
    release("2", workspace, previous="1", state="partial", weights={"1": 95.0, "2": 5.0})
    router = Router(workspace)
    router.refresh()
    assert answers(router) == "1"
    with database.connect(workspace).begin() as connection:
        connection.execute(sa.update(tables.releases).values(weights={"1": 25.0, "2": 75.0}))
    router.refresh()
    assert answers(router) == "2"


def test_a_bundle_that_was_changed_on_disk_is_never_served(workspace: Workspace, tmp_path: Path) -> None:
    keep_version("1", workspace, tmp_path / "1")
    second = keep_version("2", workspace, tmp_path / "2")
    spoil(second.bundle, workspace)
    release("1", workspace)
    router = Router(workspace)
    router.refresh()
    release("2", workspace, previous="1")
    router.refresh()
    assert answers(router) == "1"
    assert [(failure.version, "changed on disk" in failure.reason) for failure in router.current.failures] == [
        ("2", True)
    ]


def test_a_first_bundle_that_cannot_be_loaded_answers_nothing(workspace: Workspace, tmp_path: Path) -> None:
    spoil(keep_version("1", workspace, tmp_path / "1").bundle, workspace)
    release("1", workspace)
    router = Router(workspace)
    router.refresh()
    assert answers(router) is None
    assert len(router.current.failures) == 1


def test_a_bundle_that_is_whole_again_is_served(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = keep_version("1", workspace, tmp_path / "1")
    graph = artifacts.local_folder(first.bundle, workspace) / "graph.onnx"
    whole = graph.read_bytes()
    spoil(first.bundle, workspace)
    release("1", workspace)
    router = Router(workspace)
    router.refresh()
    graph.write_bytes(whole)
    monkeypatch.setattr(routers, "RETRY_SECONDS", 0.0)
    router._retry = 0.0
    router.refresh()
    assert (answers(router), router.current.failures) == ("1", ())


def test_a_database_that_is_away_leaves_what_answers(workspace: Workspace, tmp_path: Path) -> None:
    keep_version("1", workspace, tmp_path / "1")
    release("1", workspace)
    router = Router(workspace)
    router.refresh()
    with database.connect(workspace).begin() as connection:
        connection.execute(sa.text("alter table releases rename to elsewhere"))
    router.refresh()
    assert answers(router) == "1"
    assert router.current.problem is not None
    with database.connect(workspace).begin() as connection:
        connection.execute(sa.text("alter table elsewhere rename to releases"))
    router.refresh()
    assert router.current.problem is None


def test_a_thread_follows_until_it_is_stopped(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(routers, "POLL_SECONDS", 0.01)
    keep_version("1", workspace, tmp_path / "1")
    calls: list[int] = []

    def fail() -> None:
        raise OSError

    router = Router(workspace, beside=(lambda: calls.append(1), fail))
    router.start()
    release("1", workspace)
    deadline = time.monotonic() + 20
    while answers(router) is None and time.monotonic() < deadline:
        time.sleep(0.01)
    router.stop()
    assert answers(router) == "1"
    assert calls
