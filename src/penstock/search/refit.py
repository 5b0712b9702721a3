"""Candidates on all rows, in slots, before the budget ends: the best so far, and a quicker one beside it."""

import math
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from penstock.domain.search import Value
from penstock.models._base import ModelFamily
from penstock.search.messages import Answer, FitJob, JobDone, JobFailed
from penstock.search.schedule import Schedule, score_of
from penstock.search.selection import Ranking
from penstock.search.slots import Crew, Host
from penstock.search.tuning import Ended

MOST_MORE_ROUNDS = 1.2  # more rows bear more rounds than the folds settled on, but not in proportion
SAME_SHARE = 0.01  # of the score: one fold has no spread
SPARE_SHARE = 0.5  # of the time left: what the candidate that is fitted beside the best may take


@dataclass(slots=True)
class Refit:
    """Which candidates are fitted on all rows, are being fitted, or cannot be."""

    crew: Crew
    schedule: Schedule
    families: dict[str, ModelFamily]
    folder: Path
    failed: dict[int, str] = field(default_factory=dict)
    started: set[int] = field(default_factory=set)

    def go_on(self, ranking: Ranking, end: float, *, spare: bool) -> bool:
        """Start what should be fitted and has a slot; return whether the best candidate is fitted.

        Parameters
        ----------
        ranking
            The candidates at present.
        end
            The end of the budget, as `time.monotonic()`.
        spare
            Whether a slot has nothing else to do, so that a quicker candidate is fitted beside the best.
        """
        best = self.best(ranking)
        if best is None or self._is_done(best):
            return best is not None
        self.submit(best, end)
        if spare and best.trial.number in self.started:
            left = end - time.monotonic()
            others = [one for one in ranking.candidates if one is not best and one.trial.number not in self.failed]
            quick = [one for one in others if self.schedule.fit_seconds(one) <= left * SPARE_SHARE]
            if quick and not self._is_done(quick[0]) and not self.started - {best.trial.number} - self.schedule.fitted:
                self.submit(quick[0], end)
        return False

    def best(self, ranking: Ranking) -> Ended | None:
        """Return the first candidate whose fit did not fail."""
        return next((one for one in ranking.candidates if one.trial.number not in self.failed), None)

    def fitted(self, ranking: Ranking) -> Ended | None:
        """Return the first candidate that is fitted."""
        return next((one for one in ranking.candidates if self._is_done(one)), None)

    def submit(self, one: Ended, deadline: float) -> None:
        """Give a candidate to a free slot, unless it is at work already."""
        number = one.trial.number
        if number in self.started:
            return
        host = self._free(self.families[one.trial.family].library)
        if host is None:
            return
        self.started.add(number)
        self.crew.submit(host, self.job(one, deadline))

    def job(self, one: Ended, deadline: float) -> FitJob:
        """Return the job that fits a candidate on all rows."""
        return FitJob(
            number=one.trial.number,
            family=one.trial.family,
            parameters=self.parameters(one),
            deadline=deadline,
            path=str(estimator_path(self.folder, one)),
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
