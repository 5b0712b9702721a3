"""S1 on real data, with the budget that a user gets: the figures that decide whether the main job is worth its name."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from penstock.data.splitting import load_assignment, training_rows
from penstock.demo.generator import make_table
from penstock.domain.datasets import Split
from penstock.domain.features import FeaturePlan
from penstock.domain.models import ModelVersion
from penstock.domain.search import SearchResult
from penstock.domain.workspace import Workspace
from penstock.models._base import ModelFamily
from penstock.plugins import find_plugins
from penstock.search.phases.choosing import ENSEMBLE
from penstock.store import frames, records, trainings
from tests.stranger import Stranger, ask, rows_of

pytestmark = pytest.mark.full

GOAL_SECONDS = 60
ROWS = 100
TARGETS = {"generated": "churned", "telco_churn": "Churn", "adult_income": "income", "bike_sharing_hourly": "cnt"}
PARTS = ("year", "month", "day", "weekday", "hour", "dayofyear")


@dataclass(frozen=True)
class Job:
    """A run of the main job on one file, and what its records say."""

    table: pd.DataFrame
    target: str
    answer: dict[str, Any]
    version: ModelVersion
    workspace: Workspace

    @property
    def canonical(self) -> pd.DataFrame:
        """The table that it learnt from."""
        return frames.load_table(self.version.dataset, self.workspace)

    @property
    def split(self) -> Split:
        """Its split."""
        found = records.list_records("split", self.version.project, Split, self.workspace)
        return next(one for one in found if one.dataset == self.version.dataset)

    def step(self, name: str, form: type[Any]) -> Any:
        """What a step of its training left."""
        return trainings.recall(self.version.training, name, form, self.workspace)


@pytest.fixture(scope="module", params=TARGETS)
def job(request: pytest.FixtureRequest, stranger: Stranger, shared_data: Path) -> Job:
    """The main job on a file, with the default budget; prints its seconds."""
    name, target = request.param, TARGETS[request.param]
    if name == "generated":
        table = make_table(10_000, seed=11).frame
    else:
        table = pd.read_parquet(shared_data / name / f"{name}.parquet")
    file = stranger.folder / f"{name}.csv"
    table.to_csv(file, index=False)
    began = time.monotonic()
    answer = stranger.answer("run", file.name, "--target", target)
    wall = time.monotonic() - began
    stages = "  ".join(f"{stage} {took:.1f}" for stage, took in answer["seconds"].items())
    score = answer["score"]
    say(request, f"{name}: {wall:.1f} s of {GOAL_SECONDS}; {score['metric']} {score['value']:.4f}\n  {stages}")
    workspace = Workspace(home=Path(stranger.environment["PENSTOCK_HOME"]), app=Path.cwd())
    version = records.find_version(answer["project"], answer["version"], workspace)
    return Job(pd.read_csv(file), target, answer, version, workspace)


def say(request: pytest.FixtureRequest, text: str) -> None:
    """Print for whoever runs the long round."""
    plugins = request.config.pluginmanager
    reporter: Any = plugins.get_plugin("terminalreporter")
    capturing: Any = plugins.get_plugin("capturemanager")
    with capturing.global_and_fixture_disabled():
        reporter.write_line(f"\n{text}")


def test_the_first_version_serves_and_no_honest_row_is_set_aside(job: Job) -> None:
    assert job.answer["decision"]["verdict"] == "promote"
    assert job.answer["release"] == {"state": "serving", "weights": {job.answer["version"]: 100.0}}
    assert len(job.canonical) == len(job.table)


def test_every_family_had_its_turn_or_is_said_to_be_skipped(job: Job) -> None:
    result: SearchResult = job.step("search", SearchResult)
    told = {trial.family for trial in result.trials if trial.state in {"finished", "skipped"}}
    assert told - {ENSEMBLE} == set(find_plugins("penstock.models", ModelFamily))
    assert all(trial.reason for trial in result.trials if trial.state == "skipped")


def test_the_score_is_not_below_that_of_an_untuned_lightgbm(job: Job, request: pytest.FixtureRequest) -> None:
    score = job.answer["score"]
    peer = untuned(job, score["metric"])
    error = (score["high"] - score["low"]) / (2 * 1.96)
    say(request, f"{job.version.project}: {score['value']:.4f} beside {peer:.4f} untuned, error {error:.4f}")
    gain = score["value"] - peer if score["higher_is_better"] else peer - score["value"]
    assert gain > -error


def untuned(job: Job, metric: str) -> float:
    """Return the score of LightGBM as it comes, on the same columns, trained and scored on the same rows."""
    import lightgbm
    from sklearn.metrics import roc_auc_score, root_mean_squared_error

    plan: FeaturePlan = job.step("plan", FeaturePlan)
    table = job.canonical
    assignment = load_assignment(job.split, job.workspace)
    trains, held = training_rows(assignment), assignment == -1
    x = pd.DataFrame({name: values for column in plan.used for name, values in features(table[column.name]).items()})
    y = table[job.target]
    if metric == "rmse":
        regressor = lightgbm.LGBMRegressor(n_jobs=2, verbose=-1).fit(x[trains], y[trains])
        return float(root_mean_squared_error(y[held], np.asarray(regressor.predict(x[held]))))
    assert metric == "roc_auc"
    hit = (y == y.value_counts().index[-1]).to_numpy()
    classifier = lightgbm.LGBMClassifier(n_jobs=2, verbose=-1).fit(x[trains], hit[trains])
    return float(roc_auc_score(hit[held], np.asarray(classifier.predict_proba(x[held]))[:, 1]))


def features(values: pd.Series) -> dict[str, pd.Series]:
    """Return a column as LightGBM takes it: dates by their parts, text as categories."""
    if values.dtype.kind == "M":
        return {f"{values.name} {part}": getattr(values.dt, part) for part in PARTS}
    if values.dtype.kind in "if":
        return {str(values.name): values}
    return {str(values.name): values.astype("category")}


def test_a_hundred_rows_have_the_same_answers_online_offline_and_in_python(job: Job, stranger: Stranger) -> None:
    sample = job.table.drop(columns=job.target).sample(ROWS, random_state=1)
    status, online = ask(job.answer["endpoint"], {"rows": rows_of(sample)}, job.answer["key"])
    assert status == 200
    sample.to_csv(stranger.folder / "rows.csv", index=False)
    assert stranger.answer("predict", job.version.project, "rows.csv", "-o", "out.csv")["rows"] == ROWS
    offline = pd.read_csv(stranger.folder / "out.csv")
    model: Any = frames.load_model(job.version.model, job.workspace)
    python = np.asarray(model.predict(job.canonical.iloc[sample.index].reset_index(drop=True)))
    said = online["predictions"]
    if model.signature.problem == "regression":
        served = np.array([each["value"] for each in said])
        assert np.allclose(served, offline["prediction"], rtol=1e-6)
        assert np.allclose(served, python, rtol=1e-3, atol=1e-3)
        return
    served = np.array([list(each["probabilities"].values()) for each in said])
    columns = [f"probability_{name}" for name in said[0]["probabilities"]]
    assert np.abs(served - offline[columns].to_numpy()).max() < 1e-6
    assert np.abs(served - python).max() < 1e-3
    assert offline["prediction"].astype(str).tolist() == [str(each["label"]) for each in said]
