"""One run of the comparison, and the report of what is kept."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from penstock.demo.generator import make_table
from tests.bench.automl_parts import peers, running, sets
from tests.bench.automl_parts.keeping import Results
from tests.bench.automl_parts.sets import Split

ROOT = Path(__file__).resolve().parents[3]


def small_split() -> Split:
    """Return 300 customers to learn from and 100 to score."""
    frame = make_table(400).frame
    target = np.asarray(frame["churned"].iloc[300:] == "yes", dtype=np.float64)
    parts = (frame.iloc[:300].reset_index(drop=True), frame.iloc[300:].reset_index(drop=True))
    return Split("churn", "binary", "roc_auc", "churned", *parts, ("no", "yes"), target)


def job(system: str, folder: Path) -> running.Job:
    return running.Job(system, 5.0, 1, 7, peers.python_of(system, folder), folder / "run.log")


def test_a_run_tells_its_scores_and_what_it_took(tmp_path: Path) -> None:
    found = running.run(job("lightgbm", tmp_path), small_split())
    assert "error" not in found
    assert 0.4 < found["scores"]["roc_auc"] <= 1.0
    assert found["latency_ms"] > 0
    assert found["fit_seconds"] < found["wall_seconds"]


def test_a_run_that_fails_says_why(tmp_path: Path) -> None:
    found = running.run(job("unheard_of", tmp_path), small_split())
    assert found["error"] == "ended with 1: KeyError: 'unheard_of'"


def test_predictions_of_another_shape_are_no_scores() -> None:
    assert "error" in running.scores(small_split(), np.ones((100, 3)))
    assert "error" in running.scores(small_split(), np.full((100, 2), np.nan))


def test_classes_are_told_positive_last_and_columns_that_tell_too_much_left_out(shared_data: Path) -> None:
    split = sets.load("telco_churn", 7, shared_data)
    assert split.classes == ("No", "Yes")
    assert "customerID" not in split.train
    assert len(split.test) == int(0.3 * 7043)
    again = sets.load("telco_churn", 7, shared_data)
    assert again.test.equals(split.test)


@pytest.mark.usefixtures("shared_data")
def test_the_report_of_kept_results_ends_with_its_measures(tmp_path: Path) -> None:
    kept = Results(tmp_path / "results.jsonl")
    took = {"seconds": 60.0, "cores": 2, "fit_seconds": 58.0, "latency_ms": 5.0, "peak_mb": 400, "version": "1"}
    for system, auc in (("penstock", 0.85), ("flaml", 0.84)):
        kept.add({"set": "telco_churn", "seed": 7, "system": system, "scores": {"roc_auc": auc}, **took})
    asked = ["--sets", "telco_churn", "--systems", "penstock", "flaml", "--seeds", "7"]
    done = subprocess.run(
        [sys.executable, "tests/bench/automl.py", "--report", "--results", str(kept.path), *asked],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"},
        capture_output=True,
        text=True,
        check=True,
        timeout=100,
    )
    assert "We lose on no set." in done.stdout
    measures = json.loads(done.stdout.splitlines()[-1])
    assert measures["average rank"]["met"]
    assert measures["comparisons won against flaml"]["value"] == 1.0
