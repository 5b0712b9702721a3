"""The machine's GPUs as the driver's own library (NVML) tells of them; no package and no context is needed."""

import ctypes
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

MB = 1024 * 1024
LIBRARY = "libnvidia-ml.so.1"
WORD_BYTES = 96  # NVML's longest name of a device, and of its identifier


class _Memory(ctypes.Structure):
    _fields_ = (("total", ctypes.c_ulonglong), ("free", ctypes.c_ulonglong), ("used", ctypes.c_ulonglong))


class _Use(ctypes.Structure):
    _fields_ = (("gpu", ctypes.c_uint), ("memory", ctypes.c_uint))


@dataclass(frozen=True, slots=True)
class Gpu:
    """A GPU: its number in the order of the bus, name, identifier, free memory in MB, share of time at work in %."""

    number: int
    name: str
    identifier: str
    free_mb: int
    busy_percent: int


def find_gpus(visible: str | None, notes: list[str], library: Any = None) -> tuple[Gpu, ...]:
    """Return the GPUs that this process may use; none, with a note that says why, where no driver answers.

    Parameters
    ----------
    visible
        What `CUDA_VISIBLE_DEVICES` says: numbers or identifiers of GPUs, comma-separated; None: all of them.
    notes
        Where it is noted why there is none.
    library
        The driver's library, where it is not the machine's own.
    """
    try:
        nvml = library if library is not None else ctypes.CDLL(LIBRARY)
        _ask(nvml, "nvmlInit_v2")
    except OSError as error:
        notes.append(f"no GPU: {error}")
        return ()
    try:
        count = ctypes.c_uint()
        _ask(nvml, "nvmlDeviceGetCount_v2", ctypes.byref(count))
        found = [_gpu(nvml, number) for number in range(count.value)]
    except OSError as error:
        notes.append(f"no GPU: {error}")
        return ()
    finally:
        nvml.nvmlShutdown()
    return tuple(_seen(found, visible))


def free_mb(number: int, library: Any = None) -> int | None:
    """Return a GPU's free memory at present in MB; None where it is gone."""
    found = [gpu for gpu in find_gpus(None, [], library) if gpu.number == number]
    return found[0].free_mb if found else None


def _gpu(nvml: Any, number: int) -> Gpu:
    handle, memory, use = ctypes.c_void_p(), _Memory(), _Use()
    _ask(nvml, "nvmlDeviceGetHandleByIndex_v2", ctypes.c_uint(number), ctypes.byref(handle))
    _ask(nvml, "nvmlDeviceGetMemoryInfo", handle, ctypes.byref(memory))
    try:
        _ask(nvml, "nvmlDeviceGetUtilizationRates", handle, ctypes.byref(use))
    except OSError:
        use.gpu = 0  # a part of a GPU does not know how busy it is
    name, identifier = (_word(nvml, question, handle) for question in ("nvmlDeviceGetName", "nvmlDeviceGetUUID"))
    return Gpu(number, name, identifier, int(memory.free // MB), int(use.gpu))


def _word(nvml: Any, question: str, handle: ctypes.c_void_p) -> str:
    text = ctypes.create_string_buffer(WORD_BYTES)
    _ask(nvml, question, handle, text, ctypes.c_uint(WORD_BYTES))
    return text.value.decode()


def _ask(nvml: Any, question: str, *given: Any) -> None:
    """Ask the driver; raise OSError with its number where it does not answer."""
    code = getattr(nvml, question)(*given)
    if code:
        raise OSError(f"the GPU driver answers {question} with error {code}")


def _seen(found: list[Gpu], visible: str | None) -> Iterable[Gpu]:
    if visible is None:
        return found
    wanted = [word.strip() for word in visible.split(",") if word.strip()]
    names = [word for word in wanted if not word.isdigit()]
    return [gpu for gpu in found if str(gpu.number) in wanted or any(gpu.identifier.startswith(word) for word in names)]
