"""What is tried next, where there is time: every family's default, portfolios, then tuning of those in the race."""

from dataclasses import dataclass, replace

from penstock.domain.search import Value
from penstock.search.order.board import FIT_OVERHEAD, PORTFOLIO_ERRORS, Board
from penstock.search.order.plans import BASELINE, Plan, best_of, eligible
from penstock.search.order.shrinking import MOST_SHRUNK, smaller
from penstock.search.trial_records import Ended

PLENTY_SECONDS = 50  # of a budget: from here on a first trial is stretched twice as far before it is a partial one
STRETCH = 4.0  # a fit that stops by its deadline is still worth having when its seconds are cut by this
STRETCH_AFTER = 2.0  # the same for a family that has had a trial on capped rows: it is not owed another
LEAST_ROWS = 500  # a partial trial on fewer rows says nothing of the whole
SHORT_PARTIAL = 0.1  # of the time left, with plenty: what is too slow even so will hardly have its whole trial later
PARTIAL_SECONDS = 1.5  # what a family is kept for while others run: enough for a trial on capped rows
QUICK_SHARE = 0.04  # of the time left: a family that takes no longer goes before those of a compiled library
AFTER_TRIAL = 0.3  # seconds between a trial's deadline and its end: a last round, a prediction, an answer
LEAST_FOR_FIT = 0.8
OTHER_FITS = 0.12  # of the budget: what is kept at most to fit, beside the best, another member on all rows
LONG_TRIAL = 3.0  # times what a trial of its family usually takes
SHORT_TRIAL = 0.8  # of what is usual: with so much time left a trial still begins, and its fits do with it
LONG_SHARE = 0.25  # of the time left: a trial may take it, however quick its family's usual ones are


