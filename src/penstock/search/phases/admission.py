"""Whom a slot takes in and on which device, by what trials took on this machine so far; it learns from each."""

from penstock.domain.search import DeviceNote, Experience, MemoryNote
from penstock.search.machine.devices import Ask, Gpus, Placed
from penstock.search.machine.gpus import find_gpus
from penstock.search.machine.memory import Memory, merged
from penstock.search.machine.messages import JobDone, JobFailed
from penstock.search.machine.slots import Crew, Host
from penstock.search.order.schedule import Schedule
from penstock.search.trial_records import Ended
from penstock.search.work import Work


class Admission:
    """The memory and the GPUs of one search."""

    def __init__(self, work: Work, crew: Crew) -> None:
        self.work, self.crew = work, crew
        self.memory = Memory(work.experience.memory)
        seen = find_gpus(None, []) if any(slot.gpu is not None for slot in work.slots) else ()
        self.gpus = Gpus(tuple((gpu.number, gpu.name) for gpu in seen), work.experience.devices)

    def place(self, family: str, schedule: Schedule, host: Host) -> Placed:
        """Return where a trial of a family runs in a slot that is free, and why."""
        ask = self._ask(family, schedule)
        leased = 0 if host.slot.gpu is None else self.crew.leased_mb(host.slot.gpu)
        return self.gpus.place(ask, host.slot, host.device, leased)

    def learn(self, ended: Ended, answer: JobDone | JobFailed, schedule: Schedule) -> None:
        """Keep what a trial took: its memory, if it fitted on every row, and the comparison of devices it made."""
        trial = ended.trial
        slot = next((slot for slot in self.work.slots if slot.number == trial.slot), None)
        ask = self._ask(trial.family, schedule)
        telling = trial.state in {"finished", "pruned"} or trial.mark == "over memory"
        if telling and ended.most_rows is None:
            said = round(schedule.said_mb(trial.family))
            note = MemoryNote(trial.family, ask.rows, ask.features, schedule.shape.classes, said, trial.peak_mb)
            self.memory.learn(note)
        if isinstance(answer, JobDone) and answer.compared is not None and slot is not None:
            on_cpu, on_gpu = answer.compared
            name = self.gpus.name(slot)
            self.gpus.notes += (DeviceNote(trial.family, name, ask.rows, ask.features, on_cpu, on_gpu),)

    @property
    def experience(self) -> Experience:
        """What the search was given, and what it measured itself."""
        return merged(self.work.experience, Experience(self.memory.kept(), self.gpus.notes))

    def _ask(self, family: str, schedule: Schedule) -> Ask:
        known, shape = self.work.families[family], schedule.shape
        features = shape.features.get(known.flavour, 1)
        return Ask(family, known.needs(shape.rows, features, shape.classes), shape.rows, features)
