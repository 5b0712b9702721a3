"""The machine's cores, memory and GPUs as slots; who is admitted, and why not."""

import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from penstock.domain.search import Budget, Machine, Slot
from penstock.search.machine.gpus import find_gpus
from penstock.search.machine.slots import own_memory_mb

if TYPE_CHECKING:
    from penstock.search.encoding import TrainingRows  # the doctor looks at the machine, and loads no pipeline

SMALLEST_SLOT_MB = 500  # a process with LightGBM or torch loaded holds about 250 MB before it sees a row
RESERVE_SHARE = 0.15  # of free memory: left to serving, and to this process while it encodes
LEAST_RESERVE_MB = 256
CORES_TO_SPARE = 4  # from here on one core is left to serving; below, slots only yield by their priority
LIBRARIES_MB = {"sklearn": 120, "lightgbm": 130, "torch": 250}  # what a slot's process holds before its first fit
OWN_COPIES = 5.0  # of the decoded rows: what the searching process holds at most while it encodes them, and after
TRIAL_COPIES = 4.0  # of the decoded rows: what the smallest slot has for a fit
SHARED_GPU_MB = 8_000  # a GPU with less free memory is one slot's alone
SHARING = 2  # slots of one GPU at most: each holds a context of its own

MB = 1024 * 1024
NO_LIMIT = 1 << 60  # cgroup v1 says "no limit" with a number near 2 ** 63


def inventory(visible_gpus: str | None = None, root: Path = Path("/")) -> Machine:
    """Return what this process may use: cores by affinity and quota, memory by cgroup, GPUs with free memory.

    Parameters
    ----------
    visible_gpus
        What `CUDA_VISIBLE_DEVICES` says: numbers or identifiers of GPUs, comma-separated; None: all of them.
    root
        Where `proc` and `sys` lie.
    """
    notes: list[str] = []
    gpus = tuple((gpu.number, gpu.name, gpu.free_mb) for gpu in find_gpus(visible_gpus, notes))
    return Machine(cores=_cores(root), memory_mb=_memory_mb(root, notes), gpus=gpus, notes=tuple(notes))


def slots_for(
    rows: "TrainingRows", budget: Budget, visible_gpus: str | None, *, alone: bool = True
) -> tuple[Slot, ...]:
    """Return this machine's slots for a search of decoded rows.

    Parameters
    ----------
    rows
        What is searched: this process copies them, and each fit does.
    budget
        Bounds memory and GPUs.
    visible_gpus
        As `inventory` takes it.
    alone
        Whether this process does nothing else, so that what it holds counts against `budget.memory_gb`.
    """
    held = own_memory_mb(os.getpid()) if alone else 0
    return cut(inventory(visible_gpus), budget, (rows.numbers.nbytes + rows.texts.nbytes) / MB, held)


