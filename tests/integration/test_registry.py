"""The alias over HTTP, against the MLflow server that the stack starts."""

import subprocess
import time
import urllib.request
from collections.abc import Iterator

import pytest

from penstock.domain.workspace import Workspace
from penstock.errors import SourceUnavailable
from penstock.rollout import reconcile
from penstock.rollout.aliases import write_alias
from penstock.rollout.reconcile import reconcile_aliases
from penstock.stack.parts import PARTS
from penstock.store import records, registry_aliases
from penstock.store.alias_requests import list_requests
from penstock.store.workspace import inherited_environment
from tests.unit.rollout.stage import keep, open_release, write_project


@pytest.fixture
def mlflow(workspace: Workspace) -> Iterator[Workspace]:
    """MLflow with a model `churn` of three versions."""
    from mlflow import MlflowClient

    part = next(each for each in PARTS if each.name == "mlflow")
    process = subprocess.Popen(
        part.command(workspace),
        env={**inherited_environment(workspace), **part.environment(workspace)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait(workspace)
        client = MlflowClient(tracking_uri=workspace.mlflow_url, registry_uri=workspace.mlflow_url)
        client.create_registered_model("churn")
        run = client.create_run(client.create_experiment("churn")).info
        for _ in range(3):
            client.create_model_version("churn", f"{run.artifact_uri}/model", run.run_id)
        yield workspace
    finally:
        process.kill()
        process.wait()


def _wait(workspace: Workspace) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(
                f"{workspace.mlflow_url}/api/2.0/mlflow/experiments/search?max_results=1", timeout=2
            ):
                return
        except OSError:
            time.sleep(0.2)
    raise AssertionError("MLflow must answer within 120 s, but did not.")


def test_an_alias_is_written_read_taken_away_and_followed(
    mlflow: Workspace, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    monkeypatch.setattr(reconcile, "SETTLE_SECONDS", 0.0)
    write_project(mlflow, tmp_path_factory.mktemp("project"))
    assert registry_aliases.find_alias("churn", mlflow) is None
    assert registry_aliases.find_alias("nobody", mlflow) is None
    for version in ("1", "2"):
        write_alias(open_release(keep(version, mlflow), mlflow), mlflow)
    assert registry_aliases.find_alias("churn", mlflow) == "2"
    registry_aliases.set_alias("churn", "1", mlflow)  # a person
    assert [each.version for each in reconcile_aliases(mlflow)] == ["1"]
    registry_aliases.drop_alias("churn", mlflow)
    registry_aliases.drop_alias("churn", mlflow)
    assert reconcile_aliases(mlflow) == []
    assert registry_aliases.find_alias("churn", mlflow) == "1"
    assert [each.state for each in list_requests("churn", mlflow)] == ["followed", "refused"]
    with pytest.raises(SourceUnavailable):
        registry_aliases.set_alias("churn", "99", mlflow)
    newest = records.newest_release("churn", mlflow)
    assert newest is not None
    assert newest.champion == "1"
