"""A small world of records for the steps of evaluation: a table, a split, a fitted model and its predictions."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from sklearn.linear_model import LinearRegression, LogisticRegression

from penstock.domain.datasets import Split
from penstock.domain.evaluation import Predictions
from penstock.domain.features import Decoding, InputColumn
from penstock.domain.models import Bundle, Certificate, FittedModel, Package, Signature
from penstock.domain.workspace import Workspace
from penstock.spec import ProjectSpec, Source
from penstock.store import frames

FEATURES = ["age", "income", "plan"]
PLANS = ["basic", "pro", "team"]


@dataclass
class PlainModel:
    """A fitted model of two numbers and a category, as the search keeps one."""

    signature: Signature
    estimator: Any

    def predict(self, table: pd.DataFrame) -> NDArray[np.float64]:
        matrix = encoded(table)
        if self.signature.problem == "regression":
            return np.asarray(self.estimator.predict(matrix), dtype=np.float64)
        return np.asarray(self.estimator.predict_proba(matrix), dtype=np.float64)


@dataclass(frozen=True)
class World:
    """Records of one training, and the arrays they name."""

    spec: ProjectSpec
    split: Split
    model: FittedModel
    predictions: Predictions
    bundle: Bundle
    package: Package
    table: pd.DataFrame
    workspace: Workspace


def encoded(table: pd.DataFrame) -> NDArray[np.float64]:
    plans = [table["plan"].to_numpy() == name for name in PLANS]
    return np.column_stack([table["age"], table["income"], *plans]).astype(np.float64)


def make_table(rows: int, problem: str, seed: int = 0, noise: float = 0.5) -> pd.DataFrame:
    generator = np.random.default_rng(seed)
    age, income = generator.normal(size=rows), generator.normal(size=rows)
    plan = generator.choice(PLANS, rows, p=[0.6, 0.3, 0.1])
    signal = 2 * age + (plan == "pro") * 1.0 + noise * generator.normal(size=rows)
    target: Any = signal
    if problem == "binary":
        target = np.where(signal > 0.5, "yes", "no")
    if problem == "multiclass":
        target = np.array(["low", "mid", "high"])[np.digitize(signal, [-0.5, 1.0])]
    return pd.DataFrame({"age": age, "income": income, "plan": plan, "target": target})


def make_world(table: pd.DataFrame, workspace: Workspace, problem: str, folder: Path, **settings: Any) -> World:
    """Fit a plain model on the table's training rows and keep every record an evaluation reads."""
    rows = len(table)
    spec = ProjectSpec(
        name="churn",
        source=Source(kind="csv_file", path="churn.csv"),
        target="target",
        problem=problem,  # type: ignore[arg-type]
        path=folder / "churn.yaml",
        **{key: value for key, value in settings.items() if key not in {"groups", "times", "holdout", "weak"}},
    )
    generator = np.random.default_rng(1)
    assignment = generator.integers(0, 3, rows).astype(np.int8)
    assignment[generator.random(rows) < settings.get("holdout", 0.3)] = -1
    assignment[table["target"].isna().to_numpy()] = -2
    groups = np.asarray(settings.get("groups", np.arange(rows)), dtype=np.uint64)
    digests = np.arange(rows, dtype=np.uint64) + 1000
    split = Split(
        project="churn",
        dataset=frames.save_table(table, workspace),
        kind="hash",
        key=(),
        assignment=frames.save_array(assignment, workspace),
        groups=frames.save_array(groups, workspace),
        row_digests=frames.save_array(digests, workspace),
        folds=3,
        time_ordered=spec.time is not None,
        train_rows=int((assignment >= 0).sum()),
        holdout_rows=int((assignment == -1).sum()),
        unused_rows=int((assignment == -2).sum()),
        grouped=False,
        cut=None,
        reason="by hash",
    )
    return _trained(table, spec, split, (assignment, groups, digests), workspace)


def _trained(table: pd.DataFrame, spec: ProjectSpec, split: Split, arrays: Any, workspace: Workspace) -> World:
    assignment, groups, digests = arrays
    classes = () if spec.problem == "regression" else tuple(sorted(set(table["target"].dropna())))
    signature = Signature(
        project="churn",
        problem=spec.problem,  # type: ignore[arg-type]
        target="target",
        decoding=Decoding(
            (
                InputColumn("age", "number", "number", True),
                InputColumn("income", "number", "number", False),
                InputColumn("plan", "string", "category", False),
            )
        ),
        classes=classes,
        positive=classes.index(str(spec.positive or "yes")) if spec.problem == "binary" else None,
        threshold=0.5 if spec.problem == "binary" else None,
    )
    train = assignment >= 0
    out_of_fold = _out_of_fold(table, assignment, signature)
    fitted = PlainModel(signature, _fit(table[train], signature))
    model = FittedModel(
        project="churn",
        digest=frames.save_model(fitted, workspace),
        dataset=split.dataset,
        plan="plan",
        family="linear",
        parameters={},
        signature=signature,
        training_rows=frames.save_array(np.sort(digests[train]), workspace),
        out_of_fold=frames.save_table(out_of_fold, workspace),
        calibration="none",
        seconds=1.0,
    )
    held = np.flatnonzero(assignment == -1)
    answers = predictions_table(fitted.predict(table.iloc[held]), held, signature)
    answers["digest"], answers["group"] = digests[held], groups[held]
    answers["time"] = table[spec.time].to_numpy()[held] if spec.time else np.datetime64("NaT", "us")
    answers["target"] = coded(table["target"].iloc[held], signature)
    predictions = Predictions("churn", frames.save_table(answers, workspace), "b" * 64, split.dataset, held.size)
    certificate = Certificate(1000, 1e-6, 1e-3, 0, 0, True)
    bundle = Bundle("churn", "b" * 64, model.digest, certificate, 0.5, 0.2, 40)
    package = Package("churn", "1", "churn:1", "c" * 64, "passed", "", 2.0)
    return World(spec, split, model, predictions, bundle, package, table, workspace)


def coded(target: pd.Series, signature: Signature) -> NDArray[Any]:
    if signature.problem == "regression":
        return target.to_numpy(dtype=np.float64)
    return np.array([signature.classes.index(value) for value in target])


def predictions_table(predictions: NDArray[np.float64], rows: NDArray[Any], signature: Signature) -> pd.DataFrame:
    frame = pd.DataFrame({"row": rows})
    if signature.problem == "regression":
        return frame.assign(prediction=predictions)
    return frame.assign(**{f"p{place}": predictions[:, place] for place in range(len(signature.classes))})


def _fit(table: pd.DataFrame, signature: Signature) -> Any:
    if signature.problem == "regression":
        return LinearRegression().fit(encoded(table), table["target"])
    codes = coded(table["target"], signature)
    return LogisticRegression(max_iter=500).fit(encoded(table), codes)


def _out_of_fold(table: pd.DataFrame, assignment: NDArray[Any], signature: Signature) -> pd.DataFrame:
    parts = []
    for fold in range(3):
        rows = np.flatnonzero(assignment == fold)
        model = PlainModel(signature, _fit(table[(assignment >= 0) & (assignment != fold)], signature))
        parts.append(predictions_table(model.predict(table.iloc[rows]), rows, signature))
    return pd.concat(parts, ignore_index=True).sort_values("row", ignore_index=True)


@pytest.fixture
def binary_world(workspace: Workspace, tmp_path: Path) -> World:
    return make_world(make_table(3000, "binary"), workspace, "binary", tmp_path)
