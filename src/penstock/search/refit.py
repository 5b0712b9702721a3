"""Candidates on all rows, in slots, before the budget ends: the best so far, and a quicker one beside it."""

import math
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from penstock.domain.search import Value
from penstock.errors import ModelError
from penstock.search.messages import Answer, FitJob, JobDone, JobFailed
from penstock.search.schedule import Schedule, score_of
from penstock.search.selection import Ranking, rank
from penstock.search.slots import Crew, Host
from penstock.search.tuning import Ended
from penstock.search.work import Work

MOST_MORE_ROUNDS = 1.2  # more rows bear more rounds than the folds settled on, but not in proportion
SAME_SHARE = 0.01  # of the score: one fold has no spread
SPARE_SHARE = 0.5  # of the time left: what the candidate that is fitted beside the best may take
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

    def ranking(self) -> Ranking:
        """Return the candidates at present, those that cannot be fitted in time last."""
        left = (self.end - time.monotonic()) * SLACK
        return rank(
            self.schedule.ended,
            self.work.settings.limits,
            lambda one: self.is_begun(one) or self.schedule.fit_seconds(one) <= left,
        )

    def is_begun(self, one: Ended) -> bool:
        """Return whether a candidate is fitted, or about to be."""
        return one.trial.number in self.started or self._is_done(one)

    def go_on(self, *, spare: bool) -> bool:
        """Start what should be fitted and has a slot; return whether the best candidate is fitted.

        With `spare`, slots have nothing else to do, so that a quicker candidate is fitted beside the best.
        """
        candidates = [one for one in self.ranking().candidates if one.trial.number not in self.failed]
        if not candidates or self._is_done(candidates[0]):
            return bool(candidates)
        best, *others = candidates
        self.submit(best)
        if spare and best.trial.number in self.started:
            left = (self.end - time.monotonic()) * SPARE_SHARE
            quick = [one for one in others if self.schedule.fit_seconds(one) <= left][:1]
            if quick and not self._is_done(quick[0]) and self.started == {best.trial.number}:
                self.submit(quick[0])
        return False

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

    def best_fitted(self) -> tuple[Ended, tuple[str, ...]]:
        """Return the best candidate that is fitted, and what was passed over, with the reasons.

        Raises
        ------
        ModelError
            If none is.
        """
        ranking = self.ranking()
        best = next((one for one in ranking.candidates if self._is_done(one)), None)
        first = ranking.candidates[0].trial
        why = self.failed.get(first.number, "its fit did not end within the budget")
        if best is None:
            raise ModelError(f"A candidate must be fitted on all rows, but none was: {why}. Raise `budget.seconds`.")
        if best.trial is first:
            return best, ranking.reasons
        told = f"trial {first.number} ({first.family}) scored best, but was not fitted: {why}"
        return best, (*ranking.reasons, told)

    def submit(self, one: Ended) -> None:
        """Give a candidate to a free slot, unless it is at work already."""
        number = one.trial.number
        host = None if number in self.started else self._free(self.work.families[one.trial.family].library)
        if host is not None:
            self.started.add(number)
            self.crew.submit(host, self.job(one))

    def job(self, one: Ended) -> FitJob:
        """Return the job that fits a candidate on all rows."""
        return FitJob(
            number=one.trial.number,
            family=one.trial.family,
            parameters=self.parameters(one),
            deadline=self.end,
            path=str(estimator_path(self.work.folder, one)),
            least=least_score(one),
            device=one.trial.device,
        )

    def take(self, answer: Answer) -> None:
        """Note what became of a fit."""
        if isinstance(answer, JobDone):
            self.schedule.fitted.add(answer.number)
        elif isinstance(answer, JobFailed):
            self.failed[answer.number] = answer.reason
            self.started.discard(answer.number)

    def parameters(self, one: Ended) -> dict[str, Value]:
        """Return a candidate's parameters for a fit on all rows: what early stopping settled, for more rows."""
        more = min(math.sqrt(max(1.0, self.schedule.shape.growth)), MOST_MORE_ROUNDS)
        settled = {
            name: max(1, round(value * more)) if isinstance(value, int) and not isinstance(value, bool) else value
            for name, value in one.refit.items()
        }
        return {**one.trial.parameters, **settled}

    def _is_done(self, one: Ended) -> bool:
        return one.trial.number in self.schedule.fitted

    def _free(self, library: str) -> Host | None:
        slots = [slot for slot in self.crew.slots if self.crew.busy(slot) is None]
        hosts = [self.crew.host(slot, library) for slot in slots]
        found = next((host for host in hosts if host is not None), None)
        if found is None and slots and library != "sklearn":
            self.crew.start(slots[0], library)
        return found


def least_score(one: Ended) -> float:
    """Return the score on its own rows below which a fit on all rows is not what the folds promised."""
    scores = one.trial.fold_scores
    return score_of(one) - float(np.std(scores)) - SAME_SHARE * abs(score_of(one))


def estimator_path(folder: Path, one: Ended) -> Path:
    """Return where a candidate's estimator, fitted on all rows, lies."""
    return folder / f"estimator-{one.trial.number}.pkl"
