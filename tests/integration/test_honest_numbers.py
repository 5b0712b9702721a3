"""What is reported is what a stranger would find: nothing leaks, nothing is tuned on the holdout, noise is noise."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from penstock.data.contract import check_contract
from penstock.data.drafts.drafting import complete_spec, draft_project
from penstock.data.ingestion import ingest
from penstock.data.leaks import find_leaks
from penstock.data.sides.hash_split import HOLDOUT
from penstock.data.splitting import load_assignment, split
from penstock.data.training import begin_training
from penstock.data.validation import admit, validate
from penstock.domain.datasets import Finding, Split, ValidationReport
from penstock.domain.evaluation import Decision, Evaluation
from penstock.domain.features import FeaturePlan
from penstock.domain.models import FittedModel, Package
from penstock.domain.search import SearchResult
from penstock.domain.workspace import Workspace
from penstock.evaluation.explanation import explain
from penstock.evaluation.gates import check_gates
from penstock.evaluation.holdout import evaluate
from penstock.evaluation.judge import Judged, judge
from penstock.search import steps
from penstock.search.fitting import TrainedModel
from penstock.serving.bundle import bundle
from penstock.serving.scoring import answer
from penstock.spec import BudgetSpec, Families, ProjectSpec, SplitSpec, load_spec
from penstock.store import frames, records
from penstock.store.workspace import make_folders

ROWS = 3000
BIKES = Path("src/penstock/demo/data/bike_sharing_hourly.parquet")


@dataclass(frozen=True)
class Wanted:
    """How long, how often and among what is searched, and by which metric."""

    seconds: float = 20.0  # enough for the trials: these, and not the clock, end the search
    trials: int | None = 3
    families: tuple[str, ...] = ("linear", "lightgbm")
    metric: str | None = None
    holdout: float = 0.2


@dataclass(frozen=True)
class Prepared:
    """A table that was let in and split, and what is planned for its columns."""

    spec: ProjectSpec
    report: ValidationReport
    split: Split
    leaks: tuple[Finding, ...]
    plan: FeaturePlan
    workspace: Workspace

    @property
    def assignment(self) -> np.ndarray:
        """Each row's side or fold."""
        return load_assignment(self.split, self.workspace)

    @property
    def groups(self) -> np.ndarray:
        """Which rows belong together."""
        return np.asarray(frames.load_array(self.split.groups, self.workspace))


@dataclass(frozen=True)
class Judgement:
    """What the main job made of a table, and what it says of it."""

    result: SearchResult
    model: FittedModel
    evaluation: Evaluation
    decision: Decision


def prepare(table: pd.DataFrame, target: str, workspace: Workspace, wanted: Wanted = Wanted()) -> Prepared:
    folder = workspace.home.parent
    table.to_parquet(folder / f"{workspace.home.name}.parquet")
    file = folder / f"{workspace.home.name}.yaml"
    draft_project("honest", folder / f"{workspace.home.name}.parquet", target, {}, file)
    records.register_project("honest", file, workspace)
    budget = BudgetSpec(seconds=wanted.seconds, trials=wanted.trials)
    update = {
        "budget": budget,
        "families": Families(include=list(wanted.families)),
        "split": SplitSpec(holdout=wanted.holdout),
    }
    spec = load_spec(file).model_copy(update=update | ({"metric": wanted.metric} if wanted.metric else {}))
    dataset = ingest(spec, workspace)
    spec = complete_spec(spec, dataset, workspace)
    change = check_contract(dataset, spec, workspace)
    report = validate(dataset, spec, False, workspace)
    admit(change, report)
    made = split(report.accepted, None, spec, workspace)
    leaks = find_leaks(report.accepted, made, spec, workspace)
    return Prepared(spec, report, made, leaks, steps.plan(made, leaks, spec, workspace), workspace)


def fitted(prepared: Prepared) -> tuple[str, SearchResult, FittedModel]:
    spec, made, workspace = prepared.spec, prepared.split, prepared.workspace
    training = begin_training(prepared.report, spec, None, workspace)
    result = steps.search(training, made, prepared.plan, spec, workspace)
    return training.id, result, steps.fit(training, result, made, spec, workspace)


def judged(prepared: Prepared) -> Judgement:
    spec, made, workspace = prepared.spec, prepared.split, prepared.workspace
    training, result, model = fitted(prepared)
    served = bundle(model, made, spec, workspace)
    answers = answer(served, made, "holdout", workspace)
    found = evaluate(answers, model, made, spec, workspace)
    explain(model, found, made, spec, workspace)
    package = Package(spec.name, "1", f"{spec.name}:1", "c" * 64, "passed", "", 1.0)
    gates = check_gates(served, package, found, spec, workspace)
    decision = judge(Judged(training, model, answers, "1", gates, found), None, made, spec, workspace)
    return Judgement(result, model, found, decision)


def numbers(columns: int = 6, seed: int = 5) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    return pd.DataFrame({f"x{place}": random.normal(size=ROWS).round(4) for place in range(columns)})


@pytest.fixture(scope="module")
def visits() -> pd.DataFrame:
    """A panel of RAND without a person's id: years of people, nine features that seldom change, and a yes or no."""
    from statsmodels.datasets import randhie

    table: pd.DataFrame = randhie.load_pandas().data
    return table.drop(columns="mdvis").assign(often=np.where(table["mdvis"] >= 5, "yes", "no"))


