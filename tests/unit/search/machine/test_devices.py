from dataclasses import replace

import pytest

from penstock.domain.search import DeviceNote, Slot
from penstock.models._base import Needs
from penstock.search.machine.devices import Ask, Gpus

SLOT = Slot(0, (0,), 4_000, gpu=0, gpu_mb=16_000)
ASK = Ask("mlp", Needs(memory_mb=1_000, seconds=10, gains_from_gpu=True), 100_000, 50)
QUICK_GPU = DeviceNote("mlp", "T4", 100_000, 50, 10.0, 1.0)


def gpus(*notes: DeviceNote, free: int | None = 16_000) -> Gpus:
    return Gpus(((0, "T4"), (1, "H200")), notes, free=lambda _: free)


def test_a_family_that_gains_is_compared_once_and_then_known() -> None:
    first = gpus().place(ASK, SLOT, "cuda", 0)
    assert (first.device, first.compare, first.gpu_mb) == ("cuda", True, 1_800)
    known = gpus(QUICK_GPU).place(ASK, SLOT, "cuda", 0)
    assert (known.device, known.compare) == ("cuda", False)
    assert known.reason == "quicker on the GPU: a short fit took 10 s on the CPU and 1 s on T4"


def test_small_tables_stay_on_the_cpu_because_it_is_quicker_there() -> None:
    placed = gpus(replace(QUICK_GPU, cpu_seconds=0.2)).place(ASK, SLOT, "cuda", 0)
    assert placed.device == "cpu"
    assert placed.reason == "quicker on the CPU: a short fit took 0.2 s on the CPU and 1 s on T4"


@pytest.mark.parametrize("other", [replace(QUICK_GPU, rows=1_000), replace(QUICK_GPU, gpu="H200")])
def test_a_comparison_at_another_size_or_on_another_gpu_does_not_hold(other: DeviceNote) -> None:
    assert gpus(other).place(ASK, SLOT, "cuda", 0).compare


def test_a_family_that_does_not_gain_and_a_slot_without_a_gpu_stay_on_the_cpu() -> None:
    idle = replace(ASK, needs=replace(ASK.needs, gains_from_gpu=False))
    assert gpus().place(idle, SLOT, "cuda", 0).device == "cpu"
    assert gpus().place(ASK, Slot(1, (1,), 4_000), "cpu", 0).reason == ""


def test_two_trials_share_a_gpu_only_if_both_leases_fit() -> None:
    assert gpus().place(ASK, SLOT, "cuda", leased_mb=14_000).device == "cuda"
    refused = gpus().place(ASK, SLOT, "cuda", leased_mb=14_500)
    assert refused.device == "cpu"
    assert refused.reason == "GPU 0 has room for 1500 MB, and 1800 MB are predicted"


def test_memory_that_others_took_meanwhile_is_not_leased() -> None:
    assert gpus(free=900).place(ASK, SLOT, "cuda", 0).reason == "GPU 0 has room for 900 MB, and 1800 MB are predicted"


@pytest.mark.parametrize(("device", "free"), [("cpu", 16_000), ("cuda", None)])
def test_with_a_gpu_that_vanished_a_trial_goes_on_on_the_cpu_and_is_marked(device: str, free: int | None) -> None:
    placed = gpus(free=free).place(ASK, SLOT, device, 0)
    assert (placed.device, placed.lost) == ("cpu", True)
    assert placed.reason.startswith("GPU 0 is gone")
