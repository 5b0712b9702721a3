"""Run one system once: in its own process, on given cores, watched for memory, ended if it never ends."""

import json
import os
import signal
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from penstock.evaluation import metrics
from tests.bench.automl_parts.sets import Split

PROGRAM = Path(__file__).with_name("one_run.py")
SAMPLE_SECONDS = 0.5
PATIENCE = 4.0  # times the budget, and START_SECONDS more: a system that is later has failed
START_SECONDS = 240.0
ROOT = Path(__file__).resolve().parents[3]


@dataclass(frozen=True, slots=True)
class Job:
    """What is run: `python` is the system's own."""

    system: str
    seconds: float
    cores: int
    seed: int
    python: Path
    log: Path


def run(job: Job, split: Split) -> dict[str, Any]:
    """Return what one run took and scored; `error` says why there is no score."""
    with tempfile.TemporaryDirectory(prefix="penstock-automl-", ignore_cleanup_errors=True) as folder:
        paths = _write(job, split, Path(folder))
        code, peak_mb, took = _watch(job, Path(folder) / "job.json")
        record: dict[str, Any] = {"wall_seconds": round(took, 1), "peak_mb": round(peak_mb)}
        if code != 0 or not paths["answer"].exists():
            return {**record, "error": _why(code, job.log)}
        record |= json.loads(paths["answer"].read_text(encoding="utf-8"))
        return {**record, **scores(split, np.load(paths["predictions"], allow_pickle=False))}


def scores(split: Split, predictions: Any) -> dict[str, Any]:
    """Return the scores of predictions in the metrics' own units, or why there are none."""
    shape = (len(split.target), len(split.classes)) if split.classes else (len(split.target),)
    said = np.asarray(predictions, np.float64)
    if said.shape != shape or not np.isfinite(said).all():
        return {"error": f"predictions must be finite and of shape {shape}, but are of shape {said.shape}"}
    wanted = {"binary": ("roc_auc", "log_loss"), "multiclass": ("log_loss", "accuracy"), "regression": ("rmse", "r2")}
    target = split.target.astype(np.int64) if split.classes else split.target
    if split.classes:
        said = said / np.maximum(said.sum(axis=1, keepdims=True), metrics.SMALLEST)
    return {
        "metric": split.metric,
        "scores": {
            name: round(metrics.shown(name, metrics.score(name, target, said)), 6) for name in wanted[split.problem]
        },
    }


def _write(job: Job, split: Split, folder: Path) -> dict[str, Path]:
    paths = {name: folder / f"{name}.parquet" for name in ("train", "test")}
    split.train.to_parquet(paths["train"], index=False)
    split.test.to_parquet(paths["test"], index=False)
    paths |= {
        "predictions": folder / "predictions.npy",
        "answer": folder / "answer.json",
        "scratch": folder / "scratch",
    }
    paths["scratch"].mkdir()
    told = {
        "system": job.system,
        "seconds": job.seconds,
        "cores": job.cores,
        "seed": job.seed,
        "problem": split.problem,
        "metric": split.metric,
        "target": split.target_column,
        "classes": split.classes,
        **{name: str(path) for name, path in paths.items()},
    }
    (folder / "job.json").write_text(json.dumps(told), encoding="utf-8")
    return paths


def _watch(job: Job, path: Path) -> tuple[int, float, float]:
    """Return the exit code, the peak of memory of all its processes in MB, and the seconds in all."""
    source = f"{ROOT / 'src'}{os.pathsep}" if job.system in ("penstock", "lightgbm") else ""
    environment = {**os.environ, "PYTHONPATH": source, "PYTHONWARNINGS": "ignore"}
    job.log.parent.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    with job.log.open("wb") as log:
        process = subprocess.Popen(
            [job.python, "-P", PROGRAM, path],
            stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, env=environment, start_new_session=True,
        )  # fmt: skip
        over = threading.Event()
        peak = [0.0]
        watcher = threading.Thread(target=_sample, args=(process.pid, over, peak), daemon=True)
        watcher.start()
        try:
            code = process.wait(job.seconds * PATIENCE + START_SECONDS)
        except subprocess.TimeoutExpired:
            code = -signal.SIGKILL
        finally:
            took = time.monotonic() - began
            over.set()
            watcher.join()
            _end(process)
    return code, peak[0], took


def _end(process: "subprocess.Popen[bytes]") -> None:
    """End what a run left behind: its session is its own."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return  # all of it has ended
    finally:
        process.wait()


def _sample(pid: int, over: threading.Event, peak: list[float]) -> None:
    while not over.wait(SAMPLE_SECONDS):
        try:
            root = psutil.Process(pid)
            members = [root, *root.children(recursive=True)]
        except psutil.NoSuchProcess:
            return
        peak[0] = max(peak[0], sum(_memory_mb(member.pid) for member in members))


def _memory_mb(pid: int) -> float:
    """Return a process's memory, what it shares counted by its share, in MB."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


def _why(code: int, log: Path) -> str:
    if code == -signal.SIGKILL:
        return "ended: it took far more than its budget, or the machine's memory"
    lines = [line for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    return f"ended with {code}: {lines[-1][:300] if lines else 'it said nothing'}"
