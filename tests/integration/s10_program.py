"""The search of scenario S10, in a process of its own: rows that are generated, slots that placement cuts."""

import json
import sys
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np

from penstock.data.decoding import compile_decoding
from penstock.domain.features import ColumnPlan, FeaturePlan
from penstock.domain.search import Budget, SearchSettings
from penstock.models._base import ModelFamily
from penstock.plugins import find_plugins
from penstock.search import campaign, placement
from penstock.search.encoding import TrainingRows
from penstock.search.model.recipe import Recipe
from penstock.search.work import Work

NUMBERS, CATEGORIES, FOLDS = 50, 10, 5
LEVELS = ("a", "b", "c", "d", "e")


def make_rows(count: int) -> TrainingRows:
    """Return a table of 60 columns, a tenth of them telling."""
    draw = np.random.default_rng(0)
    table = {f"number {place}": draw.normal(size=count).astype(np.float32) for place in range(NUMBERS)}
    value = 1.5 * table["number 0"] + np.abs(table["number 1"]) + table["number 2"] * table["number 3"]
    columns = [ColumnPlan(name, "number", "number", "a number") for name in table]
    levels = np.array(LEVELS, dtype=object)
    for place in range(CATEGORIES):
        codes = draw.integers(0, len(LEVELS), count)
        value += (codes == 0) * (place == 0)
        columns.append(ColumnPlan(f"category {place}", "string", "category", "a category", levels=LEVELS))
        table[f"category {place}"] = levels[codes]
    plan = FeaturePlan("wide", "dataset", "plan", tuple(columns))
    numbers, texts = compile_decoding(plan.decoding).columns(table)
    return TrainingRows(
        numbers=numbers,
        texts=texts,
        target=(value + draw.normal(size=count) > 1).astype(np.int64),
        fold=(np.arange(count) % FOLDS).astype(np.int8),
        group=draw.integers(0, 2**63, count).astype(np.uint64),
        plan=plan,
        problem="binary",
        classes=2,
        folds=FOLDS,
        time_ordered=False,
        name=f"wide {count}",
    )


def main(folder: str, count: int, seconds: float, memory_gb: float | None) -> None:
    """Search, and print what came of it as JSON."""
    rows = make_rows(count)
    budget = Budget(seconds, memory_gb=memory_gb)
    families = {name: family() for name, family in find_plugins("penstock.models", ModelFamily).items()}
    slots = placement.slots_for(rows, budget, "")
    began = time.monotonic()
    found = campaign.run(Work(rows, families, SearchSettings("roc_auc", budget), Path(folder), slots))
    took = time.monotonic() - began
    model = Recipe.read(found.model).prepare(families)
    told = {
        "took": took,
        "slots": [asdict(slot) for slot in slots],
        "trials": [asdict(trial) for trial in found.trials],
        "best": found.best.family,
        "score": found.best.score,
        "reasons": found.reasons,
        "answers": model.predict(rows.numbers[:3], rows.texts[:3]).tolist(),
        "notes": placement.inventory("").notes,
    }
    print(json.dumps(told))  # noqa: T201  its answer


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), float(sys.argv[4]) if len(sys.argv) > 4 else None)
