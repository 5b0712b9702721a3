"""A project with several versions, made without a search: copies of one bundle, each registered and decided on."""

import json
import time
import urllib.request
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from penstock.domain.evaluation import Decision, Gate
from penstock.domain.models import ModelVersion
from penstock.domain.workspace import Ports, Workspace
from penstock.rollout.release import open_release
from penstock.store import records
from penstock.store.projects import open_project
from tests.conftest import ROOT
from tests.spoiled import put_spoiled
from tests.stranger import Stranger

MLFLOW = "/api/2.0/mlflow"


def workspace_of(stranger: Stranger) -> Workspace:
    """Return the stranger's workspace, as the processes of its stack know it."""
    ports = [int(stranger.environment[f"PENSTOCK_{name}_PORT"]) for name in ("PREFECT", "MLFLOW", "SERVING", "CONSOLE")]
    return Workspace(Path(stranger.environment["PENSTOCK_HOME"]).resolve(), ROOT, Ports(*ports))


def add_version(
    project: str, workspace: Workspace, *, held: bool = True, graph: bytes | None = None, name: str = "copy"
) -> str:
    """Register another version of a project, with the served bundle or another graph; return its number."""
    first = records.find_version(project, served(project, workspace), workspace)
    number = registered(project, first, workspace)
    bundle = first.bundle
    if graph is not None:
        bundle = put_spoiled(bundle, graph, workspace.home / f"{name}-{number}", workspace)
    training = f"{name}-{number}"
    records.save_version(replace(first, version=number, training=training, bundle=bundle), workspace)
    gates = (Gate("smoke", held, "the examples were answered otherwise" if not held else "as found"),)
    reasons = (f"Version {number} is a copy for a scenario.",)
    decision = Decision(
        f"decision-{number}", project, "promote", reasons, workspace.now(), number, first.version, None, gates
    )
    records.save_record("decision", decision.id, project, decision, workspace)
    return number


def registered(project: str, first: ModelVersion, workspace: Workspace) -> str:
    """Register a version in MLflow, and return its number."""
    asked = f"/model-versions/get?name={project}&version={first.version}"
    source = rest("GET", asked, None, workspace)["model_version"]
    model = source["source"]
    body = {"name": project, "source": model, "run_id": first.run_id, "model_id": model.removeprefix("models:/")}
    made = rest("POST", "/model-versions/create", body, workspace)
    return str(made["model_version"]["version"])


def begin_rollout(project: str, version: str, workspace: Workspace) -> int:
    """Open the release of a version, as the train flow does; return its number."""
    decision = records.find_record("decision", f"decision-{version}", project, Decision, workspace)
    assert decision is not None
    return open_release(decision, open_project(project, workspace), workspace).id


def rest(method: str, path: str, body: dict[str, Any] | None, workspace: Workspace) -> Any:
    """Ask MLflow over its REST API, as its UI does."""
    request = urllib.request.Request(
        f"{workspace.mlflow_url}{MLFLOW}{path}",
        None if body is None else json.dumps(body).encode(),
        {"Content-Type": "application/json"},
        method=method,
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.loads(answer.read() or b"{}")


def move_alias(project: str, version: str, workspace: Workspace) -> None:
    """Point the alias at a version."""
    rest("POST", "/registered-models/alias", {"name": project, "alias": "champion", "version": version}, workspace)


def alias(project: str, workspace: Workspace) -> str | None:
    """Return the version that the alias points at."""
    model = rest("GET", f"/registered-models/get?name={project}", None, workspace)["registered_model"]
    return next((each["version"] for each in model.get("aliases", []) if each["alias"] == "champion"), None)


def wait_until(what: str, holds: Any, patience: float) -> float:
    """Wait until something holds, and return how many seconds that took."""
    began = time.monotonic()
    while not holds():
        assert time.monotonic() - began < patience, f"{what} within {patience} s"
        time.sleep(0.1)
    return time.monotonic() - began


def served(project: str, workspace: Workspace) -> str:
    """Return the version that answers."""
    release = records.newest_release(project, workspace)
    assert release is not None
    return release.champion


@dataclass(frozen=True)
class Orders:
    """A project that answers: where, to whom, the table that it learnt from, and other rows to ask about."""

    stranger: Stranger
    workspace: Workspace
    endpoint: str
    key: str
    table: pd.DataFrame
    rows: list[dict[str, Any]]


def settle(orders: Orders) -> None:
    """End a rollout that an earlier scenario may have left, and wait until the alias is what it should be."""
    workspace, champion = orders.workspace, served("orders", orders.workspace)
    release = records.newest_release("orders", workspace)
    if release is not None and release.active:
        orders.stranger.answer("release", "orders", champion)
    answers_again(workspace)
    wait_until("the alias is as it should be", lambda: alias("orders", workspace) == champion, 30)


def answers_again(workspace: Workspace) -> None:
    """Wait until MLflow answers."""

    def answers() -> bool:
        try:
            return rest("GET", "/registered-models/get?name=orders", None, workspace) is not None
        except OSError:
            return False

    wait_until("MLflow answers", answers, 120)
