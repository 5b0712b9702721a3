"""What the model is made of, at hand before the budget ends: bags of fold models, and fits on all rows in slots."""

import math
import pickle  # noqa: TID251  estimators that this search's slots fitted, put beside each other
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from penstock.domain.search import Footprint, Value
from penstock.errors import ModelError
from penstock.search.encoding import folds_folder, pipeline_path
from penstock.search.machine.messages import Answer, FitJob, JobDone, JobFailed, bag_path
from penstock.search.machine.slots import Crew, Host
from penstock.search.model.limits import added, rounded
from penstock.search.model.recipe import Ingredient, Recipe
from penstock.search.order.plans import BASELINE, score_of
from penstock.search.order.schedule import Schedule
from penstock.search.phases.choosing import Pick, choose, choosing_seconds
from penstock.search.phases.copies import Copies, bears_copies
from penstock.search.selection import Ranking, rank
from penstock.search.trial_records import Ended
from penstock.search.work import Work

MOST_MORE_ROUNDS = 1.2  # more rows bear more rounds than the folds settled on, but not in proportion
SAME_SHARE = 0.01  # of the score: one fold has no spread
SPARE_SHARE = 0.5  # of the time left: what the candidate that is fitted beside the best may take
GRACE_SECONDS = 1.0  # a fit that stops by its deadline still has to be checked and written
SLACK = 2.0  # times the time left a fit may be predicted to take: a fold's seconds hold its patience, a fit has none


