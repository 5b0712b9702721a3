"""The same flows run from Prefect's page: here by the call that its button makes."""

import time
from typing import Any

import pandas as pd

from tests.e2e.rollouts import Orders
from tests.stranger import Stranger, ask

PATIENCE = 150


def finish(stranger: Stranger, flow: str, parameters: dict[str, Any]) -> dict[str, Any]:
    """Start a deployment, and return its flow run when it has ended."""
    api = f"http://127.0.0.1:{stranger.environment['PENSTOCK_PREFECT_PORT']}/api"
    _, deployment = ask(f"{api}/deployments/name/{flow}/{flow}")
    started, run = ask(f"{api}/deployments/{deployment['id']}/create_flow_run", {"parameters": parameters})
    assert started == 201
    deadline = time.monotonic() + PATIENCE
    while run["state"]["type"] not in {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}:
        assert time.monotonic() < deadline, run["state"]
        time.sleep(0.5)
        _, run = ask(f"{api}/flow_runs/{run['id']}")
    ended: dict[str, Any] = run
    return ended


def test_a_training_from_prefect_makes_a_version(customers: Orders) -> None:
    stranger = customers.stranger
    run = finish(stranger, "train", {"project": "customers", "seconds": 4})
    assert run["state"]["type"] == "COMPLETED", run["state"]
    assert run["name"].startswith("customers dataset")
    link = f"http://127.0.0.1:{stranger.environment['PENSTOCK_MLFLOW_PORT']}/api/2.0/mlflow/model-versions/search"
    _, found = ask(f"{link}?filter=name%3D%27customers%27")
    assert {each["version"] for each in found["model_versions"]} == {"1", "2"}


def test_a_table_is_scored_from_prefect(stranger: Stranger, customers: Orders) -> None:
    file, out = stranger.folder / "to-score.csv", stranger.folder / "scored.parquet"
    customers.table.to_csv(file, index=False)
    run = finish(stranger, "score", {"project": "customers", "path": str(file), "output": str(out)})
    assert run["state"]["type"] == "COMPLETED", run["state"]
    assert len(pd.read_parquet(out)) == len(customers.table)


def test_a_version_is_released_from_prefect(customers: Orders) -> None:
    stranger = customers.stranger
    run = finish(stranger, "release", {"project": "customers", "version": "2", "reason": "asked by Ann"})
    assert run["state"]["type"] == "COMPLETED", run["state"]
    _, said = ask(customers.endpoint, {"rows": customers.rows[:1]}, customers.key)
    assert said["version"] == "2"
    assert "asked by Ann" in stranger.answer("audit", "customers")["entries"][-1]["reason"]


def test_a_flow_of_an_unknown_project_fails_and_says_why(stranger: Stranger) -> None:
    run = finish(stranger, "ingest", {"project": "nobody"})
    assert run["state"]["type"] == "FAILED"
    assert "No project is named 'nobody'" in run["state"]["message"]
