"""S10: two gigabytes of memory, one candidate that is huge, one that says it is not, and one that hangs."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.confined import Confined, run_confined

MISCHIEF = """
import time
import numpy as np
from penstock.models._base import Needs
from penstock.models.baseline import Baseline, ConstantEstimator

class Eater(ConstantEstimator):
    def fit(self, x, y, valid=None, weight=None):
        self.eaten = [np.ones(12_000_000) for _ in range(1_000) if not time.sleep(0.01)]
        return super().fit(x, y)

class Sleeper(ConstantEstimator):
    def fit(self, x, y, valid=None, weight=None):
        time.sleep(3600)

class Giant(Baseline):
    name = "giant"
    def needs(self, rows, features, classes):
        return Needs(memory_mb=9_000, seconds=1)

class Hungry(Baseline):
    name = "hungry"
    def build(self, parameters, context):
        return Eater(context.classes)

class Endless(Baseline):
    name = "endless"
    def build(self, parameters, context):
        return Sleeper(context.classes)
"""
NAMES = ("Giant", "Hungry", "Endless")


def install_mischief(folder: Path) -> Path:
    """Write the package of those families where a path of Python's finds it."""
    described = folder / "mischief-1.0.dist-info"
    described.mkdir(parents=True)
    (folder / "mischief.py").write_text(MISCHIEF, encoding="utf-8")
    (described / "METADATA").write_text("Metadata-Version: 2.1\nName: mischief\nVersion: 1.0\n", encoding="utf-8")
    points = "\n".join(f"{name.lower()} = mischief:{name}" for name in NAMES)
    (described / "entry_points.txt").write_text(f"[penstock.models]\n{points}\n", encoding="utf-8")
    return folder


def search(root: Path, folder: Path, rows: int, seconds: float, limit_mb: int) -> tuple[Confined, dict[str, Any]]:
    """Search in a process of its own within a limit; return what was seen and what it told."""
    path = ":".join([str(install_mischief(folder / "package")), str(root / "src"), str(root)])
    program = [sys.executable, str(root / "tests/integration/s10_program.py"), str(folder / "search")]
    asked = [str(rows), str(seconds), str(limit_mb / 1024)]
    seen = run_confined([*program, *asked], {"PYTHONPATH": path, "PATH": "/usr/bin:/bin"}, limit_mb, seconds + 60)
    print(f"held within {limit_mb} MB by {seen.by}; at most {seen.most_mb} MB")  # noqa: T201  the scenario asks which
    assert seen.code == 0, seen.err[-3000:]
    told: dict[str, Any] = json.loads(seen.out.splitlines()[-1])
    return seen, told


def trial_of(told: dict[str, Any], family: str) -> dict[str, Any]:
    found: dict[str, Any] = next(trial for trial in told["trials"] if trial["family"] == family)
    return found


def check(seen: Confined, told: dict[str, Any], seconds: float) -> None:
    """See what the scenario wants to be seen."""
    assert told["trials"][0]["family"] == "baseline"
    assert told["trials"][0]["state"] == "finished"
    giant, hungry, endless = (trial_of(told, name) for name in ("giant", "hungry", "endless"))
    assert giant["state"] == "skipped"
    assert "predicted memory" in giant["reason"]
    assert "more than the slot's" in giant["reason"]
    assert hungry["state"] == "failed"
    assert hungry["mark"] in {"over memory", "over deadline"}  # on a busy machine it takes too long to take too much
    assert (endless["state"], endless["mark"]) == ("failed", "over deadline")
    assert told["best"] not in {"giant", "hungry", "endless"}
    assert len(told["answers"]) == 3
    assert told["took"] <= seconds + max(3.0, 0.05 * seconds)
    assert any(reason.startswith("memory of ") for reason in told["reasons"])
    assert seen.killed == 0  # nothing was ended but by the search itself
    assert seen.left == []


def test_a_search_that_is_short_of_memory_finds_fewer_models_and_lives(root: Path, tmp_path: Path) -> None:
    seen, told = search(root, tmp_path, rows=20_000, seconds=25, limit_mb=2_048)
    check(seen, told, 25)


@pytest.mark.full
def test_two_gigabytes_are_enough_for_200_000_rows_of_60_columns(root: Path, tmp_path: Path) -> None:
    seen, told = search(root, tmp_path, rows=200_000, seconds=60, limit_mb=2_048)
    check(seen, told, 60)
    assert trial_of(told, "hungry")["mark"] == "over memory"
    assert told["best"] != "baseline"