@dataclass(slots=True)
class Refit:
    """Which candidates are being fitted on all rows, and which cannot be; `schedule.fitted` are those that are."""

    crew: Crew
    schedule: Schedule
    work: Work
    end: float
    failed: dict[int, str] = field(default_factory=dict)
    started: set[int] = field(default_factory=set)
    pick: Pick | None = None
    footprints: dict[int, Footprint] = field(default_factory=dict)
    copies: Copies = field(default_factory=Copies)
    copying: bool = True

    def ranking(self) -> Ranking:
        """Return the candidates at present, those that cannot be fitted in time last."""
        left = (self.end - time.monotonic()) * SLACK
        return rank(self.schedule.ended, lambda one: self._left_to_fit(one) <= left)

    def is_begun(self, one: Ended) -> bool:
        """Return whether a candidate is at hand, or about to be."""
        return one.trial.number in self.started or self.schedule.at_hand(one)

    def go_on(self, *, spare: bool) -> bool:
        """Start what should be fitted and has a slot; return whether what the model is made of is at hand.

        With `spare`, slots have nothing else to do, so that it is settled whether several candidates are better than
        one, and a quicker candidate is fitted beside the best.
        """
        candidates = [one for one in self.ranking().candidates if one.trial.number not in self.failed]
        if not candidates:
            return False
        if spare:
            self._settle(candidates)
        members = [one for one, _ in self.pick.members] if self.pick else candidates[:1]
        missing = [one for one in members if not self.schedule.at_hand(one)]
        wished = [one for one in members if one not in missing and self._is_wished(one)]
        for one in (*missing, *wished):
            self.submit(one)
        if missing and spare and len(members) == 1:
            self._beside(missing[0], candidates[1:])
        return not missing and not wished and not (spare and self._copy(members))

    def _copy(self, members: list[Ended]) -> bool:
        """Fit members whose fits differ by their seeds again; return whether that is going on."""
        if not self.copying or not bears_copies(self.work.settings):
            return False
        drawn = [one for one in members if self.work.families[one.trial.family].bags]
        wanted = [(one, self.job(one), self.schedule.fit_seconds(one)) for one in drawn]
        return self.copies.go_on(wanted, self.end - time.monotonic(), self._start)

    def _settle(self, candidates: list[Ended]) -> None:
        """Choose what the model is made of, once, and again where a fit that it needs has failed."""
        if self.pick is not None and not any(one.trial.number in self.failed for one, _ in self.pick.members):
            return
        now = time.monotonic()
        if now >= self.end:
            self.pick = Pick(((candidates[0], 1.0),), None, ("no time was left to see whether a mean of several pays",))
            return
        left = max(0.0, self.end - now - choosing_seconds(self.work))  # what is at hand needs none
        in_time, seconds = candidates[:1], self._left_to_fit(candidates[0])
        for one in candidates[1:]:
            more = self._left_to_fit(one)
            if seconds + more <= left * len(self.crew.slots) and more <= left:
                in_time.append(one)
                seconds += more
        self.pick = choose(candidates[0], self._together(in_time), self.work)

    def _together(self, candidates: list[Ended]) -> list[Ended]:
        """Return the best candidates that are within the limits all at once, so that any mean of them is."""
        kept: list[Ended] = []
        taken: list[Footprint] = []
        for one in candidates:
            found = self._footprint(one)
            if found is not None and self.schedule.limits.over(added([*taken, found])):
                continue
            kept.append(one)
            taken += [] if found is None else [found]
        return kept

    def _footprint(self, one: Ended) -> Footprint | None:
        """Return what a candidate takes in the form it has in the model, or will have; None without limits."""
        number = one.trial.number
        if number in self.footprints:
            return self.footprints[number]
        return one.trial.footprint if self.schedule.better_fitted(one) else one.bag

    def taken(self, pick: Pick) -> Footprint | None:
        """Return what the members of a pick take together, as it was measured last; None without limits."""
        parts = [found for found in (self._footprint(one) for one, _ in pick.members) if found is not None]
        return rounded(added(parts)) if self.schedule.limits.most and parts else None

    def _within(self, pick: Pick) -> bool:
        return not self.schedule.limits.over(self.taken(pick))

    def _left_to_fit(self, one: Ended) -> float:
        """Return the seconds until a candidate is at hand."""
        return 0.0 if self.is_begun(one) else self.schedule.fit_seconds(one)

    def _is_wished(self, one: Ended) -> bool:
        """Return whether a candidate that is at hand is fitted on all rows too, as there is time."""
        number = one.trial.number
        if number in self.failed or not self.schedule.better_fitted(one):
            return False
        return number in self.started or self.schedule.fit_seconds(one) <= self.end - time.monotonic()

    def _beside(self, best: Ended, others: list[Ended]) -> None:
        """Fit a quicker candidate beside the best, if a slot is free."""
        if best.trial.number not in self.started:
            return
        left = (self.end - time.monotonic()) * SPARE_SHARE
        quick = [one for one in others if self.schedule.fit_seconds(one) <= left][:1]
        if quick and not self.schedule.at_hand(quick[0]) and self.started == {best.trial.number}:
            self.submit(quick[0])

    def in_the_way(self) -> list[Host]:
        """Return the process whose trial keeps the best candidate from a slot, where no other slot can fit it."""
        best = self.ranking().candidates[0]
        if self.is_begun(best):
            return []
        library = self.work.families[best.trial.family].library
        hosts = [(self.crew.busy(slot), self.crew.host(slot, library)) for slot in self.crew.slots]
        if any(busy is None and host is not None for busy, host in hosts):
            return []
        ready = [busy for busy, host in hosts if busy is not None and host not in (None, busy)]
        return [host for host in ready if host.job is not None and host.job.number in self.schedule.running][:1]

    def settled(self) -> Pick:
        """Return what the model is made of: what was picked, or the best candidate that is at hand.

        Raises
        ------
        ModelError
            If none is.
        """
        ranking = self.ranking()
        at_hand = self.pick is not None and all(self.schedule.at_hand(one) for one, _ in self.pick.members)
        if self.pick is not None and at_hand and self._within(self.pick):
            copied = self.copies.told(one.trial.number for one, _ in self.pick.members)
            return Pick(self.pick.members, self.pick.mixture, (*ranking.reasons, *self.pick.reasons, *copied))
        best = next((one for one in ranking.candidates if self.schedule.at_hand(one)), None)
        first = ranking.candidates[0].trial
        why = self.failed.get(first.number, "its fit did not end within the budget")
        if best is None:
            raise ModelError(f"A candidate must be fitted on all rows, but none was: {why}. Raise `budget.seconds`.")
        if best.trial is first:
            return Pick(((best, 1.0),), None, ranking.reasons)
        told = f"trial {first.number} ({first.family}) scored best, but was not fitted: {why}"
        return Pick(((best, 1.0),), None, (*ranking.reasons, told))

    def recipe(self, pick: Pick) -> Recipe:
        """Return the bytes of what the model is made of."""
        pipelines: dict[str, bytes] = {}
        members = tuple(self._ingredient(one, weight, pipelines) for one, weight in pick.members)
        return Recipe(members, pipelines)

    def _ingredient(self, one: Ended, weight: float, pipelines: dict[str, bytes]) -> Ingredient:
        family = self.work.families[one.trial.family]
        folder = folds_folder(self.work.folder)
        models: list[tuple[int | None, bytes]]
        if one.trial.number in self.schedule.fitted:
            models = [(None, estimator_path(self.work.folder, one).read_bytes())]
        else:
            models = pickle.loads(bag_path(str(folder), one.trial.number).read_bytes())  # noqa: S301  see the import
        models += [(None, path.read_bytes()) for path in self.copies.done.get(one.trial.number, ())]
        parts = []
        for fold, model in models:
            path = pipeline_path(folder, family.flavour, fold)
            if one.trial.family == BASELINE and not path.exists():
                path = pipeline_path(
                    folder, family.flavour, 0
                )  # the budget ended before more was encoded: it looks at none
            if path.name not in pipelines:
                pipelines[path.name] = path.read_bytes()
            parts.append((path.name, model))
        return Ingredient(one.trial.family, weight, tuple(parts))

    def submit(self, one: Ended) -> None:
        """Give a candidate to a free slot, unless it is at work already."""
        number = one.trial.number
        if number not in self.started and self._start(one, self.job(one)):
            self.started.add(number)

    def _start(self, one: Ended, job: FitJob) -> bool:
        """Give a job of a candidate to a free slot; return whether there is one."""
        host = self._free(self.work.families[one.trial.family].library)
        if host is None:
            return False
        on_gpu = one.trial.device != "cpu" and host.device != "cpu"
        given = job if on_gpu else replace(job, device="cpu")
        self.crew.submit(host, given, one.trial.predicted_gpu_mb if on_gpu else 0)
        return True

    def job(self, one: Ended) -> FitJob:
        """Return the job that fits a candidate on all rows."""
        return FitJob(
            number=one.trial.number,
            family=one.trial.family,
            parameters=self.parameters(one),
            deadline=self.end,
            latest=self.end + GRACE_SECONDS,
            path=str(estimator_path(self.work.folder, one)),
            least=least_score(one),
            device=one.trial.device,
        )

    def take(self, answer: Answer) -> None:
        """Note what became of a fit."""
        if answer.number in self.copies.begun:
            self.copies.take(answer)
        elif isinstance(answer, JobDone) and answer.over:
            self._fail(answer.number, f"fitted on all rows it is over a limit: {'; '.join(answer.over)}")
        elif isinstance(answer, JobDone):
            self.schedule.fitted.add(answer.number)
            if answer.footprint is not None:
                self.footprints[answer.number] = answer.footprint
        elif isinstance(answer, JobFailed):
            self._fail(answer.number, answer.reason)

    def _fail(self, number: int, reason: str) -> None:
        self.failed[number] = reason
        self.schedule.unfit.add(number)
        self.started.discard(number)

    def parameters(self, one: Ended) -> dict[str, Value]:
        """Return a candidate's parameters for a fit on all rows: what early stopping settled, for more rows."""
        more = min(math.sqrt(max(1.0, self.schedule.shape.growth)), MOST_MORE_ROUNDS)
        more = 1.0 if self.schedule.limits.most else more  # no larger than what was measured
        settled = {
            name: max(1, round(value * more)) if isinstance(value, int) and not isinstance(value, bool) else value
            for name, value in one.refit.items()
        }
        return {**one.trial.parameters, **settled}

    def _free(self, library: str) -> Host | None:
        slots = [slot for slot in self.crew.slots if self.crew.busy(slot) is None]
        hosts = [self.crew.host(slot, library) for slot in slots]
        found = next((host for host in hosts if host is not None), None)
        if found is None and slots and library != "sklearn":
            self.crew.start(slots[0], library)
        return found


def least_score(one: Ended) -> float:
    """Return the score on its own rows below which a fit on all rows is not what the folds promised.

    The baseline has nothing that could be cut short, and a search without it has nothing to fall back on.
    """
    if one.trial.family == BASELINE:
        return -math.inf
    scores = one.trial.fold_scores
    return score_of(one) - float(np.std(scores)) - SAME_SHARE * abs(score_of(one))


def estimator_path(folder: Path, one: Ended) -> Path:
    """Return where a candidate's estimator, fitted on all rows, lies."""
    return folder / f"estimator-{one.trial.number}.pkl"