def test_the_score_of_a_panel_without_ids_is_the_one_for_new_people(visits: pd.DataFrame, workspace: Workspace) -> None:
    prepared = prepare(visits, "often", workspace)
    features = visits.drop(columns="often")
    assert len(np.unique(prepared.groups)) == len(features.drop_duplicates()) == 2760
    assert pd.Series(prepared.assignment).groupby(prepared.groups).nunique().max() == 1
    finding = next(one for one in prepared.report.findings if one.check == "repeated_features")
    assert "2,760 distinct feature rows among 20,190 rows" in finding.message
    assert "2,760 distinct feature rows among 20,190 rows" in prepared.split.reason

    found = judged(prepared)
    held = prepared.assignment == HOLDOUT
    rows = np.random.default_rng(0).random(len(visits)) < held.mean()
    assert found.evaluation.score.metric == "roc_auc"
    assert 0.60 < found.evaluation.score.value < 0.70
    careful = {"n_estimators": 200, "num_leaves": 4, "learning_rate": 0.05, "min_child_samples": 100}
    of_new_people = peer_auc(features, visits["often"], held, **careful)
    assert found.evaluation.score.value == pytest.approx(of_new_people, abs=0.03)
    of_known_people = peer_auc(features, visits["often"], rows, n_estimators=300)  # trees that remember them
    assert of_known_people > max(0.70, found.evaluation.score.value + 0.02)
    assert "groups of rows that belong together" in " ".join(found.evaluation.notes)
    assert found.decision.verdict == "promote"


def peer_auc(features: pd.DataFrame, target: pd.Series, held: np.ndarray, **settings: Any) -> float:
    """Return the AUC of LightGBM on held-out rows."""
    import lightgbm
    from sklearn.metrics import roc_auc_score

    peer = lightgbm.LGBMClassifier(n_jobs=2, verbose=-1, **settings)
    peer.fit(features[~held], target[~held])
    said = np.asarray(peer.predict_proba(features[held]))[:, 1]
    return float(roc_auc_score(target[held] == "yes", said))


@pytest.mark.parametrize("seed", [1, 2])
def test_noise_is_called_noise_by_a_classifier(workspace: Workspace, seed: int) -> None:
    random = np.random.default_rng(seed)
    noise = numbers(seed=seed).assign(kind=random.choice(list("abcde"), ROWS), y=random.choice(["no", "yes"], ROWS))
    found = judged(prepare(noise, "y", workspace))
    assert found.evaluation.score.low <= 0.5 <= found.evaluation.score.high
    assert found.decision.verdict == "hold"
    assert "It does not beat the baseline" in " ".join(found.decision.reasons)


def test_noise_is_called_noise_by_a_regression(workspace: Workspace) -> None:
    noise = numbers().assign(y=np.random.default_rng(8).normal(10, 3, ROWS))
    found = judged(prepare(noise, "y", workspace))
    score, baseline = found.evaluation.score, found.evaluation.baseline
    assert score.metric == "rmse"
    assert score.low <= baseline.value <= score.high
    assert score.low <= 3.0 <= score.high
    assert found.decision.verdict == "hold"


def test_parts_of_a_sum_are_left_out_and_named(workspace: Workspace, root: Path) -> None:
    prepared = prepare(pd.read_parquet(root / BIKES), "cnt", workspace)
    finding = next(one for one in prepared.leaks if one.check == "leak_equation")
    assert set(finding.columns) == {"casual", "registered"}
    assert "casual" in finding.message
    assert "registered" in finding.message
    assert not {"casual", "registered"} & {column.name for column in prepared.plan.used}
    reasons = {column.name: column.reason for column in prepared.plan.columns}
    assert all(finding.message in reasons[name] for name in ("casual", "registered"))


def test_nothing_is_tuned_on_held_out_rows(workspace: Workspace, tmp_path: Path) -> None:
    other = Workspace(home=tmp_path / "other", app=workspace.app, ports=workspace.ports)
    other.home.mkdir()
    shutil.copyfile(workspace.home / "penstock.db", other.home / "penstock.db")
    make_folders(other)
    random = np.random.default_rng(4)
    table = numbers().assign(kind=random.choice(list("abcde"), ROWS))
    often = (table["x0"] + random.normal(size=ROWS) > 0.8).to_numpy()
    wanted = Wanted(trials=2, families=("linear",), metric="f1")

    first = prepare(table.assign(y=np.where(often, "yes", "no")), "y", workspace, wanted)
    held = first.assignment == HOLDOUT
    second = prepare(table.assign(y=np.where(often ^ held, "yes", "no")), "y", other, wanted)
    assert held.sum() > ROWS / 10
    assert (second.assignment == first.assignment).all()
    assert second.plan.columns == first.plan.columns
    (_, _, one), (_, _, two) = fitted(first), fitted(second)
    assert one.family == two.family == "linear"
    assert one.parameters == two.parameters
    assert one.calibration == two.calibration
    assert one.signature == two.signature
    assert one.signature.threshold not in {None, 0.5}
    assert one.out_of_fold == two.out_of_fold
    assert graph(one, workspace) == graph(two, other)


def test_without_a_holdout_the_out_of_fold_score_is_shown_and_said_to_be_one(workspace: Workspace) -> None:
    table = numbers()
    table["answer"] = np.where(table.iloc[:, 0] + np.random.default_rng(3).normal(size=len(table)) > 0, "yes", "no")
    found = judged(prepare(table, "answer", workspace, Wanted(families=("linear",), trials=2, holdout=0.0)))
    assert found.evaluation.side == "out_of_fold"
    assert found.evaluation.score.low > 0.6
    assert "out-of-fold" in found.decision.reasons[0]


def graph(model: FittedModel, workspace: Workspace) -> bytes:
    """Return the graph of everything in a fitted model that was learnt: encoding, weights, calibration."""
    loaded: Any = frames.load_model(model.digest, workspace)
    assert isinstance(loaded, TrainedModel)
    return loaded.to_onnx()