@dataclass(slots=True)
class Schedule(Board):
    """Decides by what was measured so far; it starts nothing itself."""

    def next(self, libraries: set[str], now: float, end: float) -> Plan | None:
        """Return what a slot does next whose processes have loaded some libraries, or None for nothing.

        Parameters
        ----------
        libraries
            Those that the slot can run at once; scikit-learn's families run beside any.
        now, end
            As `time.monotonic()`: the present, and the end of the budget. A trial's deadline leaves the time to fit
            what it finds on all rows.
        """
        if self.enough() or end <= now:
            return None
        first = [name for name in self._untried() if self.families[name].library in libraries]
        plan = self._first(first, libraries, now, end) if first else None
        plan = plan or self._whole_after_partial(libraries, now, end) or self._shrunk(libraries, now, end)
        plan = plan or self._from_portfolio(libraries, now, end) or self._tuned(libraries, now, end)
        return None if plan is None else replace(plan, deadline=min(plan.deadline, self.must_fit(end) - AFTER_TRIAL))

    def behind(self, plan: Plan, fold_scores: list[float]) -> bool:
        """Return whether a trial ends here: a tuned one that cannot win, another that not even a mean would take."""
        if plan.kind == "tuned":
            return self.hopeless(plan.family, fold_scores)
        return plan.kind in {"default", "portfolio"} and self.far_behind(fold_scores)

    def must_fit(self, end: float) -> float:
        """Return when the final fit of the best so far must begin; the end, if it is fitted."""
        finished = [one for one in self.ended if one.trial.state == "finished" and not one.trial.over]
        leading = [one for one in finished if one.whole] if self._whole_to_come() else eligible(finished)
        if not leading:
            return end - LEAST_FOR_FIT
        fits = [self.fit_seconds(best_of(leading)) if self.better_fitted(best_of(leading)) else 0.0]
        if self.bagging:  # what is at hand as a bag is fitted as there is time
            others = [self.fit_seconds(one) for one in self._leaders() if self.better_fitted(one)]
            fits += [seconds for seconds in others if seconds <= OTHER_FITS * self.budget.seconds]
        return end - self.closing - (max(LEAST_FOR_FIT, *fits) if any(fits) else 0.0)

    def _whole_to_come(self) -> bool:
        """Return whether, with plenty of time, a whole trial is at work, or a family is untried.

        To fit a partial one on all rows may be predicted to take more than there is, and would end the others at once.
        """
        return self._has_plenty() and (
            bool(self._untried()) or any(plan.kind != "partial" for plan in self.running.values())
        )

    def fit_early(self, libraries: set[str]) -> Ended | None:
        """Return the best whole trial, if a slot can fit it, nothing but the baseline is fitted, and no family waits.

        A search that has fitted its best goes on to the end of its budget, and has something to fall back on.
        """
        whole = [one for one in self.ended if one.fits and one.trial.family != BASELINE]
        whole = [one for one in whole if one.trial.number not in self.unfit]
        if not whole or self._untried() or any(self.at_hand(one) for one in whole):
            return None
        best = best_of(whole)
        return best if self.families[best.trial.family].library in libraries else None

    def wanted(self, now: float, end: float) -> list[str]:
        """Return the compiled libraries that have work for another slot, the most wanted first."""
        if self.enough():
            return []
        rest = [name for name in self._untried() if self.predicted(name, LEAST_ROWS) <= end - now]
        rest += [name for name in self.in_race() if self._whole_and_fit(name) <= end - now]
        libraries = [self.families[name].library for name in rest]
        return list(dict.fromkeys(library for library in libraries if library != "sklearn"))

    def _untried(self) -> list[str]:
        """Return the families without a trial, the quickest first."""
        known = {one.trial.family for one in self.ended} | {plan.family for plan in self.running.values()}
        known.add(BASELINE)  # laid by the search's own process
        rest = [name for name in self.families if name not in known and name not in self.skips]
        return sorted(rest, key=self.whole_seconds)

    def _first(self, names: list[str], libraries: set[str], now: float, end: float) -> Plan | None:
        quick = self.whole_seconds(names[0]) <= QUICK_SHARE * (end - now)
        compiled = [name for name in names if self.families[name].library in libraries - {"sklearn"}]
        name = compiled[0] if compiled and not quick else names[0]
        plan = self._sized(name, now, end)
        if plan is None:
            rows, most = self._least_rows(), max(0.0, self._partial_seconds(name, now, end))
            self.skips[name] = (
                f"one fold of {rows} rows is predicted to take {self.predicted(name, rows):.1f} s, "
                f"and {most:.1f} s of the {end - now:.1f} s left were free for it"
            )
            rest = [name for name in names if name not in self.skips]
            return self._first(rest, libraries, now, end) if rest else None
        return plan

    def _sized(self, name: str, now: float, end: float) -> Plan | None:
        """Return a family's first trial: whole, or on one fold and capped rows where the time is short."""
        folds, predicted = self.shape.folds, self.whole_seconds(name)
        most = self._allotted(name, now, end) / (len(folds) + self._fit_folds(name)) * len(folds)
        stretch = STRETCH * 2 if self._has_plenty() else STRETCH
        if predicted <= most * stretch:
            return Plan(name, "default", folds, now + most, min(predicted, most))
        return self._partial(name, now, end)

    def _partial(self, name: str, now: float, end: float) -> Plan | None:
        """Return a trial on one fold and capped rows; None where there is no time for the fewest."""
        most = self._partial_seconds(name, now, end)
        short = min(max(PARTIAL_SECONDS, SHORT_PARTIAL * (end - now)), self.must_fit(end) - AFTER_TRIAL - now)
        wished = min(most, short) if self._has_plenty() else most
        rows = self.shape.fold_rows[0]
        while rows > LEAST_ROWS and self.predicted(name, rows) > wished:
            rows = max(LEAST_ROWS, rows // 2)
        expected = self.predicted(name, rows)
        if expected > most:
            return None
        deadline = now + max(min(self._allotted(name, now, end), 2.0), expected * 2)
        return Plan(name, "partial", self.shape.folds[:1], deadline, expected, rows)

    def _allotted(self, name: str, now: float, end: float) -> float:
        """Return the seconds that a family's first trial may take with its fit: some are kept for other families."""
        left = end - now - FIT_OVERHEAD
        others = [other for other in self._untried() if other != name]
        kept = sum(min(self.whole_seconds(other), PARTIAL_SECONDS) for other in others) / self.slots
        return max(left - kept, left / 4)

    def _partial_seconds(self, name: str, now: float, end: float) -> float:
        """Return the seconds that one fold on capped rows may be predicted to take."""
        return max(self._allotted(name, now, end) / 2, (end - now - FIT_OVERHEAD) / 3)

    def _least_rows(self) -> int:
        return min(LEAST_ROWS, self.shape.fold_rows[0])

    def _has_plenty(self) -> bool:
        return self.budget.seconds >= PLENTY_SECONDS

    def _whole_after_partial(self, libraries: set[str], now: float, end: float) -> Plan | None:
        """Return the whole default of a family that so far had a partial trial, if there is time for it."""
        done = {one.trial.family for one in self.ended if one.kind != "partial"}
        done |= {plan.family for plan in self.running.values() if plan.kind != "partial"}
        waiting = {one.trial.family for one in self.ended if one.trial.partial}
        for name in sorted(waiting - done - set(self.skips), key=self._promise, reverse=True):
            most = (end - now - FIT_OVERHEAD) / (1 + self._fit_folds(name) / len(self.shape.folds))
            predicted = self.whole_seconds(name)
            if self.families[name].library in libraries and predicted <= most * STRETCH_AFTER:
                return Plan(name, "default", self.shape.folds, now + most, min(predicted, most))
        return None

    def given(self, plan: Plan) -> dict[str, Value]:
        """Return the configuration that a plan starts from."""
        if plan.kind == "tuned" and self.limits.most:  # what is not varied stays as small as what is within them
            within = [one for one in self.ended if one.fits and one.trial.family == plan.family]
            return {**self.defaults[plan.family], **(best_of(within).trial.parameters if within else {})}
        if plan.kind != "portfolio":
            return self.defaults[plan.family]
        return self.at(plan.family, plan.place)

    def _from_portfolio(self, libraries: set[str], now: float, end: float) -> Plan | None:
        """Return the next configuration of a portfolio, of the best family first, those far behind left out.

        Members of an ensemble may be behind the best alone, so that these families are not only those in the race.
        """
        ready = [name for name in self._near(PORTFOLIO_ERRORS) if self.families[name].library in libraries]
        found = [(self._next_place(name), -self._promise(name), name) for name in ready]
        for place, _, name in sorted((place, promise, name) for place, promise, name in found if place is not None):
            usual, latest = self.whole_seconds(name), self._latest(name, end)
            if now + usual * SHORT_TRIAL <= latest:
                deadline = self._until(now, usual, latest)
                return Plan(name, "portfolio", self.shape.folds, deadline, usual, place=place)
        return None

    def _latest(self, name: str, end: float) -> float:
        """Return when a trial of a family must have ended, so that what it finds can be fitted."""
        return min(end - (self._whole_and_fit(name) - self.whole_seconds(name)), self.must_fit(end) - AFTER_TRIAL)

    @staticmethod
    def _until(now: float, usual: float, latest: float) -> float:
        """Return a trial's deadline: a few times what is usual, or a part of what is left where that is plenty."""
        return min(latest, now + max(usual * LONG_TRIAL + 1.0, (latest - now) * LONG_SHARE))

    def _shrunk(self, libraries: set[str], now: float, end: float) -> Plan | None:
        """Return a smaller configuration of a family of which every whole trial is over a limit."""
        for name in self._too_large():
            usual = self.whole_seconds(name)
            latest = end - (self._whole_and_fit(name) - usual)
            if self.families[name].library in libraries and now + usual <= latest:
                deadline = now + usual * LONG_TRIAL + 1.0
                return Plan(name, "portfolio", self.shape.folds, deadline, usual, place=self._shrink(name))
        return None

    def _too_large(self) -> list[str]:
        """Return the families of which every whole trial is over a limit, as far as they may be tried smaller."""
        if not self.limits.most:
            return []
        busy = {plan.family for plan in self.running.values()} | {BASELINE}
        whole = {one.trial.family for one in self.ended if one.whole and one.trial.footprint is not None}
        fits = {one.trial.family for one in self.ended if one.fits}
        return sorted(name for name in whole - fits - busy if self.shrunk.get(name, 0) < MOST_SHRUNK)

    def _shrink(self, name: str) -> int:
        """Add a smaller configuration to a family's portfolio, and return its place."""
        measured = [one for one in self.ended if one.whole and one.trial.footprint and one.trial.family == name]
        self.shrunk[name] = self.shrunk.get(name, 0) + 1
        self.portfolios[name] = (*self.portfolios.get(name, ()), smaller(measured[-1], self.defaults[name]))
        return len(self.portfolios[name]) - 1

    def _tuned(self, libraries: set[str], now: float, end: float) -> Plan | None:
        for name in self.in_race():
            usual, latest = self.whole_seconds(name), self._latest(name, end)
            if self.families[name].library in libraries and now + usual * SHORT_TRIAL <= latest:
                return Plan(name, "tuned", self.shape.folds, self._until(now, usual, latest), usual)
        return None
