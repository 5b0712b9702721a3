"""One search within one budget: from the start of the slots to the estimator fitted on all rows."""

import threading
import time

import numpy as np

from penstock.errors import ModelError
from penstock.search.encoding import Encoding, folds_folder, prepare
from penstock.search.machine import memory
from penstock.search.machine.footprints import judged
from penstock.search.machine.messages import Answer, FoldDone, GoOn
from penstock.search.machine.slots import Crew, Host, need_one_library
from penstock.search.model.limits import Limits
from penstock.search.order.schedule import Schedule
from penstock.search.phases.admission import Admission
from penstock.search.phases.ceiling import ceiling
from penstock.search.phases.clock import START_SECONDS, Clock
from penstock.search.phases.filling import Filling
from penstock.search.phases.laying import lay_first
from penstock.search.phases.opening import schedule_of, setting_of, start_slots
from penstock.search.phases.refit import Refit
from penstock.search.telling import progress_of
from penstock.search.tuning import Study
from penstock.search.wishes.spaces import still_asked
from penstock.search.work import Found, Hooks, Work

STOPPED = "stopped by a person after {:.1f} s of the search: the best so far was taken"
DESERTED = "no slot started any more after {:.1f} s of the search: the best so far was taken"
POLL_SECONDS = 0.05
QUIET_POLL_SECONDS = 0.01  # while no trial runs, nobody says when the first rows are encoded
TELL_SECONDS = 0.5
LATE_SECONDS = 1.2  # how long after the budget's end what is nearly done is waited for


def run(work: Work, hooks: Hooks | None = None) -> Found:
    """Search within the budget and fit the best candidate on all rows.

    Parameters
    ----------
    work
        Rows, families and settings. A folder that an earlier process of the same search left is gone on with: its
        finished trials stay, and what it spent of the budget is spent.
    hooks
        What to call meanwhile.

    Returns
    -------
    Found
        The trials, the best, and the file of the estimator fitted on all rows.

    Raises
    ------
    ModelError
        If no trial finished within the budget.
    """
    campaign = Campaign(work, hooks or Hooks())
    try:
        campaign.start()
        return campaign.search()
    finally:
        campaign.close()


