from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from penstock.data import ingestion, splitting
from penstock.domain.workspace import Workspace
from penstock.errors import SpecError
from penstock.search import steps
from penstock.spec import Gates, ProjectSpec
from penstock.store import frames, trainings


def make_spec(folder: Path) -> ProjectSpec:
    draw = np.random.default_rng(3)
    x, colour = draw.normal(size=600), draw.choice(["red", "green", "blue"], 600)
    bought = np.where(2 * x + (colour == "red") + draw.normal(size=600) > 0, "yes", "no")
    pd.DataFrame({"x": x, "colour": colour, "bought": bought}).to_csv(folder / "toy.csv", index=False)
    return ProjectSpec.model_validate(
        {
            "name": "toy",
            "source": {"kind": "csv_file", "path": "toy.csv"},
            "target": "bought",
            "problem": "binary",
            "positive": "yes",
            "costs": {"false_negative": 4, "false_positive": 1},
            "budget": {"seconds": 60, "trials": 2},
            "families": {"include": ["linear"]},
            "path": folder / "toy.yaml",
        }
    )


def test_from_a_split_to_a_fitted_model_that_steps_give_again(workspace: Workspace, tmp_path: Path) -> None:
    spec = make_spec(tmp_path)
    dataset = ingestion.ingest(spec, workspace)
    split = splitting.split(dataset, None, spec, workspace)
    plan = steps.plan(split, (), spec, workspace)
    assert plan == steps.plan(split, (), spec, workspace)
    training = trainings.begin_training("toy", dataset.digest, "spec", workspace)
    result = steps.search(training, split, plan, spec, workspace)
    assert result == steps.search(training, split, plan, spec, workspace)
    assert (result.best.family, result.finished) == ("linear", 2)
    fitted = steps.fit(training, result, split, spec, workspace)
    assert fitted == steps.fit(training, result, split, spec, workspace)
    assert fitted.signature.classes == ("no", "yes")
    assert fitted.signature.threshold == 0.2  # where a missed row costs four times a false alarm
    table = frames.load_table(dataset.digest, workspace)
    out_of_fold = frames.load_table(fitted.out_of_fold, workspace)
    assert len(out_of_fold) == split.train_rows == len(frames.load_array(fitted.training_rows, workspace))
    model = frames.load_model(fitted.digest, workspace)
    predicted = model.predict(table)
    assert np.mean((predicted[:, 1] > 0.5) == (table["bought"] == "yes")) > 0.8
    assert np.allclose(predicted.sum(axis=1), 1)
    assert model.to_onnx()


def test_a_case_file_that_cannot_be_read_is_refused_before_the_search(workspace: Workspace, tmp_path: Path) -> None:
    spec = make_spec(tmp_path)
    spec = spec.model_copy(update={"gates": Gates(cases="cases.csv")})
    split = splitting.split(ingestion.ingest(spec, workspace), None, spec, workspace)
    (tmp_path / "cases.csv").write_text("x,colour,expected\n1,red,yes\none,red,no\n")
    with pytest.raises(SpecError, match="line 3: `x` must be a number, but is 'one'"):
        steps.plan(split, (), spec, workspace)
    (tmp_path / "cases.csv").write_text("x,colour,expected\n1,red,yes\n")
    steps.plan(split, (), spec, workspace)


def test_after_a_model_that_cannot_be_served_another_seed_searches(workspace: Workspace, tmp_path: Path) -> None:
    spec = make_spec(tmp_path)
    first = trainings.begin_training("toy", "d", "spec", workspace)
    assert steps.with_seed(first, spec, workspace) == spec
    trainings.refuse_training(first, workspace)
    second = trainings.begin_training("toy", "d", "spec", workspace)
    assert steps.with_seed(second, spec, workspace).seed == spec.seed + steps.SEEDS_APART
