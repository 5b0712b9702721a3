"""From a project file to a model: what a person asked for arrives in every step."""

import hashlib
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from penstock.data import ingestion, splitting
from penstock.domain.models import Bundle, FittedModel
from penstock.domain.search import SearchResult
from penstock.domain.workspace import Workspace
from penstock.errors import NotFound
from penstock.evaluation.gates import limit_gates
from penstock.features.embeddings import model_digest
from penstock.search import steps
from penstock.search.loading import former_best
from penstock.serving.bundle import bundle
from penstock.spec import ProjectSpec
from penstock.store import frames, trainings
from tests.unit.features.test_embeddings import notes, write_model
from tests.unit.search.test_control import MINE
from tests.unit.search.test_costs import make_spec


def trained(spec: ProjectSpec, workspace: Workspace) -> tuple[SearchResult, FittedModel, Bundle]:
    dataset = ingestion.ingest(spec, workspace)
    split = splitting.split(dataset, None, spec, workspace)
    plan = steps.plan(split, (), spec, workspace)
    training = trainings.begin_training("toy", dataset.digest, spec.model_dump_json(), workspace)
    result = steps.search(training, split, plan, spec, workspace)
    model = steps.fit(training, result, split, spec, workspace)
    served = bundle(model, split, spec, workspace)
    trainings.end_training(training, workspace)
    return result, model, served


def test_a_limit_is_kept_from_the_project_file_to_the_gate(workspace: Workspace, tmp_path: Path) -> None:
    most = 0.02
    spec = make_spec(
        tmp_path,
        limits={"size_mb": most, "latency_ms": 50, "flops": 10_000},
        families={"include": ["lightgbm", "linear"]},
        budget={"seconds": 60, "trials": 5},
    )
    result, _, served = trained(spec, workspace)
    assert any(trial.over for trial in result.trials)
    assert served.size_mb <= most
    gates = limit_gates(served, spec)
    assert [gate.name for gate in gates] == ["limit size_mb", "limit latency_ms", "limit flops"]
    assert all(gate.held for gate in gates)


def test_an_estimator_of_ones_own_is_served_without_its_file(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(MINE, encoding="utf-8")
    own = {"graphed": "mine.py:Graphed", "nearest": "mine.py:Nearest"}
    spaces = {"nearest": {"shrink": [0.0, 0.5]}}
    spec = make_spec(tmp_path, families={"include": ["baseline"], "own": own, "spaces": spaces})
    spec = spec.model_copy(update={"budget": spec.budget.model_copy(update={"trials": 4})})
    result, model, served = trained(spec, workspace)
    assert {trial.family for trial in result.trials} >= {"baseline", "graphed", "nearest"}
    assert model.family == "graphed"
    assert served.certificate.held
    (tmp_path / "mine.py").unlink()
    assert frames.load_model(model.digest, workspace).to_onnx()


def test_what_words_mean_elsewhere_is_learnt_with_and_served_without_the_models_folder(
    workspace: Workspace, tmp_path: Path
) -> None:
    words, kind = notes(range(300), 600, 1)
    texts = [f"{first} and then {second} said {third} again today" for first, second, third in words]
    file = tmp_path / "notes.csv"
    pd.DataFrame({"note": texts, "bought": np.where(kind == 1, "yes", "no")}).to_csv(file, index=False)
    folder = write_model(tmp_path / "models" / "toy")
    columns = {"embeddings": "models/toy", "kinds": {"note": "text"}}
    asked = {"source": {"kind": "csv_file", "path": "notes.csv"}, "families": {"include": ["linear"]}}
    spec = make_spec(tmp_path, columns=columns, budget={"seconds": 60, "trials": 2}, **asked)
    dataset = ingestion.ingest(spec, workspace)
    split = splitting.split(dataset, None, spec, workspace)
    plan = steps.plan(split, (), spec, workspace)
    assert f"toy ({model_digest(folder)[:12]})" in plan.used[0].reason
    _, model, served = trained(spec, workspace)
    shutil.rmtree(folder)
    assert served.certificate.held
    said = frames.load_model(model.digest, workspace).predict(frames.load_table(dataset.digest, workspace))
    assert np.mean((said[:, 1] > 0.5) == (kind == 1)) > 0.95
    with pytest.raises(NotFound, match=r"columns\.embeddings"):
        steps.plan(split, (), spec, workspace)


def test_a_deterministic_project_trains_the_same_graph_twice(workspace: Workspace, tmp_path: Path) -> None:
    spec = make_spec(
        tmp_path,
        search={"deterministic": True},
        families={"include": ["linear", "lightgbm", "forest"]},
        budget={"seconds": 1, "trials": 6},
    )
    digests = []
    for _ in range(2):
        result, model, _ = trained(spec, workspace)
        digests.append(hashlib.sha256(frames.load_model(model.digest, workspace).to_onnx()).hexdigest())
        assert result.finished >= 4
    assert digests[0] == digests[1]


@pytest.mark.parametrize("exact", [False, True])
def test_a_retraining_begins_with_what_did_best_before(exact: bool, workspace: Workspace, tmp_path: Path) -> None:
    families = {"include": ["forest"], "spaces": {"forest": {"leaf_rows": [30, 60]}}}
    first, _, _ = trained(make_spec(tmp_path, families=families, budget={"seconds": 60, "trials": 5}), workspace)
    tried = [trial for trial in first.trials if trial.family == "forest" and trial.state == "finished"]
    best = max(tried, key=lambda trial: trial.score or 0.0)
    search = {"deterministic": exact}
    spec = make_spec(tmp_path, families={"include": ["forest"]}, search=search, budget={"seconds": 60, "trials": 3})
    assert former_best(spec, workspace).get("forest") == (None if exact else (best.parameters,))
    second, _, _ = trained(spec, workspace)
    configurations = [trial.parameters for trial in second.trials if trial.family == "forest"]
    assert (best.parameters in configurations) != exact
