"""A search on planted GPUs: the driver and torch say that they are there, and fits on them fail in a chosen way."""

import ctypes
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from penstock.domain.search import Budget
from penstock.search import campaign, placement
from penstock.search.machine.gpus import LIBRARY
from penstock.search.work import Found
from tests.planted_gpus import Driver
from tests.unit.search.conftest import make_work

FAMILIES = """
import time
import torch
from penstock.models._base import Needs
from penstock.models.baseline import Baseline, ConstantEstimator

really_zeros = torch.zeros
torch.cuda.is_available = lambda: True
torch.zeros = lambda *given, device=None, **named: really_zeros(*given, **named)

class Fit(ConstantEstimator):
    def fit(self, x, y, valid=None, weight=None):
        if self.device == "cpu":
            time.sleep(0.2)  # so that the GPU is the quicker one
        elif self.family == "overfull" and self.batch > 128:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 9.00 GiB.")
        elif self.family == "vanishing":
            raise RuntimeError("CUDA error: device is lost")
        return super().fit(x, y)

def family(title):
    def build(self, parameters, context):
        made = Fit(context.classes)
        made.device, made.batch, made.family = context.device, parameters["batch"], title
        return made
    def default(self, problem, rows, features):
        return {"batch": 256}
    def needs(self, rows, features, classes):
        return Needs(memory_mb=1000, seconds=1, gains_from_gpu=True)
    methods = {"build": build, "default": default, "needs": needs, "library": "torch", "brief": {"epochs": 1}}
    return type(title.title(), (Baseline,), {"name": title, "__module__": __name__, **methods})

Steady, Overfull, Vanishing = family("steady"), family("overfull"), family("vanishing")
"""
NAMES = ("Steady", "Overfull", "Vanishing")


@pytest.fixture
def families(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Install those families for the slots' processes; here torch goes on seeing no GPU."""
    described = tmp_path / "elsewhere" / "planted-1.0.dist-info"
    described.mkdir(parents=True)
    (tmp_path / "elsewhere" / "planted.py").write_text(FAMILIES, encoding="utf-8")
    (described / "METADATA").write_text("Metadata-Version: 2.1\nName: planted\nVersion: 1.0\n", encoding="utf-8")
    points = "\n".join(f"{name.lower()} = planted:{name}" for name in NAMES)
    (described / "entry_points.txt").write_text(f"[penstock.models]\n{points}\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path / "elsewhere")
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", torch.cuda.is_available)  # put back what the module replaces
    monkeypatch.setattr(torch, "zeros", torch.zeros)


def plant(monkeypatch: pytest.MonkeyPatch, *free: int) -> None:
    """Let the driver's library, which is loaded by its name, know some GPUs."""
    really, driver = ctypes.CDLL, Driver(*free)

    def load(name: Any, *given: Any, **named: Any) -> Any:
        return driver if name == LIBRARY else really(name, *given, **named)

    monkeypatch.setattr(ctypes, "CDLL", load)


def search(folder: Path, *names: str, trials: int) -> Found:
    """Search in the one slot that has a GPU, if there is one."""
    work = make_work(folder, *names, seconds=60, trials=trials)
    return campaign.run(replace(work, slots=placement.slots_for(work.rows, Budget(60), None)[:1]))


@pytest.mark.usefixtures("families")
@pytest.mark.parametrize(
    ("name", "mark", "device"),
    [("steady", "", "cuda"), ("overfull", "half batch", "cuda"), ("vanishing", "moved to the CPU", "cpu")],
)
def test_a_trial_outlives_what_befalls_its_gpu(
    name: str, mark: str, device: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(monkeypatch, 16_000)
    found = search(tmp_path / "search", name, trials=2)
    trial = next(trial for trial in found.trials if trial.family == name)
    assert (trial.state, trial.mark, trial.device) == ("finished", mark, device)
    assert (trial.placed, trial.predicted_gpu_mb) == ("compared with the CPU first", 1800)
    notes = found.experience.devices
    assert [(note.family, note.gpu) for note in notes] == ([("steady", "H200")] if name == "steady" else [])


@pytest.mark.usefixtures("families")
def test_what_was_compared_once_is_not_compared_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch, 16_000)
    first = search(tmp_path / "first", "steady", trials=2)
    work = make_work(tmp_path / "second", "steady", seconds=60, trials=2)
    slots = placement.slots_for(work.rows, Budget(60), None)[:1]
    again = campaign.run(replace(work, slots=slots, experience=first.experience))
    trial = next(trial for trial in again.trials if trial.family == "steady")
    assert trial.device == "cuda"
    assert trial.placed.startswith("quicker on the GPU: a short fit took")
    assert again.experience.devices == first.experience.devices


@pytest.mark.usefixtures("families")
@pytest.mark.parametrize("free", [(500,), ()])
def test_without_room_or_without_a_gpu_the_same_search_runs_on_the_cpu(
    free: tuple[int, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(monkeypatch, *free)
    found = search(tmp_path / "search", "steady", trials=2)
    trial = next(trial for trial in found.trials if trial.family == "steady")
    assert (trial.state, trial.device) == ("finished", "cpu")
    assert trial.placed == ("GPU 0 has room for 500 MB, and 1800 MB are predicted" if free else "")
