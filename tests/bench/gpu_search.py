"""What a search gains from slots and from GPUs: trials an hour beside one at a time, use, and CPU against GPU.

Runs from a checkout on Python 3.11 to 3.13 with numpy, pandas, scikit-learn, lightgbm, torch and optuna, and nothing
else; rows are generated. Without a GPU it says so, and measures the rest. The last line is one JSON object.
"""

import argparse
import json
import os
import platform
import resource
import sys
import tempfile
import threading
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).resolve().parents[2] / "src"), str(Path(__file__).resolve().parents[2])]

import numpy as np
from numpy.typing import NDArray

from penstock.data.decoding import compile_decoding
from penstock.domain.features import ColumnPlan, FeaturePlan
from penstock.domain.search import Budget, SearchSettings, Slot
from penstock.models._base import BuildContext, ModelFamily
from penstock.plugins import find_plugins
from penstock.search import campaign, placement
from penstock.search.encoding import TrainingRows
from penstock.search.machine.gpus import find_gpus
from penstock.search.work import Found, Work
from tests.bench.measures import measured

SIZES = (10_000, 100_000, 1_000_000)
COLUMNS = 40
FOLDS = 5
SAMPLE_SECONDS = 0.5
WARM_ROWS = 1_000
NO_GPU = "There is no GPU here: what follows was measured on the CPU alone."

Figures = dict[str, Any]


def make_rows(count: int) -> TrainingRows:
    """Return a table of numbers, a tenth of them telling."""
    draw = np.random.default_rng(0)
    table = {f"number {place}": draw.normal(size=count).astype(np.float32) for place in range(COLUMNS)}
    value = 1.5 * table["number 0"] + np.abs(table["number 1"]) + table["number 2"] * table["number 3"]
    plan = FeaturePlan("gpu", "gpu", "plan", tuple(ColumnPlan(name, "number", "number", "a number") for name in table))
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
        name=f"gpu {count}",
    )


def torch_families() -> dict[str, ModelFamily]:
    """Return the families that a GPU may help."""
    known = {name: family() for name, family in find_plugins("penstock.models", ModelFamily).items()}
    return {name: family for name, family in known.items() if family.library == "torch"}


def searched(rows: TrainingRows, slots: tuple[Slot, ...], seconds: float) -> Found:
    """Search the torch families, with the baseline, in some slots."""
    known = find_plugins("penstock.models", ModelFamily)
    families = {"baseline": known["baseline"](), **torch_families()}
    with tempfile.TemporaryDirectory() as folder:
        return campaign.run(Work(rows, families, SearchSettings("roc_auc", Budget(seconds)), Path(folder), slots))


class Usage:
    """Samples how busy the GPUs are while something runs, and what the processor did."""

    def __init__(self) -> None:
        self.busy: list[float] = []
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self._sample, daemon=True)

    def __enter__(self) -> "Usage":
        self.began, self.cpu = time.monotonic(), _cpu_seconds()
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        self.thread.join()
        self.seconds = time.monotonic() - self.began
        self.cpu = _cpu_seconds() - self.cpu

    def figures(self) -> Figures:
        """Return the share of the cores' time, and of the GPUs', that was used."""
        cores = placement.inventory("").cores
        gpu = round(float(np.mean(self.busy)), 1) if self.busy else None
        return {"cpu_percent": round(100 * self.cpu / self.seconds / cores, 1), "gpu_percent": gpu}

    def _sample(self) -> None:
        while not self.stop.wait(SAMPLE_SECONDS):
            found = find_gpus(os.environ.get("CUDA_VISIBLE_DEVICES"), [])
            if found:
                self.busy.append(float(np.mean([gpu.busy_percent for gpu in found])))


def _cpu_seconds() -> float:
    spent = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in spent)


