"""Configurations of every family, measured on the folds of one table, in a process of its own for each library."""

import json
import math
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from penstock.domain.datasets import Problem
from penstock.domain.search import Choice, SearchSpace, Value, Whole
from penstock.models._base import ModelFamily
from penstock.plugins import find_plugins
from penstock.search.encoding import Encoding, TrainingRows, folds_folder
from penstock.search.machine.messages import FoldDone, Setting, TrialJob, out_of_fold_path
from penstock.search.machine.trials import Shelf, evaluate
from penstock.tabular.learning import make_rows
from tests.bench.portfolio_parts.sources import SOURCES, Source, load

DRAWN = {"lightgbm": 10, "mlp": 5, "forest": 3, "linear": 2, "knn": 2}  # besides the default and what is made by hand
LONGER: list[dict[str, Value]] = [  # no search varies the epochs, which cost time: what they are worth
    {"bends": 0, "epochs": 40},
    {"bends": 0, "epochs": 40, "dropout": 0.1},
    {"epochs": 40},
]
USUAL_ROWS, USUAL_FEATURES = 10_000, 20  # of the space that is drawn from: configurations are the same for all tables
MOST_SECONDS = 90.0  # of a trial: its fits stop by themselves
FOLDS = (0, 1)  # of five: what is wanted is the mean over many tables, not of one
SEED = 7
METRICS: dict[Problem, str] = {"binary": "log_loss", "multiclass": "log_loss", "regression": "rmse"}


def configurations(family: ModelFamily, problem: Problem) -> list[dict[str, Value]]:
    """Return what is measured of a family beside its default ({}): its portfolio by hand, and draws from its space."""
    size = (problem, USUAL_ROWS, USUAL_FEATURES)
    space = {name: one for name, one in family.space(*size).items() if name in family.default(*size)}
    by_hand = [*family.portfolio(*size), *(LONGER if family.name == "mlp" else [])]
    drawn = [_draw(space, np.random.default_rng((SEED, place))) for place in range(DRAWN.get(family.name, 0))]
    return [{}, *by_hand, *drawn]


def _draw(space: SearchSpace, random: np.random.Generator) -> dict[str, Value]:
    drawn: dict[str, Value] = {}
    for name, one in space.items():
        if isinstance(one, Choice):
            drawn[name] = one.values[int(random.integers(len(one.values)))]
        else:
            low, high = (math.log(one.low), math.log(one.high)) if one.log else (one.low, one.high)
            value = float(random.uniform(low, high))
            value = math.exp(value) if one.log else value
            drawn[name] = round(value) if isinstance(one, Whole) else float(f"{value:.3g}")
    return drawn


def measure(source: Source, library: str, folder: Path, kept: Path) -> dict[str, Any]:
    """Return each configuration's mean error on two folds, and the table's facts; predictions are kept beside.

    Parameters
    ----------
    source
        The table.
    library
        Which families: those of this compiled library, or of scikit-learn.
    folder
        Of the packages.
    kept
        Where out-of-fold predictions are kept, for ensembles to be judged without fitting again.
    """
    table = load(source, folder)
    rows = make_rows(table, SEED)
    families = {name: family() for name, family in find_plugins("penstock.models", ModelFamily).items()}
    wanted = {
        name: one for name, one in families.items() if name == "baseline" or (name in DRAWN and one.library == library)
    }
    found: dict[str, Any] = {"source": source.name, "problem": source.problem, "library": library, "errors": {}}
    arrays: dict[str, Any] = {"target": rows.target, "fold": rows.fold}
    with tempfile.TemporaryDirectory(prefix="penstock-portfolio-") as study:
        shelf, features = _encoded(rows, wanted, Path(study))
        for name, family in wanted.items():
            size = (rows.problem, len(rows.target), features[family.flavour])
            if family.refusal(*size) is None:
                found["errors"][name] = []
                for place, one in enumerate(configurations(family, rows.problem)):
                    error, out = _error(family, {**family.default(*size), **one}, shelf, place)
                    found["errors"][name].append(error)
                    arrays[f"{name}-{place}"] = out
    np.savez(kept, **arrays)
    return found


def _encoded(rows: TrainingRows, wanted: dict[str, ModelFamily], study: Path) -> tuple[Shelf, dict[Any, int]]:
    flavours = tuple(sorted({family.flavour for family in wanted.values()}))
    encoding = Encoding(rows, flavours, folds_folder(study), SEED)
    encoding.start()
    if encoding.thread is not None:
        encoding.thread.join()
    encoding.check()
    setting = Setting(encoding.encoded, METRICS[rows.problem], SEED, categorical=encoding.categorical)
    return Shelf(setting), dict(encoding.features)


def _error(family: ModelFamily, parameters: dict[str, Value], shelf: Shelf, number: int) -> tuple[float | None, Any]:
    """Return a configuration's mean error over the folds (None: it failed), and its predictions."""
    scores: list[float] = []

    def heard(fold: FoldDone) -> bool:
        scores.append(fold.score)
        return True

    end = time.monotonic() + MOST_SECONDS
    try:
        evaluate(TrialJob(number, family.name, parameters, end, end + 60, FOLDS), family, shelf, heard)
    except Exception as error:  # noqa: BLE001  what a configuration may raise is a result, and told
        print(f"{family.name} {number}: {type(error).__name__}: {error}", file=sys.stderr)
        return None, np.empty(0)
    predicted = np.load(out_of_fold_path(shelf.setting.folds.folder, number)).astype(np.float32)
    return -float(np.mean(scores)), predicted


def main() -> None:
    """Measure one table with one library, and print the result."""
    name, problem, library, folder, kept = sys.argv[1:]
    source = next(one for one in SOURCES if one.name == name and one.problem == problem)
    print(json.dumps(measure(source, library, Path(folder), Path(kept))))


if __name__ == "__main__":
    main()
