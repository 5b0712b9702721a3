"""Trials in fixed rounds, so that time decides nothing: the same seed and number of trials give the same model."""

import math
from dataclasses import dataclass, field, replace

from penstock.search.order.board import PORTFOLIO_ERRORS
from penstock.search.order.plans import BASELINE, Plan
from penstock.search.order.schedule import Schedule
from penstock.search.trial_records import Ended, Kind


@dataclass(slots=True)
class Rounds(Schedule):
    """A schedule that looks at what ended only between two rounds, and never at a clock.

    A round is every family's default, then the next of each portfolio, then one tuned configuration of each family in
    the race: one trial of a family in a round, so that its sampler has always heard of the same ones. A slot that has
    nothing of its round left to do waits for the others.
    """

    queue: list[Plan] = field(default_factory=list)
    known: list[Ended] = field(default_factory=list)

    def next(self, libraries: set[str], now: float, end: float) -> Plan | None:
        """Return the next trial of the round, if the slot can run it: the order decides which number each has."""
        del now, end
        if self.enough() or not any(one.trial.family == BASELINE for one in self.ended):
            return None
        if not self.queue and not self.running:
            self.ended.sort(key=lambda one: one.trial.number)
            self.known = list(self.ended)
            self.queue = self._round()
        self.queue = [plan for plan in self.queue if plan.family not in self.skips]
        if not self.queue or self.families[self.queue[0].family].library not in libraries:
            return None
        return self.queue.pop(0)

    def must_fit(self, end: float) -> float:
        """Return that it never must: the number of trials ends the search."""
        del end
        return math.inf

    def fit_early(self, libraries: set[str]) -> Ended | None:
        """Return nothing: what is fitted is known when all trials are."""
        del libraries
        return None

    def wanted(self, now: float, end: float) -> list[str]:
        """Return the library of the next trial of the round."""
        del now, end
        libraries = [self.families[plan.family].library for plan in self.queue[:1]]
        return [library for library in libraries if library != "sklearn"]

    def hopeless(self, family: str, fold_scores: list[float]) -> bool:
        """Return whether a trial is behind the best of earlier rounds."""
        return Schedule.hopeless(self._before(), family, fold_scores)

    def far_behind(self, fold_scores: list[float]) -> bool:
        """Return whether a trial is far behind the best of earlier rounds."""
        return Schedule.far_behind(self._before(), fold_scores)

    def _before(self) -> "Rounds":
        return replace(self, ended=self.known, queue=[], running={})

    def _round(self) -> list[Plan]:
        untried = sorted(self._untried())
        plans = [self._plan(name, "default") for name in untried]
        plans = plans or [self._plan(name, "portfolio", self._shrink(name)) for name in self._too_large()]
        plans = plans or self._portfolios()
        return plans or [self._plan(name, "tuned") for name in sorted(self.in_race())]

    def _portfolios(self) -> list[Plan]:
        places = {name: self._next_place(name) for name in sorted(self._near(PORTFOLIO_ERRORS))}
        return [self._plan(name, "portfolio", place) for name, place in places.items() if place is not None]

    def _plan(self, name: str, kind: Kind, place: int = 0) -> Plan:
        return Plan(name, kind, self.shape.folds, math.inf, 0.0, place=place)
