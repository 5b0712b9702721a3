"""A trial on a GPU that outlives it: out of memory it goes on at half the batch, then, or with no GPU, on the CPU."""

import gc
import importlib
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from penstock.domain.search import Mark, Value
from penstock.models._base import BuildContext, Estimator, ModelFamily
from penstock.search.machine.messages import FitJob, JobDone, TrialJob
from penstock.search.machine.trials import Shelf

MB = 1024 * 1024
COMPARED_ROWS = 50_000  # of a short fit on both devices: enough to fill a GPU
COMPARED_SHARE = 0.1  # of the time until a trial's deadline: what each of the two fits may take
WARM_ROWS = 1_000  # a GPU's first fit prepares kernels
FULL = ("out of memory", "alloc_failed", "outofmemory")
GONE = ("cuda", "cudnn", "cublas", "nvml", "gpu")

Run = Callable[[ModelFamily, Any], JobDone]


class Shelter:
    """Builds a family's estimators for one job, and remembers what befell them."""

    def __init__(self, family: ModelFamily) -> None:
        self.family = family
        self.mark: Mark = ""
        self.lost = False
        self.halved = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self.family, name)

    def build(self, parameters: dict[str, Value], context: BuildContext) -> "Sheltered":
        """Return an estimator that goes on where its GPU fails."""
        return Sheltered(self, parameters, context)

    def failed(self, error: Exception, parameters: dict[str, Value]) -> bool:
        """Note what a GPU's failure means for the rest of the job; return False for an error of another kind."""
        said = f"{type(error).__name__} {error}".lower()
        if any(word in said for word in FULL):
            again = not self.halved and bool(parameters.get("batch"))
            self.mark, self.halved = ("half batch", True) if again else ("moved to the CPU", self.halved)
        elif any(word in said for word in GONE):
            self.mark, self.lost = "moved to the CPU", True
        else:
            return False
        return True


class Sheltered:
    """An estimator that is fitted on the GPU if that holds; what `fit` returns is the family's own."""

    def __init__(self, shelter: Shelter, parameters: dict[str, Value], context: BuildContext) -> None:
        self.shelter, self.parameters, self.context = shelter, parameters, context

    def fit(self, x: Any, y: Any, valid: Any = None, weight: Any = None) -> Estimator:
        """Fit on the GPU; at half the batch, then on the CPU, where it fails."""
        while self.shelter.mark != "moved to the CPU":
            try:
                return self._build().fit(x, y, valid, weight)
            except Exception as error:
                if not self.shelter.failed(error, self.parameters):
                    raise
            empty_gpu()  # here, where the error and what it holds are gone
        return self._build().fit(x, y, valid, weight)

    def _build(self) -> Estimator:
        parameters, context = self.parameters, self.context
        if self.shelter.halved and parameters.get("batch"):
            parameters = {**parameters, "batch": max(1, int(parameters["batch"] or 1) // 2)}
        if self.shelter.mark == "moved to the CPU":
            context = replace(context, device="cpu")
        return self.shelter.family.build(parameters, context)


def run_sheltered(job: TrialJob | FitJob, family: ModelFamily, shelf: Shelf, run: Run) -> JobDone:
    """Run a job that was sent to a GPU, and say in its end where it went and what it took there."""
    shelter = Shelter(family)
    compared = None
    if isinstance(job, TrialJob) and job.compare and family.brief:
        compared = compare(job, shelter, shelf)
        if compared is not None and compared[0] <= compared[1]:
            job = replace(job, device="cpu")
    done = run(shelter, job)  # type: ignore[arg-type]  # it hands on everything that it does not change
    device = "cpu" if shelter.mark == "moved to the CPU" else job.device
    return replace(done, device=device, mark=shelter.mark, lost=shelter.lost, gpu_mb=_most_on_gpu(), compared=compared)


def compare(job: TrialJob, shelter: Shelter, shelf: Shelf) -> tuple[float, float] | None:
    """Return the seconds of a short fit on the CPU and on the GPU; None where the GPU fails, which is noted."""
    folds, family = shelf.setting.folds, shelter.family
    rows = np.flatnonzero(shelf.array("fold", 0.0) != job.folds[0])[:COMPARED_ROWS]
    x = np.asarray(shelf.array(f"{family.flavour}-{job.folds[0]}", job.deadline)[rows])
    y = np.asarray(shelf.array("target", job.deadline)[rows])
    most = max(1.0, (job.deadline - time.monotonic()) * COMPARED_SHARE)
    parameters = {**job.parameters, **family.brief}

    def timed(device: str, count: int) -> float:
        began = time.monotonic()
        context = BuildContext(folds.problem, folds.classes, shelf.setting.seed, device=device, deadline=began + most)
        family.build(parameters, context).fit(x[:count], y[:count])
        return time.monotonic() - began

    try:
        timed(job.device, WARM_ROWS)
        on_gpu = timed(job.device, len(rows))
    except Exception as error:
        if not shelter.failed(error, parameters):
            raise
        return None
    return timed("cpu", len(rows)), on_gpu


def empty_gpu() -> None:
    """Give back the GPU memory that nothing holds any more."""
    gc.collect()
    if "torch" in sys.modules and importlib.import_module("torch").cuda.is_initialized():
        importlib.import_module("torch").cuda.empty_cache()


def _most_on_gpu() -> int:
    """Return the most GPU memory that torch held since the last time it was asked, in MB."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_initialized():
        return 0
    most = int(torch.cuda.max_memory_reserved() // MB)
    torch.cuda.reset_peak_memory_stats()
    return most
