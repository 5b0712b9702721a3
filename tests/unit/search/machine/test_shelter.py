from pathlib import Path
from typing import Any

import numpy as np
import pytest

from penstock.domain.search import Value
from penstock.models._base import BuildContext
from penstock.models.baseline import Baseline, ConstantEstimator
from penstock.search.encoding import Encoding
from penstock.search.machine.messages import JobDone, Setting, TrialJob
from penstock.search.machine.shelter import Shelter, run_sheltered
from penstock.search.machine.trials import Shelf, evaluate
from tests.unit.search.conftest import make_rows

CONTEXT = BuildContext("binary", 2, 7, device="cuda")
X, Y = np.zeros((10, 2), np.float32), np.arange(10) % 2


class OutOfMemoryError(RuntimeError):
    """Named as torch's is."""


class Faulty(Baseline):
    """A family whose fits on a GPU fail in a chosen way; what was tried is kept."""

    brief = {"epochs": 1}  # noqa: RUF012  as a family has it

    def __init__(self, error: Exception | None, fits: int = 0) -> None:
        self.error, self.fits = error, fits
        self.tried: list[tuple[str, Value]] = []

    def build(self, parameters: dict[str, Value], context: BuildContext) -> ConstantEstimator:
        return Fit(self, parameters, context)  # type: ignore[return-value]


class Fit:
    """An unfitted estimator of the family, on a device."""

    def __init__(self, family: Faulty, parameters: dict[str, Value], context: BuildContext) -> None:
        self.family, self.parameters, self.context = family, parameters, context

    def fit(self, x: Any, y: Any, valid: Any = None, weight: Any = None) -> ConstantEstimator:
        batch = self.parameters.get("batch")
        self.family.tried.append((self.context.device, batch))
        error = self.family.error
        if self.context.device == "cuda" and error is not None and int(batch or 0) > self.family.fits:
            raise error
        return ConstantEstimator(self.context.classes, "mean").fit(x, y, valid, weight)


FULL = OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
GONE = RuntimeError("CUDA error: unspecified launch failure")


def tried(family: Faulty) -> tuple[Shelter, list[tuple[str, Value]]]:
    shelter = Shelter(family)
    fitted = shelter.build({"batch": 256}, CONTEXT).fit(X, Y)
    assert fitted.predict(X).shape == (10, 2)
    return shelter, family.tried


def test_what_is_too_large_for_a_gpu_is_tried_at_half_the_batch() -> None:
    shelter, fits = tried(Faulty(FULL, fits=128))
    assert fits == [("cuda", 256), ("cuda", 128)]
    assert (shelter.mark, shelter.lost) == ("half batch", False)


def test_what_is_still_too_large_goes_on_on_the_cpu_with_the_batch_that_it_fits() -> None:
    shelter, fits = tried(Faulty(FULL))
    assert fits == [("cuda", 256), ("cuda", 128), ("cpu", 128)]
    assert (shelter.mark, shelter.lost) == ("moved to the CPU", False)


def test_with_a_gpu_that_vanished_it_goes_on_on_the_cpu_and_says_that_the_gpu_is_lost() -> None:
    shelter, fits = tried(Faulty(GONE))
    assert fits == [("cuda", 256), ("cpu", 256)]
    assert (shelter.mark, shelter.lost) == ("moved to the CPU", True)


def test_the_folds_after_one_that_was_moved_begin_where_it_ended() -> None:
    family = Faulty(GONE)
    shelter, _ = tried(family)
    shelter.build({"batch": 256}, CONTEXT).fit(X, Y)
    assert family.tried[2:] == [("cpu", 256)]


def test_an_error_that_is_no_fault_of_a_gpu_is_the_trials_own() -> None:
    with pytest.raises(ValueError, match="labels"):
        tried(Faulty(ValueError("labels must be known")))


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    encoding = Encoding(make_rows(), ("tree",), tmp_path / "folds", 7)
    encoding.start()
    assert encoding.thread is not None
    encoding.thread.join()
    encoding.check()
    return Shelf(Setting(encoding.encoded, "roc_auc", 7))


def run(family: Faulty, shelf: Shelf) -> JobDone:
    end = 2.0**40  # no deadline
    job = TrialJob(1, "baseline", {"batch": 256}, end, end, (0, 1, 2), "cuda", compare=True)
    return run_sheltered(job, family, shelf, lambda known, given: evaluate(given, known, shelf, lambda _: True))


def test_a_job_that_compares_says_both_times_and_goes_where_it_is_quicker(shelf: Shelf) -> None:
    family = Faulty(None)
    done = run(family, shelf)
    assert done.compared is not None
    cpu, gpu = done.compared
    assert done.device == ("cpu" if cpu <= gpu else "cuda")
    assert [device for device, _ in family.tried[:3]] == ["cuda", "cuda", "cpu"]
    assert {device for device, _ in family.tried[3:]} == {done.device}


def test_a_gpu_that_fails_while_it_is_compared_leaves_the_trial_to_the_cpu(shelf: Shelf) -> None:
    done = run(Faulty(GONE), shelf)
    assert (done.device, done.mark, done.lost, done.compared) == ("cpu", "moved to the CPU", True, None)
