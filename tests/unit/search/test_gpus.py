import ctypes
from typing import Any

import pytest

from penstock.search.gpus import MB, _Memory, _Use, find_gpus, free_mb

POINTER = ctypes.c_void_p


class Driver:
    """NVML with planted GPUs: it writes where it is told to, as the driver's library does."""

    def __init__(self, *free: int, broken: str = "") -> None:
        self.free, self.broken = free, broken

    def __getattr__(self, name: str) -> Any:
        answers = {
            "nvmlInit_v2": self.init,
            "nvmlShutdown": self.init,
            "nvmlDeviceGetCount_v2": self.count,
            "nvmlDeviceGetHandleByIndex_v2": self.handle,
            "nvmlDeviceGetMemoryInfo": self.memory,
            "nvmlDeviceGetUtilizationRates": self.use,
            "nvmlDeviceGetName": self.name,
            "nvmlDeviceGetUUID": self.identifier,
        }
        return (lambda *_: 999) if name == self.broken else answers[name]

    def init(self) -> int:
        return 0

    def count(self, count: Any) -> int:
        ctypes.cast(count, ctypes.POINTER(ctypes.c_uint))[0] = len(self.free)
        return 0

    def handle(self, number: ctypes.c_uint, handle: Any) -> int:
        ctypes.cast(handle, ctypes.POINTER(POINTER))[0] = number.value + 1
        return 0

    def memory(self, handle: POINTER, memory: Any) -> int:
        ctypes.cast(memory, ctypes.POINTER(_Memory))[0].free = self.free[(handle.value or 0) - 1] * MB
        return 0

    def use(self, handle: POINTER, use: Any) -> int:
        ctypes.cast(use, ctypes.POINTER(_Use))[0].gpu = 40 + (handle.value or 0)
        return 0

    def name(self, handle: POINTER, text: Any, size: ctypes.c_uint) -> int:
        del handle, size
        text.value = b"H200"
        return 0

    def identifier(self, handle: POINTER, text: Any, size: ctypes.c_uint) -> int:
        del size
        text.value = f"GPU-{'ab'[(handle.value or 0) - 1]}".encode()
        return 0


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
