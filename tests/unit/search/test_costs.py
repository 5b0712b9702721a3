"""Costs decide which model is chosen and where it cuts, not only what a report says."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from penstock.data import ingestion, splitting
from penstock.domain.models import FittedModel
from penstock.domain.search import SearchResult
from penstock.domain.workspace import Workspace
from penstock.evaluation.metrics import Choosing, chosen
from penstock.search import steps
from penstock.search.model.scoring import Scoring
from penstock.search.wishes import asked
from penstock.spec import ProjectSpec
from penstock.store import frames, trainings

ROWS = 900
DEAR = np.array([[0.0, 1.0], [50.0, 0.0]])

TWO_EYES = """
import numpy as np
from penstock.models.baseline import Baseline, ConstantEstimator

class Eye(ConstantEstimator):
    def predict(self, x):
        seen = x[:, self.column]
        share = np.where(seen > 1, self.high, np.where(seen < -1, self.low, 0.5))
        return np.column_stack([1 - share, share])

class Tops(Eye):
    '''Sees the clear buyers: right where it matters little.'''
    column, low, high = 0, 0.45, 0.999

class Bottoms(Eye):
    '''Sees the clear refusals: it alone says which rows need no call.'''
    column, low, high = 1, 0.001, 0.55

def family(title, estimator):
    def build(self, parameters, context):
        return estimator(context.classes)
    return type(title.title(), (Baseline,), {"name": title, "build": build, "__module__": __name__})

TopsFamily, BottomsFamily = family("tops", Tops), family("bottoms", Bottoms)
"""


@pytest.fixture
def eyes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Install two families: one tells sure buyers apart, the other sure refusals, fewer of them."""
    folder = tmp_path / "elsewhere"
    described = folder / "eyes-1.0.dist-info"
    described.mkdir(parents=True)
    (folder / "eyes.py").write_text(TWO_EYES, encoding="utf-8")
    (described / "METADATA").write_text("Metadata-Version: 2.1\nName: eyes\nVersion: 1.0\n", encoding="utf-8")
    points = "tops = eyes:TopsFamily\nbottoms = eyes:BottomsFamily\n"
    (described / "entry_points.txt").write_text(f"[penstock.models]\n{points}", encoding="utf-8")
    monkeypatch.syspath_prepend(folder)


def make_spec(folder: Path, **settings: object) -> ProjectSpec:
    draw = np.random.default_rng(5)
    kind = draw.choice(["top", "bottom", "mixed"], ROWS, p=[0.45, 0.25, 0.3])
    bought = np.where(kind == "top", 1, np.where(kind == "bottom", 0, draw.integers(0, 2, ROWS)))
    frame = pd.DataFrame(
        {
            "a": np.where(kind == "top", 3.0, 0.0) + draw.normal(size=ROWS) / 100,
            "b": np.where(kind == "bottom", -3.0, 0.0) + draw.normal(size=ROWS) / 100,
            "bought": np.where(bought == 1, "yes", "no"),
        }
    )
    frame.to_csv(folder / "toy.csv", index=False)
    given = {
        "name": "toy",
        "source": {"kind": "csv_file", "path": "toy.csv"},
        "target": "bought",
        "problem": "binary",
        "positive": "yes",
        "budget": {"seconds": 60, "trials": 2},
        "path": folder / "toy.yaml",
        **settings,
    }
    return ProjectSpec.model_validate(given)


def trained(spec: ProjectSpec, workspace: Workspace) -> tuple[SearchResult, FittedModel]:
    dataset = ingestion.ingest(spec, workspace)
    split = splitting.split(dataset, None, spec, workspace)
    plan = steps.plan(split, (), spec, workspace)
    training = trainings.begin_training("toy", dataset.digest, spec.model_dump_json(), workspace)
    result = steps.search(training, split, plan, spec, workspace)
    return result, steps.fit(training, result, split, spec, workspace)


