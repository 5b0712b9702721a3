"""Whether a search keeps to its budget, from the start of its slots to the final fit, on the sets of ../shared/data.

Every row is searched on, in time order where a set has a time. A search may be late by 5 % of its budget or by 3 s,
whichever is more. What was measured is kept in .bench/budget.jsonl, and a later run goes on with what is missing; the
last line that is printed is one JSON object.
"""

import argparse
import json
import os
import time
from pathlib import Path
from typing import Any

import pandas as pd

from penstock.domain.datasets import Problem
from penstock.domain.search import Budget, SearchSettings
from penstock.evaluation import metrics
from penstock.search.work import Hooks
from penstock.tabular.learning import Table, Wanted, learn
from penstock.tabular.tables import learn_columns
from tests.bench.measures import measured

ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared" / "data"
KEPT = ROOT / ".bench" / "budget.jsonl"
BUDGETS = (30.0, 60.0, 300.0)
LATE_SHARE, LATE_SECONDS = 0.05, 3.0
LEFT_OUT = ("id_columns", "leakage_columns", "exclude_from_features")
TEXTS = ("sms_spam",)  # rows that are mostly text, which a search takes too

Row = dict[str, Any]


def described() -> dict[str, Row]:
    """Return what `index.json` says of each set that a search takes."""
    index = json.loads((SHARED / "index.json").read_text(encoding="utf-8"))["datasets"]
    return {entry["name"]: entry for entry in index if entry["modality"] == "tabular" or entry["name"] in TEXTS}


def load(entry: Row) -> Table:
    """Return every row of a set; one that comes in periods as one table."""
    folder = SHARED / entry["name"]
    files = [folder / f"{entry['name']}.parquet"] if entry["file"] else sorted((folder / "periods").glob("*.parquet"))
    raw = pd.concat([pd.read_parquet(file) for file in files], ignore_index=True)
    hidden = {column for key in LEFT_OUT for column in (entry.get(key) or [])}
    target: str = entry["target"]
    time_column: str | None = entry.get("time_column")
    raw = raw[raw[target].notna()].drop(columns=sorted(hidden - {time_column})).reset_index(drop=True)
    problem: Problem = entry["task"]
    frame, _ = learn_columns(raw[[name for name in raw.columns if name != target]])
    kinds = {name: column.dtype.kind for name, column in frame.items()}
    dated = kinds.get(time_column) == "M"  # months alone order nothing
    times = frame[time_column] if dated else None
    if problem == "regression":
        values = raw[target].to_numpy("float64")
        return Table(frame, values, problem, times=times, time_column=time_column if dated else None)
    codes, classes = pd.factorize(raw[target].astype(str), sort=True)
    names = tuple(str(name) for name in classes)
    return Table(frame, codes, problem, names, times=times, time_column=time_column if dated else None)


def measure(entry: Row, seconds: float, seed: int) -> Row:
    """Search one set within one budget and return the figures."""
    table = load(entry)
    metric = metrics.find_metric(metrics.default_metric(table.problem), table.problem).name
    began = time.monotonic()
    learnt = learn(table, Wanted(SearchSettings(metric, Budget(seconds), seed=seed)), Hooks())
    whole = time.monotonic() - began
    found = learnt.found
    states = [trial.state for trial in found.trials]
    late = found.seconds - seconds
    return {
        "set": entry["name"],
        "budget": seconds,
        "rows": len(table.frame),
        "took": round(found.seconds, 2),
        "late": round(late, 2),
        "allowed": round(max(LATE_SHARE * seconds, LATE_SECONDS), 2),
        "kept": late <= max(LATE_SHARE * seconds, LATE_SECONDS),
        "with_table": round(whole, 2),
        "best": found.best.family,
        "score": metrics.shown(metric, float(found.best.score or 0.0)),
        "metric": metric,
        "trials": {state: states.count(state) for state in sorted(set(states))},
        "cores": len(os.sched_getaffinity(0)),
        "load": round(os.getloadavg()[0], 1),
        "at": time.strftime("%Y-%m-%d %H:%M"),
    }


def earlier(path: Path) -> dict[tuple[str, float], Row]:
    """Return what was measured before, by set and budget; the newest of each."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return {(row["set"], row["budget"]): row for row in map(json.loads, lines)}


def show(row: Row) -> None:
    """Print a line of the table."""
    times = f"{row['budget']:6.0f} {row['took']:8.1f} {row['late']:+7.1f} {row['allowed']:7.1f}"
    found = f"{row['best']:10} {row['score']:.5g} {row['metric']}"
    print(f"{row['set']:20} {row['rows']:7} {times}  {'kept' if row['kept'] else 'LATE'} {found}", flush=True)


def measures(rows: list[Row]) -> dict[str, Any]:
    """Return how late each search ended, beside what it may be, and how many ended later than that."""
    over = sum(not row["kept"] for row in rows)
    found = {"searches over the budget": measured(over, "searches", 0, over == 0)}
    for row in rows:
        name = f"{row['set']}, {row['budget']:g} s: late by"
        found[name] = measured(row["late"], "s", row["allowed"], row["kept"])
    return found


def main() -> None:
    """Measure what is missing, print the table, and one JSON object."""
    sets = described()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", nargs="+", choices=sorted(sets), default=list(sets))
    parser.add_argument("--budgets", nargs="+", type=float, default=list(BUDGETS))
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--kept", type=Path, default=KEPT, help="where results are kept")
    parser.add_argument("--fresh", action="store_true", help="measure again what is kept")
    asked = parser.parse_args()
    asked.kept.parent.mkdir(parents=True, exist_ok=True)
    known = {} if asked.fresh else earlier(asked.kept)
    print(f"{'set':20} {'rows':>7} {'budget':>6} {'took':>8} {'late':>7} {'allowed':>7}")
    rows = []
    for name in asked.sets:
        for seconds in asked.budgets:
            row = known.get((name, seconds))
            if row is None:
                row = measure(sets[name], seconds, asked.seed)
                with asked.kept.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(row) + "\n")
            show(row)
            rows.append(row)
    print(json.dumps(measures(rows)))


if __name__ == "__main__":
    main()
