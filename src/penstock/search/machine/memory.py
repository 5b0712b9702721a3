"""How much memory a trial will take: what its family says, corrected by what trials of it took on this machine."""

import math
import statistics

from penstock.domain.search import Experience, MemoryNote, Trial

NEAR = 4.0  # times more or fewer cells: within it a measured trial says how far off its family is
HEADROOM = 1.15  # a trial samples its memory ten times a second, and tuned ones are a little larger than the default
LEAST_RATIO = 0.3  # of what a family says: below, the highest moment was between two samples
LEAST_MB = 16  # less is not told from the noise of a process
MOST_NOTES = 400  # kept for later searches, the newest


class Memory:
    """Predicts, and learns from each trial; `notes` are those of earlier searches and of this one."""

    def __init__(self, notes: tuple[MemoryNote, ...] = ()) -> None:
        self.notes = list(notes)

    def predicted_mb(self, family: str, rows: int, features: int, said_mb: float) -> float:
        """Return the memory of a trial beyond its libraries.

        Parameters
        ----------
        family
            Its family.
        rows, features
            Of the encoded table.
        said_mb
            What the family says, and the copies of rows that every trial makes.

        Returns
        -------
        float
            MB; what the family says, where nothing near this size was measured, or more, where it says too little
            at other sizes.
        """
        own = [note for note in self.notes if note.family == family]
        near = [note for note in own if _apart(note, rows, features) <= math.log(NEAR)]
        if near:
            return said_mb * max(LEAST_RATIO, HEADROOM * max(_ratio(note) for note in near))
        return said_mb * max([1.0, *(_ratio(note) for note in own)])

    def learn(self, note: MemoryNote) -> None:
        """Keep what a trial took, unless it was too little to be told from noise."""
        if note.peak_mb >= LEAST_MB and note.said_mb > 0:
            self.notes.append(note)

    def kept(self) -> tuple[MemoryNote, ...]:
        """Return what is kept for later searches."""
        return tuple(self.notes[-MOST_NOTES:])


def told(trials: tuple[Trial, ...]) -> tuple[str, ...]:
    """Say how far predicted memory was from what trials took."""
    known = [trial for trial in trials if trial.peak_mb >= LEAST_MB and trial.predicted_mb]
    if not known:
        return ()
    ratios = [trial.predicted_mb / trial.peak_mb for trial in known]
    over = sum(trial.mark == "over memory" for trial in trials)
    low = sum(ratio < 1 for ratio in ratios)
    return (
        f"memory of {len(known)} trials: predicted {statistics.median(ratios):.2g} times the real peak in the median, "
        f"{min(ratios):.2g} to {max(ratios):.2g}; {low} took more than predicted, {over} were ended for it",
    )


def merged(earlier: Experience, later: Experience) -> Experience:
    """Return two experiences as one: what both hold is held once."""
    memory = dict.fromkeys((*earlier.memory, *later.memory))
    devices = {(note.family, note.gpu, note.rows, note.features): note for note in (*earlier.devices, *later.devices)}
    return Experience(tuple(memory)[-MOST_NOTES:], tuple(devices.values())[-MOST_NOTES:])


def _ratio(note: MemoryNote) -> float:
    return note.peak_mb / note.said_mb


def _apart(note: MemoryNote, rows: int, features: int) -> float:
    return abs(math.log(max(1, note.rows * note.features) / max(1, rows * features)))
