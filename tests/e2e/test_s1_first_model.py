"""S1: from a CSV to a served prediction in one command."""

import subprocess
from typing import Any

import pandas as pd
import pytest

from tests.stranger import Stranger, ask, rows_of

ROWS = 100


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
    assert stranger.penstock("predict", "churn", "rows.csv", "-o", "out.csv").code == 0
    offline = pd.read_csv(stranger.folder / "out.csv")
    python = python_answers(stranger, first["version"], sample)
    classes = list(online["predictions"][0]["probabilities"])
    for name in classes:
        served = pd.Series([each["probabilities"][name] for each in online["predictions"]])
        assert (served - offline[f"probability_{name}"]).abs().max() < 1e-6
        assert (served - python[name]).abs().max() < 1e-3


def python_answers(stranger: Stranger, version: str, sample: pd.DataFrame) -> pd.DataFrame:
    """Return what the fitted Python model says of rows: classes as columns."""
    from pathlib import Path

    from penstock.domain.workspace import Workspace
    from penstock.store import frames, records

    workspace = Workspace(home=Path(stranger.environment["PENSTOCK_HOME"]), app=Path.cwd())
    model = frames.load_model(records.find_version("churn", version, workspace).model, workspace)
    said = model.predict(sample.reset_index(drop=True))
    return pd.DataFrame(said, columns=[str(name) for name in model.signature.classes])


def test_a_second_run_on_the_same_rows_leaves_production_alone(stranger: Stranger, first: dict[str, Any]) -> None:
    second = stranger.answer("run", "churn.csv", "--target", "churned", "--seconds", 8)  # CI's short round
    assert second["decision"]["verdict"] == "hold"
    assert "not better" in " ".join(second["decision"]["reasons"])
    assert second["version"] != first["version"]
    status = stranger.answer("status")
    project = next(each for each in status["projects"] if each["name"] == "churn")
    assert project["champion"] == first["version"]
    assert project["weights"] == {first["version"]: 100.0}
