"""The alias over HTTP, against the MLflow server that the stack starts."""

import sqlite3
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pandas as pd
import pytest

from penstock.domain.tracking import TrackedRun, TrackedTrial
from penstock.domain.workspace import Workspace
from penstock.errors import SourceUnavailable
from penstock.rollout import reconcile
from penstock.rollout.aliases import write_alias
from penstock.rollout.reconcile import reconcile_aliases
from penstock.stack.parts import PARTS
from penstock.store import frames, records, registry_aliases, tracking
from penstock.store.alias_requests import list_requests
from penstock.store.database import connect
from penstock.store.schema import migrate
from penstock.store.workspace import inherited_environment, make_folders
from tests.conftest import ROOT, free_ports
from tests.unit.rollout.stage import keep, open_release, write_project


@pytest.fixture(scope="module")
def mlflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """MLflow with a model `churn` of three versions; it starts where a start was killed that made half its tables."""
    from mlflow import MlflowClient

    workspace = Workspace(home=tmp_path_factory.mktemp("registry"), app=ROOT, ports=free_ports())
    make_folders(workspace)
    migrate(workspace)
    with closing(sqlite3.connect(workspace.home / "draft-mlflow.db")) as half:
        half.execute("create table experiments (experiment_id integer)")
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
        connect(workspace).dispose()


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


def test_the_trials_that_a_killed_process_left_out_are_written_by_the_next(
    mlflow: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow import MlflowClient

    table = pd.DataFrame({"x": [1.0, 2.0]})
    digest = frames.save_table(table, mlflow)
    trials = [TrackedTrial(f"trial {number}", {"depth": number}, {"score": number / 10}) for number in range(5)]
    run = TrackedRun("trees", "t1", "dataset 1", {"family": "forest"}, {"auc": 0.8}, {"penstock.a": "b"}, (), trials)
    written, log_batch = list[str](), MlflowClient.log_batch

    def killed(self: MlflowClient, run_id: str, *given: Any, **named: Any) -> Any:
        written.append(run_id)
        if len(written) == 4:  # the run's own, two trials', and now the third's
            raise KeyboardInterrupt
        return log_batch(self, run_id, *given, **named)

    with monkeypatch.context() as patched:
        patched.setattr(MlflowClient, "log_batch", killed)
        with pytest.raises(KeyboardInterrupt):
            tracking.log_run(run, table, digest, mlflow)
    run_id = tracking.log_run(run, table, digest, mlflow)
    client = MlflowClient(tracking_uri=mlflow.mlflow_url)
    experiment = client.get_experiment_by_name("trees")
    assert experiment is not None
    children = client.search_runs([experiment.experiment_id], f"tags.`mlflow.parentRunId` = '{run_id}'")
    assert sorted(child.info.run_name for child in children) == [trial.name for trial in trials]
    assert {child.info.status for child in children} == {"FINISHED"}
    assert {child.data.params["depth"]: child.data.metrics["score"] for child in children} == {
        str(number): number / 10 for number in range(5)
    }


def test_tags_of_versions_are_set_and_listed(mlflow: Workspace) -> None:
    registry_aliases.set_tag("churn", "2", ("penstock.audit_count", "3"), mlflow)
    registry_aliases.set_tag("churn", "2", ("penstock.audit_count", "4"), mlflow)
    assert registry_aliases.list_tags("churn", mlflow) == {"1": {}, "2": {"penstock.audit_count": "4"}, "3": {}}
    assert registry_aliases.list_tags("nobody", mlflow) == {}
    with pytest.raises(SourceUnavailable):
        registry_aliases.set_tag("churn", "99", ("a", "b"), mlflow)


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
