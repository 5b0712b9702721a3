"""GPUs that are not there: the driver's library as `penstock.search.machine.gpus` asks it, with planted answers."""

import ctypes
from typing import Any

from penstock.search.machine.gpus import MB, _Memory, _Use

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
        text.value = f"GPU-{'abcdefgh'[(handle.value or 0) - 1]}".encode()
        return 0
