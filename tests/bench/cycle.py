"""Seconds of the main job by stage, and of the imports of each process, beside a floor measured in the same run.

The floor of the main job is what a script would do with the same file on the same machine: read it, and fit an
untuned LightGBM on 80 % of the rows. Data: the generator's table, and the sets of ../shared/data where they are.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pandas as pd

from penstock.demo.generator import make_table
from tests.bench.measures import measured
from tests.stranger import Stranger, make_stranger

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
SETS = {"telco_churn": "Churn", "adult_income": "income", "bike_sharing_hourly": "cnt"}
LEAKING = {"bike_sharing_hourly": ["casual", "registered"], "adult_income": ["uci_split"]}
GOAL_SECONDS = 60.0
PROCESSES = {
    "penstock --help": "import penstock.cli.main",
    "penstock run": "import flows.train, great_expectations, mlflow, onnx",
    "slot with lightgbm": "import penstock.search.worker, lightgbm",
    "slot with torch": "import penstock.search.worker, torch",
    "inference service": "import penstock.serving.service",
}
FLOOR = """
import sys, time; began = time.perf_counter()
import lightgbm, pandas
table = pandas.read_csv(sys.argv[1]); target = table.pop(sys.argv[2])
train = table.sample(frac=0.8, random_state=1).index
for name in table.select_dtypes(exclude="number"): table[name] = table[name].astype("category")
kind = lightgbm.LGBMRegressor if target.nunique() > 50 else lightgbm.LGBMClassifier
kind(verbose=-1, n_jobs=2).fit(table.loc[train], target[train])
print(time.perf_counter() - began)
"""


def write_tables(folder: Path) -> dict[str, str]:
    """Write the tables as CSV; return each file's target."""
    made = make_table(10_000, seed=11)
    made.frame.to_csv(folder / "generated.csv", index=False)
    targets = {"generated": "churned"}
    for name, target in SETS.items():
        path = SHARED / name / f"{name}.parquet"
        if path.exists():
            pd.read_parquet(path).drop(columns=LEAKING.get(name, [])).to_csv(folder / f"{name}.csv", index=False)
            targets[name] = target
        else:
            print(f"{name}: left out, since {path.name} is not beside the project")
    return targets


def seconds_of(code: str, *arguments: str) -> float:
    """Return the seconds that a fresh interpreter needs for some code, the second time it runs."""
    for _ in range(2):
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", code, *arguments], check=True, capture_output=True, text=True)
        took = time.perf_counter() - began
    return took


def job(stranger: Stranger, name: str, target: str) -> dict[str, Any]:
    """Run the main job; return its answer with the wall clock's seconds."""
    began = time.perf_counter()
    body = stranger.answer("run", f"{name}.csv", "--target", target)
    return {**body, "wall": time.perf_counter() - began}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.parse_args()
    measures: dict[str, Any] = {}
    print("Import seconds by process, warm:")
    for process, code in PROCESSES.items():
        took = seconds_of(code)
        print(f"  {process:22}{took:6.2f}")
        measures[f"import of {process}"] = measured(round(took, 2), "s")
    with tempfile.TemporaryDirectory(prefix="penstock-bench-") as folder:
        stranger = make_stranger(Path(folder))
        targets = write_tables(stranger.folder)
        began = time.perf_counter()
        said = stranger.penstock("up")
        print(f"\nThe stack, cold: {time.perf_counter() - began:.1f} s\n{said.err}")
        try:
            for name, target in targets.items():
                body = job(stranger, name, target)
                floor = float(
                    subprocess.run(
                        [sys.executable, "-c", FLOOR, f"{name}.csv", target],
                        cwd=stranger.folder,
                        capture_output=True,
                        text=True,
                        check=True,
                    ).stdout
                )
                stages = "  ".join(f"{stage} {took:.1f}" for stage, took in body["seconds"].items())
                score = body["score"]
                print(f"{name}: {body['wall']:.1f} s (floor {floor:.1f}); {score['metric']} {score['value']:.4f}")
                print(f"  {stages}")
                wall, peers = round(body["wall"], 1), {"read and fit an untuned LightGBM": round(floor, 1)}
                measures[f"main job on {name}"] = measured(wall, "s", GOAL_SECONDS, wall <= GOAL_SECONDS, peers)
        finally:
            stranger.penstock("down")
    print(json.dumps(measures))


if __name__ == "__main__":
    main()
