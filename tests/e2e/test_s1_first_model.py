"""S1: from a CSV to a served prediction in one command."""

import subprocess
from typing import Any

import mlflow
import pandas as pd
import pytest

from penstock.demo.generator import make_table
from penstock.domain.evaluation import Explanation
from penstock.store import frames, records
from tests.e2e.rollouts import workspace_of
from tests.stranger import Stranger, ask, rows_of

ROWS = 100
SHOWN = {"dataset", "data-report", "feature-plan", "leaderboard", "decision", "endpoint"}
TIMES_CHANCE = 3


@pytest.fixture(scope="module")
def first(stranger: Stranger, subscriptions: pd.DataFrame) -> dict[str, Any]:
    """The answer of the main job on the generator's table."""
    assert len(subscriptions) == 10_000
    return stranger.answer("run", "churn.csv", "--target", "churned", "--seconds", 8)  # CI's short round


def test_a_file_becomes_a_served_version(first: dict[str, Any]) -> None:
    assert first["project"] == "churn"
    assert first["decision"]["verdict"] == "promote"
    assert first["release"] == {"state": "serving", "weights": {first["version"]: 100.0}}
    assert first["score"]["low"] <= first["score"]["value"] <= first["score"]["high"]
    assert first["score"]["value"] > 0.7
    assert first["seconds"]["total"] > 0
    assert first["trials"]["finished"] >= 2


def test_the_curl_line_works_as_printed(first: dict[str, Any]) -> None:
    out = subprocess.run(first["curl"], shell=True, capture_output=True, text=True, check=True, timeout=60)
    assert '"predictions"' in out.stdout
    assert f'"version":"{first["version"]}"' in out.stdout.replace(" ", "")


def test_a_hundred_rows_have_the_same_answers_online_offline_and_in_python(
    stranger: Stranger, first: dict[str, Any], subscriptions: pd.DataFrame
) -> None:
    sample = subscriptions.drop(columns="churned").sample(ROWS, random_state=1)
    status, online = ask(first["endpoint"], {"rows": rows_of(sample)}, first["key"])
    assert status == 200
    sample.to_csv(stranger.folder / "rows.csv", index=False)
    assert stranger.answer("predict", "churn", "rows.csv", "-o", "out.csv")["rows"] == ROWS
    offline = pd.read_csv(stranger.folder / "out.csv")
    python = python_answers(stranger, first["version"], sample)
    classes = list(online["predictions"][0]["probabilities"])
    for name in classes:
        served = pd.Series([each["probabilities"][name] for each in online["predictions"]])
        assert (served - offline[f"probability_{name}"]).abs().max() < 1e-6
        assert (served - python[name]).abs().max() < 1e-3


def python_answers(stranger: Stranger, version: str, sample: pd.DataFrame) -> pd.DataFrame:
    """Return what the fitted Python model says of rows: classes as columns."""
    workspace = workspace_of(stranger)
    model = frames.load_model(records.find_version("churn", version, workspace).model, workspace)
    said = model.predict(sample.reset_index(drop=True))
    return pd.DataFrame(said, columns=[str(name) for name in model.signature.classes])


@pytest.fixture
def run(stranger: Stranger, first: dict[str, Any]) -> mlflow.entities.Run:
    """The run in MLflow behind the alias `champion`."""
    mlflow.set_tracking_uri(workspace_of(stranger).mlflow_url)
    version = mlflow.MlflowClient().get_model_version_by_alias("churn", "champion")
    assert version.version == first["version"]
    assert version.tags["penstock.gates"] == "passed"
    assert version.tags["penstock.bento"].startswith("churn:")
    return mlflow.get_run(str(version.run_id))


def test_mlflow_has_the_run_with_its_data_figures_and_plots(run: mlflow.entities.Run, first: dict[str, Any]) -> None:
    assert run.info.status == "FINISHED"
    assert run.inputs is not None
    (given,) = run.inputs.dataset_inputs
    assert run.data.tags["penstock.dataset"].startswith(given.dataset.digest)
    assert {"penstock.code", "penstock.environment"} <= run.data.tags.keys()
    assert run.data.metrics["holdout_roc_auc"] == pytest.approx(first["score"]["value"])
    files = {file.path for file in mlflow.artifacts.list_artifacts(run_id=run.info.run_id)}
    assert {"certificate.json", "report.html"} <= files
    plots = mlflow.artifacts.list_artifacts(run_id=run.info.run_id, artifact_path="plots")
    assert {file.path for file in plots} == {f"plots/{name}.svg" for name in ("roc", "importance", "calibration")}
    children = mlflow.search_runs(
        [run.info.experiment_id], f"tags.`mlflow.parentRunId` = '{run.info.run_id}'", output_format="list"
    )
    assert children
    assert all("selection_score" in child.data.metrics for child in children)


def test_mlflow_knows_how_the_version_is_called(run: mlflow.entities.Run, first: dict[str, Any]) -> None:
    info = mlflow.models.get_model_info(f"models:/churn/{first['version']}")
    assert info.run_id == run.info.run_id
    assert "monthly_fee" in info.signature.inputs.input_names()
    assert info.saved_input_example_info is not None


def test_prefect_shows_the_run_task_by_task(stranger: Stranger, run: mlflow.entities.Run) -> None:
    api = f"{workspace_of(stranger).prefect_url}/api"
    flow_run = run.data.tags["penstock.flow_run"].rsplit("/", 1)[-1]
    _, found = ask(f"{api}/flow_runs/{flow_run}")
    assert (found["state"]["type"], found["name"]) == ("COMPLETED", "churn dataset 1")
    _, tasks = ask(f"{api}/task_runs/filter", {"flow_runs": {"id": {"any_": [flow_run]}}})
    assert len({task["task_key"] for task in tasks}) >= 9
    assert {task["state"]["type"] for task in tasks} == {"COMPLETED"}
    _, shown = ask(f"{api}/artifacts/filter", {"artifacts": {"flow_run_id": {"any_": [flow_run]}}})
    assert {artifact["key"] for artifact in shown} >= SHOWN
    assert all(artifact["data"] for artifact in shown)


def test_labels_that_look_wrong_often_are(stranger: Stranger, first: dict[str, Any]) -> None:
    workspace = workspace_of(stranger)
    version = records.find_version("churn", first["version"], workspace)
    explained = records.find_record("explanation", version.model, "churn", Explanation, workspace)
    assert explained is not None
    made = make_table(10_000, seed=11)
    wrong = set(made.frame["customer_id"].iloc[made.wrong_rows])
    learnt = frames.load_table(version.dataset, workspace, ["customer_id"])
    doubted = learnt["customer_id"].iloc[[each.row for each in explained.suspicions[:20]]]
    assert len(doubted) == 20
    assert doubted.isin(wrong).mean() >= TIMES_CHANCE * len(wrong) / len(made.frame)


def test_a_second_run_on_the_same_rows_leaves_production_alone(stranger: Stranger, first: dict[str, Any]) -> None:
    second = stranger.answer("run", "churn.csv", "--target", "churned", "--seconds", 8)  # CI's short round
    assert second["decision"]["verdict"] == "hold"
    assert "not better" in " ".join(second["decision"]["reasons"])
    assert second["version"] != first["version"]
    status = stranger.answer("status")
    project = next(each for each in status["projects"] if each["name"] == "churn")
    assert project["champion"] == first["version"]
    assert project["weights"] == {first["version"]: 100.0}