class Campaign:
    """The loop: fills free slots, hears what they say, and keeps to the clock."""

    def __init__(self, work: Work, hooks: Hooks) -> None:
        self.told = time.monotonic()
        self.work, self.hooks = work, hooks
        prepare(work.folder, work.rows.name)
        self.clock = Clock(work.folder, began=self.told)
        flavours = tuple(sorted({family.flavour for family in work.families.values()}))
        settings = work.settings
        self.encoding = Encoding(work.rows, flavours, folds_folder(work.folder), settings.seed, settings.monotone)
        self.crew = Crew(work.slots, work.folder)
        self.admission = Admission(work, self.crew)
        self.study = Study(work.folder / "journal.log", settings.seed, settings.sampler)
        found = [judged(one, Limits(settings.limits)) for one in self.study.ended()]
        earlier = [one for one in found if still_asked(one.trial, work.families, work.rows.problem)]
        self.resumed = sum(one.trial.state == "finished" for one in earlier)
        self.earlier = [one for one in earlier if one.trial.state != "failed"]
        self.failed = [one for one in earlier if one.trial.state == "failed"]
        self.schedule: Schedule | None = None
        self.refit: Refit | None = None
        self.filling = Filling(self.crew, work, self.study, self.admission)
        self.finale = False
        self.stopped, self.ceiling = "", ""
        self.end = self.clock.end(settings, self.earlier)

    def start(self) -> None:
        """Start the slots and, while their processes load, the encoding; fail what a dead process left running.

        Meanwhile it is seen what no model can beat.
        """
        start_slots(self.crew, self.work)
        self.encoding.start()
        self.study.reap()
        costs = np.array(self.work.costs) if self.work.costs else None
        self.ceiling = ceiling(self.work.rows, self.work.settings.metric, costs) or ""

    def search(self) -> Found:
        """Try configurations while there is time, fit the best on all rows, and return it.

        Raises
        ------
        ModelError
            If no trial finished, or none could be fitted.
        """
        while time.monotonic() < self.end + LATE_SECONDS:
            self._hear(POLL_SECONDS if self.filling.at_work else QUIET_POLL_SECONDS)
            self.encoding.check()
            if self._is_deserted():
                break
            if self.schedule is None:
                self._introduce()
            elif self._turn(self.schedule):
                break
            self._tell_progress()
        return self._found()

    def _is_deserted(self) -> bool:
        """Return whether no slot starts any more, though one has finished a trial: the best so far is taken.

        Raises
        ------
        ModelError
            If none starts, and none has finished any.
        """
        if self.crew.hosts or not self.crew.broken:
            return False
        ended = self.schedule.ended if self.schedule else []
        if not any(one.trial.slot is not None and one.trial.state == "finished" for one in ended):
            need_one_library(self.crew)
        self.stopped = DESERTED.format(self.clock.seconds() + self.clock.spent)
        return True

    def _turn(self, schedule: Schedule) -> bool:
        """Fill the slots with trials, or from the last moment on with final fits; return whether all is done."""
        refit = self._refit(schedule)
        self.failed += lay_first(refit, self.study, self.encoding, self.failed, self.clock.began)
        self._heed(schedule)
        self.finale = self.finale or time.monotonic() >= schedule.must_fit(self.end)
        if not self.finale:
            self.filling.fill(refit)
            idle = not self.crew.at_work
            self.finale = idle and (schedule.enough() or all(host.told for host in self.crew.hosts.values()))
        if not self.finale or not any(one.trial.state == "finished" for one in schedule.ended):
            return False
        for host in refit.in_the_way():
            self._drop(host, "its slot was needed to fit the best candidate")
        return refit.go_on(spare=not self.filling.at_work) and not self.filling.at_work

    def _heed(self, schedule: Schedule) -> None:
        """End the trials at work once a person wants the search stopped; what is best so far still has to be fitted."""
        asked = self.hooks.stopped is not None and self.hooks.stopped()
        if not asked or self.stopped or not any(one.trial.state == "finished" for one in schedule.ended):
            return
        now = time.monotonic()
        self.stopped = STOPPED.format(self.clock.seconds() + self.clock.spent)
        for work in list(self.filling.at_work.values()):
            if work.host is not None:
                self._drop(work.host, "the search was stopped")
        for name in schedule.reasons:
            schedule.skips.setdefault(name, "the search was stopped before its turn")
        self.finale, self.end = True, min(self.end, now + schedule.fit_at_most() + START_SECONDS)
        refit = self._refit(schedule)
        refit.end, refit.copying = self.end, False

    def _refit(self, schedule: Schedule) -> Refit:
        if self.refit is None:
            self.refit = Refit(self.crew, schedule, self.work, self.end)
        return self.refit

    def _found(self) -> Found:
        """Return the best candidate that is fitted."""
        schedule = self.schedule
        if schedule is None:
            seconds = self.work.settings.budget.seconds
            raise ModelError(f"Rows must be encoded within the budget of {seconds:.0f} s, but were not. Raise it.")
        for work in list(self.filling.at_work.values()):
            if work.host is not None:
                self._drop(work.host, "the time for trials was over")
        refit = self._refit(schedule)
        pick = refit.settled()
        trials = schedule.listed(self.failed)
        best = pick.trial(1 + trials[-1].number, refit.taken(pick))
        model = self.work.folder / "model.pkl"
        refit.recipe(pick).save(model)
        return Found(
            trials=(*trials, best) if pick.mixture else trials,
            best=best,
            parameters=best.parameters if pick.mixture else refit.parameters(pick.members[0][0]),
            model=model,
            out_of_fold=pick.write(self.work.folder),
            seconds=self.clock.seconds(),
            resumed=self.resumed,
            reasons=(*filter(None, [self.stopped, self.ceiling]), *pick.reasons, *memory.told(trials)),
            experience=self.admission.experience,
            members=tuple((one.trial.family, weight, refit.parameters(one)) for one, weight in pick.members),
        )

    def _drop(self, host: Host, reason: str) -> None:
        for ended, answer in self.crew.end(host, reason, "deadline"):
            self._take(ended, answer)

    def close(self) -> None:
        """End every process and the encoding; keep what was spent."""
        self.clock.keep()
        self.crew.close()
        self.encoding.stop()

    # --- slots -----------------------------------------------------------------------------------------------------

    def _introduce(self) -> None:
        """Tell the slots what all trials have in common, once the first rows are encoded."""
        if not self.encoding.known.is_set():
            return
        self.encoding.check()
        setting = setting_of(self.work, self.encoding)
        self.crew.tell(setting)
        self.schedule = schedule_of(self.work, setting, self.earlier, self.admission.memory)
        self.schedule.lost += [one for one in self.failed if self.study.gives_up(one)]
        if self.hooks.meanwhile is not None:
            threading.Thread(target=self.hooks.meanwhile, name="meanwhile", daemon=True).start()

    # --- answers ---------------------------------------------------------------------------------------------------

    def _hear(self, seconds: float) -> None:
        for host, answer in self.crew.wait(seconds):
            self._take(host, answer)

    def _take(self, host: Host, answer: Answer) -> None:
        work = self.filling.at_work.get(answer.number)
        if self.schedule is None:
            return
        if work is None:
            self._refit(self.schedule).take(answer)
            return
        if isinstance(answer, FoldDone):
            work.scores.append(answer.score)
            work.seconds.append(answer.seconds)
            more = len(work.scores) < len(work.plan.folds)
            work.pruned = more and self.schedule.behind(work.plan, work.scores)
            self.crew.answer(host, GoOn(go=not work.pruned))
            return
        del self.filling.at_work[answer.number], self.schedule.running[answer.number]
        ended = work.ended(answer, round(self.schedule.memory_mb(work.draft.family)))
        self.study.tell(ended)
        self.admission.learn(ended, answer, self.schedule)
        if ended.trial.state == "failed":
            self.failed.append(ended)
            if ended.trial.mark != "process died" or not work.draft.again:
                self.schedule.give_up(ended)
        else:
            self.schedule.ended.append(ended)
        self.clock.keep()

    # --- progress --------------------------------------------------------------------------------------------------

    def _tell_progress(self) -> None:
        now = time.monotonic()
        if self.hooks.progress is None or now - self.told < TELL_SECONDS:
            return
        self.told = now
        ended = self.schedule.ended if self.schedule else self.earlier
        left_out = len(self.filling.at_work), len(self.schedule.skips) if self.schedule else 0
        self.hooks.progress(progress_of(ended, left_out, self.work, self.end - now))
