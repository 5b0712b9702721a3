"""The step from a fitted Python model to the files that serve it."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from penstock.domain.datasets import Split
from penstock.domain.models import FittedModel
from penstock.domain.workspace import Workspace
from penstock.errors import Refused
from penstock.serving.bundle import bundle
from penstock.serving.scoring import answer
from penstock.serving.session import LoadedBundle
from penstock.spec import ProjectSpec, Source
from penstock.store import artifacts, frames
from tests.unit.serving.stand_in import Line, signature

ROWS = 300


def table(problem: str = "binary") -> pd.DataFrame:
    rng = np.random.default_rng(7)
    target: Any = pd.Series(rng.choice(["no", "yes"], ROWS), dtype="str")
    return pd.DataFrame(
        {
            "age": rng.integers(18, 90, ROWS),
            "income": np.where(rng.random(ROWS) < 0.1, np.nan, rng.normal(1000, 500, ROWS)),
            "plan": pd.Series(rng.choice(["gold", "silver"], ROWS), dtype="str").where(rng.random(ROWS) > 0.1),
            "churned": target if problem == "binary" else rng.normal(size=ROWS),
        }
    )


def material(workspace: Workspace, tmp_path: Path, model: Line) -> tuple[FittedModel, Split, ProjectSpec]:
    digest = frames.save_table(table(model.problem), workspace)
    assignment = np.where(np.arange(ROWS) < 60, -1, np.arange(ROWS) % 5).astype(np.int8)
    assignment[-1] = -2
    each = frames.save_array(np.arange(ROWS, dtype=np.uint64), workspace)
    split = Split(
        "churn", digest, "hash", ("age",), frames.save_array(assignment, workspace), each, each, 5,
        time_ordered=False, train_rows=239, holdout_rows=60, unused_rows=1, grouped=False, cut=None, reason="test",
    )  # fmt: skip
    fitted = FittedModel(
        "churn", frames.save_model(model, workspace), digest, "plan", "linear", {}, signature(model.problem), each,
        each, "none", 0.1,
    )  # fmt: skip
    spec = ProjectSpec(name="churn", source=Source(kind="csv_file", path="x.csv"), target="churned")
    return fitted, split, spec.model_copy(update={"path": tmp_path / "churn.yaml"})


@pytest.mark.parametrize("problem", ["binary", "regression"])
def test_a_bundle_answers_as_its_model(workspace: Workspace, tmp_path: Path, problem: str) -> None:
    model = Line(problem)
    fitted, split, spec = material(workspace, tmp_path, model)
    made = bundle(fitted, split, spec, workspace)
    assert made.certificate.held
    assert made.certificate.rows > 60
    assert made.parameters == 3
    assert 0 < made.size_mb < 1
    assert made.latency_ms > 0
    folder = artifacts.local_folder(made.digest, workspace)
    assert {file.name for file in folder.iterdir()} == {
        "graph.onnx", "signature.json", "schema.json", "certificate.json", "examples.json",
    }  # fmt: skip
    loaded = LoadedBundle.open(folder)
    assert loaded.signature == fitted.signature
    frame = table(problem)
    scores = loaded.predict_columns({str(name): frame[name].to_numpy() for name in frame})
    python = model.predict(frame).reshape(ROWS, -1)
    assert np.abs(scores - python).max() < 1e-6


def test_the_examples_are_answered_as_they_say(workspace: Workspace, tmp_path: Path) -> None:
    made = bundle(*material(workspace, tmp_path, Line()), workspace)
    folder = artifacts.local_folder(made.digest, workspace)
    examples = json.loads((folder / "examples.json").read_text())
    assert len(examples["rows"]) == 20
    assert LoadedBundle.open(folder).predict_rows(examples["rows"]) == examples["predictions"]
    assert any(row["plan"] is None or row["income"] is None for row in examples["rows"])


def test_the_same_model_gives_the_same_bundle(workspace: Workspace, tmp_path: Path) -> None:
    given = material(workspace, tmp_path, Line())
    assert bundle(*given, workspace).digest == bundle(*given, workspace).digest
    assert not [folder for folder in workspace.home.iterdir() if folder.name.startswith("tmp")]


def test_a_graph_that_answers_otherwise_is_refused_with_its_worst_rows(workspace: Workspace, tmp_path: Path) -> None:
    with pytest.raises(Refused, match="must answer as the Python model does") as refused:
        bundle(*material(workspace, tmp_path, Line(graph_weights=(0.03, 0.0005, 1.0))), workspace)
    assert len(refused.value.details) == 10
    assert "in Python" in refused.value.details[0]
    assert "`penstock train churn` searches anew with another seed" in refused.value.message
    assert "`families: {exclude: [linear]}`" in refused.value.message


def test_without_held_out_rows_the_training_rows_are_compared(workspace: Workspace, tmp_path: Path) -> None:
    fitted, split, spec = material(workspace, tmp_path, Line())
    everything = frames.save_array(np.zeros(ROWS, np.int8), workspace)
    made = bundle(fitted, replace(split, assignment=everything), spec, workspace)
    assert made.certificate.rows > ROWS


@pytest.mark.parametrize("problem", ["binary", "regression"])
def test_held_out_rows_are_answered_with_their_targets(workspace: Workspace, tmp_path: Path, problem: str) -> None:
    model = Line(problem)
    fitted, split, spec = material(workspace, tmp_path, model)
    made = answer(bundle(fitted, split, spec, workspace), split, "holdout", workspace)
    said = frames.load_table(made.digest, workspace)
    assert (made.rows, len(said)) == (60, 60)
    frame = table(problem).head(60)
    assert said["row"].tolist() == list(range(60))
    assert said["digest"].dtype == np.uint64
    assert said["time"].isna().all()
    if problem == "regression":
        assert np.allclose(said["target"], frame["churned"])
        assert np.allclose(said["prediction"], model.predict(frame), atol=1e-5)
    else:
        assert said["target"].tolist() == [["no", "yes"].index(value) for value in frame["churned"]]
        assert np.allclose(said[["p0", "p1"]], model.predict(frame), atol=1e-6)


def test_a_table_without_a_needed_column_is_not_answered(workspace: Workspace, tmp_path: Path) -> None:
    fitted, split, spec = material(workspace, tmp_path, Line())
    made = bundle(fitted, split, spec, workspace)
    needed = [column.name for column in fitted.signature.decoding.columns if column.required]
    gone = frames.save_table(frames.load_table(split.dataset, workspace).drop(columns=needed), workspace)
    answered = answer(made, replace(split, dataset=gone), "holdout", workspace)
    assert (answered.rows, answered.digest, answered.lacks) == (0, "", tuple(needed))


def test_a_column_of_another_type_is_read_in_the_version_s_own(workspace: Workspace, tmp_path: Path) -> None:
    fitted, split, spec = material(workspace, tmp_path, Line())
    made = bundle(fitted, split, spec, workspace)
    frame = frames.load_table(split.dataset, workspace)
    texts = replace(split, dataset=frames.save_table(frame.assign(age=frame["age"].astype("str")), workspace))
    expected = answer(made, split, "holdout", workspace)
    assert answer(made, texts, "holdout", workspace).digest == expected.digest
    frame["age"] = frame["age"].astype("str").where(frame.index > 0, "old")
    assert answer(made, replace(split, dataset=frames.save_table(frame, workspace)), "holdout", workspace).lacks


def test_rows_that_train_are_the_other_side(workspace: Workspace, tmp_path: Path) -> None:
    fitted, split, spec = material(workspace, tmp_path, Line())
    assert answer(bundle(fitted, split, spec, workspace), split, "train", workspace).rows == 239