def cut(machine: Machine, budget: Budget, data_mb: float = 0.0, held_mb: int = 0) -> tuple[Slot, ...]:
    """Cut a machine into slots of one core each, the first with a GPU each, with an equal share of memory.

    Parameters
    ----------
    machine
        What placement found.
    budget
        Its `memory_gb` bounds the memory of the search, this process included, its `gpus` the number of GPUs.
    data_mb
        The size of the decoded rows: this process copies them while it encodes, and each fit does.
    held_mb
        What this process holds already; it counts against `memory_gb`, and is gone from the machine's free memory.

    Returns
    -------
    tuple of Slot
        At least one.
    """
    cores = max(1, math.floor(machine.cores + 0.01))
    spared = 1 if cores >= CORES_TO_SPARE else 0
    memory = machine.memory_mb - max(LEAST_RESERVE_MB, int(machine.memory_mb * RESERVE_SHARE))
    if budget.memory_gb is not None:
        memory = min(memory, int(budget.memory_gb * 1024) - held_mb)
    memory -= int(data_mb * OWN_COPIES)
    smallest = max(SMALLEST_SLOT_MB, LIBRARIES_MB["torch"] + int(data_mb * TRIAL_COPIES))
    count = min(cores - spared, max(1, memory // smallest))
    wanted = len(machine.gpus) if budget.gpus == "auto" else min(budget.gpus, len(machine.gpus))
    gpus = _by_slot(machine.gpus[:wanted], count)
    share = max(memory, 1) // count
    why = _why(cores, spared, count, share)
    return tuple(
        Slot(
            number=place,
            cores=(place,),
            memory_mb=share,
            gpu=number,
            reason=why + (f"; GPU {number} with {free} MB" if number is not None else ""),
            gpu_mb=free,
        )
        for place, (number, free) in enumerate(gpus)
    )


def _by_slot(gpus: tuple[tuple[int, str, int], ...], count: int) -> list[tuple[int | None, int]]:
    """Return the GPU of each slot and its free memory: each has one slot first, and those with room a second."""
    turns = [gpu for turn in range(SHARING) for gpu in gpus if turn == 0 or gpu[2] >= SHARED_GPU_MB]
    given: list[tuple[int | None, int]] = [(number, free) for number, _, free in turns[:count]]
    return given + [(None, 0)] * (count - len(given))


def refusal(memory_mb: float, library: str, slot: Slot) -> str | None:
    """Return why a trial of a predicted memory is not admitted to a slot (need, available, rule), or None."""
    need = memory_mb + LIBRARIES_MB.get(library, 0)
    if need <= slot.memory_mb:
        return None
    return (
        f"predicted memory {need:.0f} MB ({library} {LIBRARIES_MB.get(library, 0)} MB, fit {memory_mb:.0f} MB) "
        f"is more than the slot's {slot.memory_mb} MB: only what is predicted to fit is admitted"
    )


def _why(cores: int, spared: int, count: int, share: int) -> str:
    kept = "one core is left to serving" if spared else "slots yield to serving by their priority"
    bound = "" if count == cores - spared else f"; memory allows {count} of {cores - spared}"
    return f"one of {count} slots on {cores} cores, {share} MB each; {kept}{bound}"


def _cores(root: Path) -> float:
    visible = float(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
    for folder in _groups(root, "cpu"):
        words = _text(folder / "cpu.max").split()
        if words and words[0] != "max":
            visible = min(visible, int(words[0]) / int(words[1]))
        quota, period = _number(folder / "cpu.cfs_quota_us"), _number(folder / "cpu.cfs_period_us")
        if quota is not None and period and quota > 0:
            visible = min(visible, quota / period)
    return visible


def _memory_mb(root: Path, notes: list[str]) -> int:
    free = _available_bytes(root)
    for folder in _groups(root, "memory"):
        limit = _number(folder / "memory.max") or _number(folder / "memory.limit_in_bytes")
        if limit is None or limit >= NO_LIMIT:
            continue
        used = _number(folder / "memory.current") or _number(folder / "memory.usage_in_bytes") or 0
        left = max(0, limit - max(0, used - _reclaimable(folder)))
        if left < free:
            notes.append(f"memory is bounded by a control group: {limit // MB} MB, of which {left // MB} MB are free")
            free = left
    return int(free // MB)


def _available_bytes(root: Path) -> int:
    for line in _text(root / "proc/meminfo").splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return int(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")) // 2  # no such file: half of what is built in


def _reclaimable(folder: Path) -> int:
    """Return the bytes of file cache that the kernel gives back when memory is asked for."""
    figures = dict(line.split()[:2] for line in _text(folder / "memory.stat").splitlines() if " " in line)
    return int(figures.get("total_inactive_file", figures.get("inactive_file", 0)))


def _groups(root: Path, controller: str) -> Iterator[Path]:
    """Yield this process's control group and those above it, of version 2 and of version 1."""
    base = root / "sys/fs/cgroup"
    for line in _text(root / "proc/self/cgroup").splitlines():
        number, controllers, path = line.split(":", 2)
        if number == "0" and not controllers:
            yield from _upwards(base, path)
        elif controller in controllers.split(","):
            yield from _upwards(base / controllers, path)


def _upwards(base: Path, path: str) -> Iterator[Path]:
    parts = [part for part in path.split("/") if part]
    for length in range(len(parts), -1, -1):
        folder = base.joinpath(*parts[:length])
        if folder.is_dir():
            yield folder


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return ""  # a file that another kernel, or another version of control groups, does not have


def _number(path: Path) -> int | None:
    text = _text(path).strip()
    return int(text) if text.lstrip("-").isdigit() else None
