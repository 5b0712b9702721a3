import pytest

from penstock.search.machine.gpus import find_gpus, free_mb
from tests.planted_gpus import Driver


def test_the_driver_says_name_free_memory_and_use_of_each() -> None:
    first, second = find_gpus(None, [], Driver(140_000, 7_000))
    assert (first.number, first.name, first.identifier, first.free_mb, first.busy_percent) == (
        0,
        "H200",
        "GPU-a",
        140_000,
        41,
    )
    assert (second.number, second.free_mb) == (1, 7_000)


@pytest.mark.parametrize(("visible", "seen"), [("", []), ("1", [1]), ("GPU-a", [0]), ("0,1", [0, 1]), ("5", [])])
def test_only_visible_gpus_are_ours(visible: str, seen: list[int]) -> None:
    assert [gpu.number for gpu in find_gpus(visible, [], Driver(1_000, 1_000))] == seen


@pytest.mark.parametrize("broken", ["nvmlInit_v2", "nvmlDeviceGetCount_v2", "nvmlDeviceGetMemoryInfo"])
def test_a_driver_that_does_not_answer_is_a_note(broken: str) -> None:
    notes: list[str] = []
    assert find_gpus(None, notes, Driver(1_000, broken=broken)) == ()
    assert notes == [f"no GPU: the GPU driver answers {broken} with error 999"]


def test_a_part_of_a_gpu_that_does_not_know_its_use_is_a_gpu() -> None:
    (gpu,) = find_gpus(None, [], Driver(1_000, broken="nvmlDeviceGetUtilizationRates"))
    assert gpu.busy_percent == 0


def test_a_gpu_that_is_gone_has_no_free_memory() -> None:
    assert free_mb(0, Driver(500)) == 500
    assert free_mb(1, Driver(500)) is None