def throughput(rows: TrainingRows, slots: tuple[Slot, ...], seconds: float) -> Figures:
    """Return trials an hour in some slots, with what was used and where trials went."""
    with Usage() as usage:
        found = searched(rows, slots, seconds)
    done = [trial for trial in found.trials if trial.state in {"finished", "pruned"} and trial.slot is not None]
    devices = [trial.device for trial in done]
    return {
        "slots": len(slots),
        "trials": len(done),
        "trials_an_hour": round(3600 * len(done) / found.seconds, 1),
        "best": found.best.score,
        "devices": {device: devices.count(device) for device in sorted(set(devices))},
        "marked": [trial.mark for trial in found.trials if trial.mark],
        "placed": sorted({trial.placed for trial in found.trials if trial.placed}),
        "peak_gpu_mb": max((trial.peak_gpu_mb for trial in found.trials), default=0),
        **usage.figures(),
    }


def timed(family: ModelFamily, rows: int, device: str) -> float:
    """Return the seconds of a short fit on a device, after one that prepares it."""
    draw = np.random.default_rng(0)
    x: NDArray[np.float32] = draw.normal(size=(rows, COLUMNS)).astype(np.float32)
    y = (x[:, 0] + draw.normal(size=rows) > 0).astype(np.int64)
    values = {**family.default("binary", rows, COLUMNS), **family.brief}
    context = BuildContext("binary", 2, 0, device=device)
    family.build(values, context).fit(x[:WARM_ROWS], y[:WARM_ROWS])
    began = time.monotonic()
    family.build(values, context).fit(x, y)
    return time.monotonic() - began


def devices_compared(sizes: list[int], gpu: bool) -> list[Figures]:
    """Print and return the seconds of each torch family on CPU and GPU, by size."""
    print(f"\n{'family':12} {'rows':>9} {'CPU s':>9} {'GPU s':>9}  (one core; one pass over the rows)")
    table = []
    for name, family in torch_families().items():
        for rows in sizes:
            on_cpu = timed(family, rows, "cpu")
            on_gpu = timed(family, rows, "cuda") if gpu else None
            shown = "no GPU" if on_gpu is None else f"{on_gpu:.2f}"
            print(f"{name:12} {rows:9} {on_cpu:9.2f} {shown:>9}", flush=True)
            table.append({"family": name, "rows": rows, "cpu_seconds": on_cpu, "gpu_seconds": on_gpu})
    return table


def measures(summary: Figures) -> Figures:
    """Return trials an hour beside those of one slot, and the seconds of each family beside the CPU's."""
    alone, together = (summary[key]["trials_an_hour"] for key in ("alone", "together"))
    found = {
        "trials an hour": measured(together, "1/h", alone, together >= alone, {"one at a time": alone}),
    }
    for row in summary["compared"]:
        name = f"{row['family']}, {row['rows']} rows: a pass on the GPU"
        found[name] = measured(row["gpu_seconds"], "s", peers={"CPU, one core": row["cpu_seconds"]})
    return found


def main() -> None:
    """Measure, print, and end with one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="the budget of each search")
    parser.add_argument("--rows", type=int, default=100_000, help="the rows that are searched")
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES), help="the rows of CPU against GPU")
    asked = parser.parse_args()
    machine = placement.inventory(os.environ.get("CUDA_VISIBLE_DEVICES"))
    print(f"cores {machine.cores:g}, memory {machine.memory_mb} MB free, GPUs: {machine.gpus or 'none'}")
    for note in machine.notes:
        print(f"  {note}")
    import torch

    gpu = bool(machine.gpus) and torch.cuda.is_available()
    if not gpu:
        print(NO_GPU)
    rows = make_rows(asked.rows)
    slots = placement.slots_for(rows, Budget(asked.seconds), os.environ.get("CUDA_VISIBLE_DEVICES"))
    alone, together = (throughput(rows, some, asked.seconds) for some in (slots[:1], slots))
    for title, figures in (("one at a time", alone), (f"{len(slots)} slots", together)):
        print(f"{title:14} {figures['trials_an_hour']:9.1f} trials an hour, {json.dumps(figures)}")
    summary = {
        "bench": "gpu_search",
        "gpu": gpu,
        "machine": asdict(machine),
        "alone": alone,
        "together": together,
        "gain": round(together["trials_an_hour"] / max(1e-9, alone["trials_an_hour"]), 2),
        "compared": devices_compared(asked.sizes, gpu),
        "python": platform.python_version(),
        "torch": torch.__version__,
    }
    print(json.dumps(summary))
    print(json.dumps(measures(summary)))


if __name__ == "__main__":
    main()
