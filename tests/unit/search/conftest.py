"""Small tables to search, and families of another package that misbehave in a chosen way."""

from pathlib import Path

import numpy as np
import pytest

from penstock.data.decoding import compile_decoding
from penstock.domain.features import ColumnPlan, FeaturePlan
from penstock.domain.search import Budget, SearchSettings, Slot
from penstock.models._base import ModelFamily
from penstock.plugins import find_plugins
from penstock.search.encoding import TrainingRows
from penstock.search.work import Work

ROWS = 400
FOLDS = 3

MISCHIEF = """
import os
import time
import numpy as np
from penstock.domain.search import Whole
from penstock.models.baseline import Baseline, ConstantEstimator

class Eater(ConstantEstimator):
    def fit(self, x, y, valid=None, weight=None):
        self.eaten = [np.ones(20_000_000) for _ in range(40) if not time.sleep(0.02)]
        return super().fit(x, y)

class Sleeper(ConstantEstimator):
    def fit(self, x, y, valid=None, weight=None):
        time.sleep(60)

class Grabber(ConstantEstimator):
    def fit(self, x, y, valid=None, weight=None):
        self.grabbed = np.ones(2_000_000_000)

class Leaver(ConstantEstimator):
    def fit(self, x, y, valid=None, weight=None):
        os._exit(3)

class Stumbler(ConstantEstimator):
    def fit(self, x, y, valid=None, weight=None):
        raise ValueError("this family stumbles")

class Mortal(Baseline):
    name = "mortal"
    problems = frozenset({"binary"})

    def default(self, problem, rows, features):
        return {"shade": 1}

    def portfolio(self, problem, rows, features):
        return ({"shade": 2}, {"shade": 3})

    def space(self, problem, rows, features):
        return {"binary": {"shade": Whole(1, 9)}}[problem]

    def build(self, parameters, context):
        return (Leaver if parameters["shade"] == 2 else ConstantEstimator)(context.classes)

def family(title, estimator):
    def build(self, parameters, context):
        return estimator(context.classes)
    return type(title.title(), (Baseline,), {"name": title, "build": build, "__module__": __name__})

Hungry, Endless = family("hungry", Eater), family("endless", Sleeper)
Quitter, Clumsy = family("quitter", Leaver), family("clumsy", Stumbler)
Greedy = family("greedy", Grabber)
"""


def make_rows(*, time_ordered: bool = False, problem: str = "binary", rows: int = ROWS) -> TrainingRows:
    """Return a table of two numbers and a category, the first number deciding the target with some noise."""
    draw = np.random.default_rng(0)
    x, other = draw.normal(size=rows), draw.normal(size=rows)
    colour = draw.choice(["red", "green", "blue"], rows)
    columns = (
        ColumnPlan("x", "number", "number", "a number"),
        ColumnPlan("other", "number", "number", "a number"),
        ColumnPlan("colour", "string", "category", "a category", levels=("blue", "green", "red")),
    )
    plan = FeaturePlan("toy", "dataset", "plan", columns)
    numbers, texts = compile_decoding(plan.decoding).columns({"x": x, "other": other, "colour": colour})
    value = 2 * x + (colour == "red") + draw.normal(size=rows)
    fold = np.sort(np.arange(rows) % (FOLDS + 1) - 1).astype(np.int8) if time_ordered else np.arange(rows) % FOLDS
    return TrainingRows(
        numbers=numbers,
        texts=texts,
        target=value if problem == "regression" else (value > 0).astype(np.int64),
        fold=np.where(fold == -1, -3, fold).astype(np.int8),
        group=draw.integers(0, 2**63, rows).astype(np.uint64),
        plan=plan,
        problem="regression" if problem == "regression" else "binary",
        classes=0 if problem == "regression" else 2,
        folds=FOLDS,
        time_ordered=time_ordered,
        name="toy",
    )


def make_work(folder: Path, *names: str, seconds: float = 60, trials: int | None = 2, memory_mb: int = 900) -> Work:
    """Return a search of some families on one slot."""
    known = find_plugins("penstock.models", ModelFamily)
    rows = make_rows()
    return Work(
        rows=rows,
        families={name: known[name]() for name in ("baseline", *names)},
        settings=SearchSettings("roc_auc", Budget(seconds, trials)),
        folder=folder,
        slots=(Slot(0, (0,), memory_mb),),
    )


@pytest.fixture
def mischief(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Install a package of families that misbehave, for this process and the slots'."""
    folder = tmp_path / "elsewhere"
    described = folder / "mischief-1.0.dist-info"
    described.mkdir(parents=True)
    (folder / "mischief.py").write_text(MISCHIEF, encoding="utf-8")
    (described / "METADATA").write_text("Metadata-Version: 2.1\nName: mischief\nVersion: 1.0\n", encoding="utf-8")
    names = ("Hungry", "Endless", "Quitter", "Clumsy", "Greedy", "Mortal")
    points = "\n".join(f"{name.lower()} = mischief:{name}" for name in names)
    (described / "entry_points.txt").write_text(f"[penstock.models]\n{points}\n", encoding="utf-8")
    monkeypatch.syspath_prepend(folder)
