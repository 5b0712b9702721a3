"""Where a trial runs: on its slot's GPU where that is quicker and has room for it, else on the CPU; and why."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from penstock.domain.search import DeviceNote, Slot
from penstock.models._base import Needs
from penstock.search.machine.gpus import free_mb

NEAR = 2.0  # times more or fewer cells: within it a comparison of CPU and GPU holds
CONTEXT_MB = 600  # of a GPU's memory that a process takes for itself
MARGIN = 1.2  # times what a trial is predicted to take there


@dataclass(frozen=True, slots=True)
class Ask:
    """What is to be placed: a family, what it needs, and the size of the encoded table."""

    family: str
    needs: Needs
    rows: int
    features: int

    @property
    def gpu_mb(self) -> int:
        """The GPU memory that a trial of it leases."""
        return math.ceil(CONTEXT_MB + self.needs.memory_mb * MARGIN)


@dataclass(frozen=True, slots=True)
class Placed:
    """Where a trial runs, why, what of a GPU's memory it leases, and whether CPU and GPU are compared first."""

    device: str = "cpu"
    reason: str = ""
    gpu_mb: int = 0
    compare: bool = False
    lost: bool = False


@dataclass(slots=True)
class Gpus:
    """What is known of GPUs: number and name of each, measured comparisons, free memory at present (None: gone)."""

    names: tuple[tuple[int, str], ...] = ()
    notes: tuple[DeviceNote, ...] = ()
    free: Callable[[int], int | None] = free_mb

    def place(self, ask: Ask, slot: Slot, device: str, leased_mb: int) -> Placed:
        """Return where a trial runs.

        Parameters
        ----------
        ask
            What is to be placed.
        slot
            The slot that is free.
        device
            Where its process can compute besides the CPU.
        leased_mb
            What trials at work hold of the slot's GPU.
        """
        if not ask.needs.gains_from_gpu or slot.gpu is None:
            return Placed(reason="" if slot.gpu is None else "the family does not gain from a GPU at this size")
        if device == "cpu":
            return Placed(reason=f"GPU {slot.gpu} is gone: the slot's process sees none", lost=True)
        known = self.compared(ask, slot)
        if known is not None and known.cpu_seconds <= known.gpu_seconds:
            return Placed(reason=f"quicker on the CPU: {_figures(known)}")
        return self._on_gpu(ask, slot, leased_mb, known)

    def _on_gpu(self, ask: Ask, slot: Slot, leased_mb: int, known: DeviceNote | None) -> Placed:
        free = None if slot.gpu is None else self.free(slot.gpu)
        if free is None:
            return Placed(reason=f"GPU {slot.gpu} is gone: the driver does not know it any more", lost=True)
        room = min(free, slot.gpu_mb - leased_mb)
        if ask.gpu_mb > room:
            return Placed(reason=f"GPU {slot.gpu} has room for {max(0, room)} MB, and {ask.gpu_mb} MB are predicted")
        why = f"quicker on the GPU: {_figures(known)}" if known else "compared with the CPU first"
        return Placed("cuda", why, ask.gpu_mb, compare=known is None)

    def compared(self, ask: Ask, slot: Slot) -> DeviceNote | None:
        """Return the comparison that is nearest in size, if one is near."""
        own = [note for note in self.notes if (note.family, note.gpu) == (ask.family, self.name(slot))]
        nearest = min(own, key=lambda note: _apart(note, ask), default=None)
        return nearest if nearest is not None and _apart(nearest, ask) <= math.log(NEAR) else None

    def name(self, slot: Slot) -> str:
        """Return the name of a slot's GPU: comparisons hold for GPUs of one kind."""
        return next((name for number, name in self.names if number == slot.gpu), "")


def _apart(note: DeviceNote, ask: Ask) -> float:
    return abs(math.log(max(1, note.rows * note.features) / max(1, ask.rows * ask.features)))


def _figures(note: DeviceNote) -> str:
    return f"a short fit took {note.cpu_seconds:.2g} s on the CPU and {note.gpu_seconds:.2g} s on {note.gpu}"
