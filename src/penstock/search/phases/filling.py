"""What a free slot is given: a trial, a fit on all rows, or the library of what it will try."""

import time
from dataclasses import dataclass, field

from penstock.domain.search import Slot
from penstock.search.machine.slots import Crew
from penstock.search.order.schedule import Schedule
from penstock.search.phases.admission import Admission
from penstock.search.phases.clock import START_SECONDS
from penstock.search.phases.opening import COMPILED, ROOM_FOR_TWO_MB
from penstock.search.phases.refit import Refit
from penstock.search.tuning import Study
from penstock.search.work import AtWork, Work


@dataclass(slots=True)
class Filling:
    """Fills the free slots of a search; `at_work` are the trials that slots are busy with, by their numbers."""

    crew: Crew
    work: Work
    study: Study
    admission: Admission
    at_work: dict[int, AtWork] = field(default_factory=dict)

    def fill(self, refit: Refit) -> None:
        """Give each free slot what it does next; leave out the families of a library that loads in no slot."""
        for library, reason in self.crew.broken.items():
            for name, family in self.work.families.items():
                if family.library == library:
                    refit.schedule.skips.setdefault(name, reason)
        for slot in self.work.slots:
            if self.crew.busy(slot) is None:
                self._give(slot, refit)

    def _give(self, slot: Slot, refit: Refit) -> None:
        schedule, end = refit.schedule, refit.end
        ready = {library for library in ("sklearn", *COMPILED) if self.crew.host(slot, library) is not None}
        now = time.monotonic()
        best = schedule.fit_early(ready)
        if best is not None and not refit.is_begun(best):
            refit.submit(best)
            return
        plan = schedule.next(ready, now, end) if ready else None
        if plan is None:
            self._prepare_for(slot, schedule, now, end)
            return
        family = self.work.families[plan.family]
        host = self.crew.host(slot, family.library)
        if host is None:
            return
        placed = self.admission.place(plan.family, schedule, host)
        given = schedule.given(plan)
        draft = self.study.ask(plan.family, plan.kind, given, schedule.spaces[plan.family])
        schedule.running[draft.number] = plan
        work = self.at_work[draft.number] = AtWork(draft, plan, host, now, placed)
        self.crew.submit(host, work.job(schedule.must_fit(end)), placed.gpu_mb)

    def _prepare_for(self, slot: Slot, schedule: Schedule, now: float, end: float) -> None:
        """Load in an idle slot the library that has work, if there is time for both."""
        hosts = [host for host in self.crew.hosts.values() if host.slot == slot]
        if any(not host.told for host in hosts):
            return
        for library in schedule.wanted(now + START_SECONDS, end):
            if self.crew.host(slot, library) is None:
                if slot.memory_mb < ROOM_FOR_TWO_MB:
                    for host in hosts:
                        self.crew.end(host, "its memory was needed", "memory")
                self.crew.start(slot, library)
                return