@pytest.mark.parametrize("metric", [None, "cost", "roc_auc"])
def test_a_cost_matrix_changes_the_threshold_and_what_rows_are_called(
    metric: str | None, workspace: Workspace, tmp_path: Path
) -> None:
    costs = {"false_negative": 9, "false_positive": 1}
    spec = make_spec(tmp_path, metric=metric, costs=costs, families={"include": ["linear"]})
    result, model = trained(spec, workspace)
    assert result.metric == "cost"
    assert model.signature.threshold == pytest.approx(0.1)


def test_a_full_matrix_of_three_classes_reaches_the_served_signature(workspace: Workspace, tmp_path: Path) -> None:
    costs = {"no": {"yes": 1, "maybe": 2}, "yes": {"no": 30, "maybe": 3}, "maybe": {"no": 1, "yes": 1}}
    spec = make_spec(tmp_path, problem="multiclass", positive=None, costs=costs, families={"include": ["linear"]})
    frame = pd.read_csv(tmp_path / "toy.csv")
    frame.loc[::7, "bought"] = "maybe"
    frame.to_csv(tmp_path / "toy.csv", index=False)
    result, model = trained(spec, workspace)
    assert result.metric == "cost"
    assert model.signature.classes == ("maybe", "no", "yes")
    assert [list(row) for row in model.signature.costs] == [[0, 1, 1], [2, 0, 1], [3, 30, 0]]
    out_of_fold = frames.load_table(model.out_of_fold, workspace)[["p0", "p1", "p2"]].to_numpy()
    scoring = Scoring("cost", np.zeros(1), np.zeros(1), 3, np.array(model.signature.costs))
    assert scoring.calls
    called = out_of_fold @ np.array(model.signature.costs)
    assert np.mean(called.argmin(axis=1) == 2) > np.mean(out_of_fold.argmax(axis=1) == 2)


@pytest.mark.usefixtures("eyes")
def test_another_matrix_lets_another_model_win(workspace: Workspace, tmp_path: Path) -> None:
    families = {"include": ["tops", "bottoms"]}
    wins = {}
    for name, costs in {
        "a missed buyer": {"false_negative": 50, "false_positive": 1},
        "a false alarm": {"false_negative": 1, "false_positive": 50},
    }.items():
        spec = make_spec(tmp_path, costs=costs, families=families, budget={"seconds": 60, "trials": 3})
        result, model = trained(spec, workspace)
        wins[name] = (result.best.family, round(model.signature.threshold or 0.0, 6))
    assert wins["a missed buyer"] == ("bottoms", round(1 / 51, 6))
    assert wins["a false alarm"] == ("tops", round(50 / 51, 6))


def test_what_is_chosen_is_scored_by_probabilities_as_they_are_served() -> None:
    draw = np.random.default_rng(2)
    share = draw.uniform(size=4000)
    target = (draw.uniform(size=4000) < share).astype(np.int64)
    bold = 1 / (1 + (1 / share - 1) ** 4)  # the same ranking, four times too sure
    fold = np.arange(4000) % 5
    sides = [fold == place for place in range(5)]
    scoring = Scoring("cost", target, fold, 2, DEAR)
    plain, sure = (np.column_stack([1 - one, one]) for one in (share, bold))
    assert np.mean(scoring.scores(sure, sides)) == pytest.approx(np.mean(scoring.scores(plain, sides)), rel=0.05)
    raw = -DEAR[target, chosen(sure, Choosing(costs=DEAR))].mean()
    assert np.mean(scoring.scores(sure, sides)) > raw + 0.05


def test_f1_is_scored_at_the_cut_that_will_be_served() -> None:
    draw = np.random.default_rng(2)
    share = draw.uniform(0, 0.45, size=4000)  # rare: no row is more likely than not
    target = (draw.uniform(size=4000) < share).astype(np.int64)
    fold = np.arange(4000) % 5
    scores = Scoring("f1", target, fold, 2).scores(np.column_stack([1 - share, share]), [fold == 0, fold == 1])
    assert min(scores) > 0.4


def test_the_objective_is_the_metric_where_nothing_costs(tmp_path: Path) -> None:
    assert asked.objective_of("binary", make_spec(tmp_path)) == "roc_auc"
    assert asked.objective_of("binary", make_spec(tmp_path, metric="f1")) == "f1"
