"""One system, once, in a process of its own: fit on a Parquet file, predict another, say what it took.

    python one_run.py JOB.json

Needs numpy, pandas, pyarrow and the system, which is imported before the clock starts. JOB.json has `system`,
`seconds`, `cores`, `seed`, `problem`, `metric`, `target`, `classes`, `train`, `test`, `predictions` (a file to write,
.npy: probabilities in the order of `classes`, or values), `answer` (a file to write, .json) and `scratch`, a folder.
"""

import importlib.metadata
import json
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from tests.bench.automl_parts.systems import SYSTEMS, System
else:  # in a peer's environment `tests` may be a package of somebody else
    sys.path.append(str(Path(__file__).parent))  # the last, for its `statistics.py` is not Python's
    from systems import SYSTEMS, System

ROWS_ALONE = 30  # that are asked one by one
MOST_SECONDS_ALONE = 20.0  # a slow system is asked about fewer


def latency_ms(system: System, x: pd.DataFrame) -> float:
    """Return the median time that one row alone takes, in ms."""
    system.predict(x.iloc[:1])
    began, took = time.perf_counter(), []
    for place in range(min(ROWS_ALONE, len(x))):
        row = x.iloc[[place]]
        start = time.perf_counter()
        system.predict(row)
        took.append(time.perf_counter() - start)
        if time.perf_counter() - began > MOST_SECONDS_ALONE:
            break
    return float(np.median(took)) * 1000


def main(path: str) -> None:
    """Do a job, and write the answer."""
    job = json.loads(Path(path).read_text(encoding="utf-8"))
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, set(sorted(os.sched_getaffinity(0))[: job["cores"]]))
    train, test = pd.read_parquet(job["train"]), pd.read_parquet(job["test"])
    x, y = train.drop(columns=job["target"]), train[job["target"]]
    asked = test.drop(columns=job["target"])
    system = SYSTEMS[job["system"]](job)
    os.chdir(job["scratch"])
    system.load()
    began = time.perf_counter()
    system.fit(x, y)
    fit_seconds = time.perf_counter() - began
    np.save(job["predictions"], system.predict(asked))
    answer = {
        "fit_seconds": round(fit_seconds, 2),
        "latency_ms": round(latency_ms(system, asked), 3),
        "version": importlib.metadata.version(system.package),
    }
    Path(job["answer"]).write_text(json.dumps(answer), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
