"""What is tried next, where there is time: every family's default, portfolios, then tuning of those in the race."""

import math
from dataclasses import dataclass, field, replace

import numpy as np

from penstock.domain.features import Flavour
from penstock.domain.search import Budget, SearchSpace, Trial, Value
from penstock.models._base import ModelFamily
from penstock.search.limits import Limits
from penstock.search.memory import Memory
from penstock.search.shrinking import MOST_SHRUNK, smaller
from penstock.search.tuning import Ended, Kind

BASELINE = "baseline"
PARTIAL_BELOW_SECONDS = 60  # from here on every family has time for all folds and rows
STRETCH = 4.0  # a fit that stops by its deadline is still worth having when its seconds are cut by this
STRETCH_AFTER = 2.0  # the same for a family that has had a trial on capped rows: it is not owed another
LEAST_ROWS = 500  # a partial trial on fewer rows says nothing of the whole
PARTIAL_SECONDS = 1.5  # what a family is kept for while others run: enough for a trial on capped rows
QUICK_SHARE = 0.04  # of the time left: a family that takes no longer goes before those of a compiled library
AFTER_TRIAL = 0.3  # seconds between a trial's deadline and its end: a last round, a prediction, an answer
LEAST_FOR_FIT = 0.8
FIT_OVERHEAD = 0.4  # seconds: a message, the rows read, the estimator's file written
REFIT_FACTOR = 1.3  # a final fit's seconds per row, beside a fold's: more rounds, no early stop, one file written
SETTLED_TRIALS = 40  # tuned trials of a family without a gain: more would only look for luck in the folds
GAIN = 1e-4  # relative to the score: less is no gain
OTHER_FITS = 0.12  # of the budget: what is kept at most to fit, beside the best, another member on all rows
FEW_ROWS = 4_000  # below this one fit on all rows does better than the mean of a classifier's fold models
RACE_ERRORS = 1.0  # standard errors behind the best within which a family is tuned further
PORTFOLIO_ERRORS = 6.0  # the same within which its portfolio is tried: what is behind may still help a mean
LONG_TRIAL = 3.0  # times what a trial of its family usually takes


@dataclass(frozen=True, slots=True)
class Shape:
    """The size of a search: training rows of each fold, all rows, features by flavour, classes (0: regression)."""

    fold_rows: tuple[int, ...]
    rows: int
    features: dict[Flavour, int]
    classes: int

    @property
    def folds(self) -> tuple[int, ...]:
        """The folds, in order."""
        return tuple(range(len(self.fold_rows)))

    @property
    def growth(self) -> float:
        """How many times more rows the final fit has than a fold's."""
        return self.rows / max(1.0, float(np.mean(self.fold_rows)))


@dataclass(frozen=True, slots=True)
class Plan:
    """What a slot does next, until when; `predicted` seconds are for all of it; `place` is that in a portfolio."""

    family: str
    kind: Kind
    folds: tuple[int, ...]
    deadline: float
    predicted: float
    most_rows: int | None = None
    place: int = 0


@dataclass(slots=True)
class Schedule:
    """Decides by what was measured so far; it starts nothing itself.

    `spaces` and `defaults` are by family; `skips` gives the reason for each family that is not tried; `failed` are
    families whose default failed, `fitted` the trials that are fitted on all rows, `unfit` those that could not be.
    With `bagging`, the fold models of a whole trial are a model as they are; without, it must be fitted on all rows.
    `closing` are the seconds that are kept at the end to see whether a mean of several candidates pays. `begun` counts
    what was taken of each family's portfolio, `shrunk` how often it was made smaller to keep the `limits`; `points` is
    how many there are on its grid, where one was asked for.
    """

    families: dict[str, ModelFamily]
    shape: Shape
    budget: Budget
    slots: int
    defaults: dict[str, dict[str, Value]]
    spaces: dict[str, SearchSpace]
    ended: list[Ended] = field(default_factory=list)
    running: dict[int, Plan] = field(default_factory=dict)
    skips: dict[str, str] = field(default_factory=dict)
    failed: set[str] = field(default_factory=set)
    fitted: set[int] = field(default_factory=set)
    bagging: bool = False
    closing: float = 0.0
    portfolios: dict[str, tuple[dict[str, Value], ...]] = field(default_factory=dict)
    begun: dict[str, int] = field(default_factory=dict)
    memory: Memory = field(default_factory=Memory)
    limits: Limits = field(default_factory=Limits)
    shrunk: dict[str, int] = field(default_factory=dict)
    unfit: set[int] = field(default_factory=set)
    points: dict[str, int] = field(default_factory=dict)

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

    def must_fit(self, end: float) -> float:
        """Return when the final fit of the best so far must begin; the end, if it is fitted."""
        leading = eligible([one for one in self.ended if one.trial.state == "finished" and not one.trial.over])
        if not leading:
            return end - LEAST_FOR_FIT
        fits = [self.fit_seconds(best_of(leading)) if self.better_fitted(best_of(leading)) else 0.0]
        if self.bagging:  # what is at hand as a bag is fitted as there is time
            most = OTHER_FITS * self.budget.seconds
            fits += [min(most, self.fit_seconds(one)) for one in self._leaders() if self.better_fitted(one)]
        return end - self.closing - (max(LEAST_FOR_FIT, *fits) if any(fits) else 0.0)

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

    def fit_seconds(self, ended: Ended) -> float:
        """Return what fitting a candidate on all rows is expected to take."""
        usual = float(np.mean(ended.fold_seconds)) if ended.fold_seconds else 0.0
        more = self.shape.growth if ended.most_rows is None else self.shape.rows / max(1, ended.most_rows)
        return FIT_OVERHEAD + usual * more * REFIT_FACTOR

    def at_hand(self, ended: Ended) -> bool:
        """Return whether a candidate needs no fit on all rows: it had one, or the bag of its fold models is kept."""
        return ended.trial.number in self.fitted or (ended.whole and self._bag_fits(ended))

    def better_fitted(self, ended: Ended) -> bool:
        """Return whether a candidate that is at hand should be fitted on all rows yet, if there is time."""
        bagged = self._better_bagged(ended.trial.family) and self._bag_fits(ended)
        return ended.trial.number not in self.fitted and not bagged

    def _bag_fits(self, ended: Ended) -> bool:
        """Return whether the bag of a trial's fold models is kept, and within the limits."""
        return self.bagging and not self.limits.over(ended.bag)

    def _better_bagged(self, family: str) -> bool:
        """Return whether the mean of a family's fold models does better than one fit (docs/decisions/0020).

        A fold model misses the rows that its fold and its inner split take: few rows, and values, make that felt.
        """
        many = self.shape.rows >= FEW_ROWS and self.shape.classes > 0
        return self.bagging and many and self.families[family].bags

    def predicted(self, family: str, rows: int) -> float:
        """Return the seconds of one fit: the family's own word, corrected by what was measured here."""
        needs = self.families[family].needs(rows, self._features(family), self.shape.classes)
        return needs.seconds * self._pace(family)

    def whole_seconds(self, family: str) -> float:
        """Return what a whole trial of a family takes: what they took so far, or the prediction."""
        took = [one.trial.seconds for one in self.ended if one.trial.family == family and one.whole]
        return float(np.median(took)) if took else sum(self.predicted(family, rows) for rows in self.shape.fold_rows)

    def memory_mb(self, family: str) -> float:
        """Return the predicted memory of a trial beyond its libraries."""
        said = self.said_mb(family)
        return self.memory.predicted_mb(family, self.shape.rows, self._features(family), said)

    def said_mb(self, family: str) -> float:
        """Return the same by the family's own word, before anything was measured."""
        features = self._features(family)
        copies = 2 * self.shape.rows * features * 4 / 2**20  # the rows that train and those that validate, float32
        return self.families[family].needs(self.shape.rows, features, self.shape.classes).memory_mb + copies

    def hopeless(self, family: str, fold_scores: list[float]) -> bool:
        """Return whether a tuned trial is behind the best whole one on the folds that both have, beyond noise.

        Noise is how much the gap to the best differs from fold to fold in the family's whole trials.
        """
        whole = [one for one in self.ended if one.fits]
        if not whole:
            return False
        best = np.asarray(best_of(whole).trial.fold_scores)
        gaps = np.asarray(fold_scores) - best[: len(fold_scores)]
        kin = [np.asarray(one.trial.fold_scores) - best for one in whole if one.trial.family == family]
        spreads = [float(gap.std()) for gap in kin if gap.any()] or [float(best.std())]
        return float(gaps.mean()) + float(np.median(spreads)) / math.sqrt(len(fold_scores)) < 0

    @property
    def reasons(self) -> dict[str, str]:
        """Why each family that no trial reached was left out."""
        reached = {one.trial.family for one in self.ended} | self.failed
        late = "the budget ended before its turn"
        return {name: self.skips.get(name, late) for name in self.families if name not in reached}

    def listed(self, failed: list[Ended]) -> tuple[Trial, ...]:
        """Return every trial, those that failed too, and behind them the families that were skipped."""
        tried = sorted([one.trial for one in (*self.ended, *failed)], key=lambda trial: trial.number)
        number = tried[-1].number if tried else 0
        skipped = [
            Trial(
                number=number + 1 + place,
                family=name,
                parameters=self.defaults[name],
                state="skipped",
                score=None,
                fold_scores=(),
                seconds=0.0,
                slot=None,
                predicted_mb=round(self.memory_mb(name)),
                reason=reason,
            )
            for place, (name, reason) in enumerate(sorted(self.reasons.items()))
        ]
        return (*tried, *skipped)

    def _features(self, family: str) -> int:
        return self.shape.features.get(self.families[family].flavour, 1)

    def enough(self) -> bool:
        """Return whether the budget's trials are all begun."""
        counted = sum(one.trial.state != "failed" for one in self.ended) + len(self.running)
        return self.budget.trials is not None and counted >= self.budget.trials

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
            predicted = self.predicted(name, LEAST_ROWS)
            self.skips[name] = (
                f"one fold of {LEAST_ROWS} rows is predicted to take {predicted:.1f} s, "
                f"and {max(0.0, end - now):.1f} s were left"
            )
            rest = [name for name in names if name not in self.skips]
            return self._first(rest, libraries, now, end) if rest else None
        return plan

    def _sized(self, name: str, now: float, end: float) -> Plan | None:
        """Return a family's first trial: whole, or on one fold and capped rows where the time is short."""
        left = end - now - FIT_OVERHEAD
        others = [other for other in self._untried() if other != name]
        kept = sum(min(self.whole_seconds(other), PARTIAL_SECONDS) for other in others) / self.slots
        allotted = max(left - kept, left / 4)
        folds = self.shape.folds
        fold_seconds = allotted / (len(folds) + self._fit_folds(name))
        predicted = self.whole_seconds(name)
        stretch = STRETCH if self.budget.seconds < PARTIAL_BELOW_SECONDS else STRETCH * 2
        if predicted <= fold_seconds * len(folds) * stretch:
            most = fold_seconds * len(folds)
            return Plan(name, "default", folds, now + most, min(predicted, most))
        if self.budget.seconds >= PARTIAL_BELOW_SECONDS:
            return None
        rows = self.shape.fold_rows[0]
        while self.predicted(name, rows) > max(allotted / 2, left / 3):
            if rows <= LEAST_ROWS:
                return None
            rows = max(LEAST_ROWS, rows // 2)
        expected = self.predicted(name, rows)
        return Plan(name, "partial", folds[:1], now + max(min(allotted, 2.0), expected * 2), expected, rows)

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
        return {**self.defaults[plan.family], **self.portfolios[plan.family][plan.place]}

    def _from_portfolio(self, libraries: set[str], now: float, end: float) -> Plan | None:
        """Return the next configuration of a portfolio, of the best family first, those far behind left out.

        Members of an ensemble may be behind the best alone, so that these families are not only those in the race.
        """
        ready = [name for name in self._near(PORTFOLIO_ERRORS) if self.families[name].library in libraries]
        rest = [(self._taken(name), -self._promise(name), name) for name in ready]
        for place, _, name in sorted(rest):
            usual = self.whole_seconds(name)
            latest = end - (self._whole_and_fit(name) - usual)
            if place < len(self.portfolios.get(name, ())) and now + usual <= latest:
                deadline = min(latest, now + usual * LONG_TRIAL + 1.0)
                return Plan(name, "portfolio", self.shape.folds, deadline, usual, place=place)
        return None

    def _shrunk(self, libraries: set[str], now: float, end: float) -> Plan | None:
        """Return a smaller configuration of a family of which every whole trial is over a limit."""
        if not self.limits.most:
            return None
        busy = {plan.family for plan in self.running.values()}
        over = {one.trial.family: one for one in self.ended if one.whole and one.trial.footprint is not None}
        fits = {one.trial.family for one in self.ended if one.fits}
        for name, last in sorted(over.items()):
            usual = self.whole_seconds(name)
            ready = self.families[name].library in libraries and name not in fits | busy | {BASELINE}
            tries = self.shrunk.get(name, 0)
            if ready and tries < MOST_SHRUNK and now + usual <= end - (self._whole_and_fit(name) - usual):
                self.shrunk[name] = tries + 1
                self.portfolios[name] = (*self.portfolios.get(name, ()), smaller(last, self.defaults[name]))
                place = len(self.portfolios[name]) - 1
                return Plan(name, "portfolio", self.shape.folds, now + usual * LONG_TRIAL + 1.0, usual, place=place)
        return None

    def _taken(self, name: str) -> int:
        """Return how many of a family's portfolio were tried, or are."""
        tried = sum(one.trial.family == name and one.kind == "portfolio" for one in self.ended)
        return max(self.begun.get(name, 0), tried)

    def _promise(self, name: str) -> float:
        return max(score_of(one) for one in self.ended if one.trial.family == name)

    def in_race(self) -> list[str]:
        """Return the families worth tuning: those within noise of the best, the least tuned first."""
        return sorted((name for name in self._near(RACE_ERRORS) if not self._settled(name)), key=self._spent)

    def _leaders(self) -> list[Ended]:
        """Return the best whole trial of each family that may be a member of the model."""
        near = self._near(PORTFOLIO_ERRORS)
        return [best_of([one for one in self.ended if one.fits and one.trial.family == name]) for name in near]

    def _near(self, errors: float) -> list[str]:
        """Return the families whose best is within some standard errors of the best of all."""
        best: dict[str, Ended] = {}
        for one in (one for one in self.ended if one.fits and self.spaces.get(one.trial.family)):
            known = best.get(one.trial.family)
            if known is None or score_of(one) > score_of(known):
                best[one.trial.family] = one
        if not best:
            return []
        leader = best_of(list(best.values()))
        scores = np.asarray(leader.trial.fold_scores)
        within = errors * float(scores.std()) / math.sqrt(len(scores))
        return [name for name, one in best.items() if score_of(leader) - score_of(one) <= within]

    def _settled(self, name: str) -> bool:
        """Return whether the last tuned trials of a family gained nothing."""
        tuned = sum(one.trial.family == name and one.kind == "tuned" for one in self.ended)
        if (
            name in self.points
            and tuned + sum(plan.family == name for plan in self.running.values()) >= self.points[name]
        ):
            return True
        best, since = -math.inf, 0
        for one in (one for one in self.ended if one.trial.family == name and one.kind != "partial"):
            better = one.fits and score_of(one) > best + GAIN * max(abs(best), GAIN) if best > -math.inf else one.fits
            best, since = (score_of(one), 0) if better else (best, since + 1)
        return since >= SETTLED_TRIALS

    def _spent(self, name: str) -> float:
        """Return the seconds that tuning a family took, with what is at work on it."""
        took = sum(one.trial.seconds for one in self.ended if one.trial.family == name and one.kind == "tuned")
        return took + sum(plan.predicted for plan in self.running.values() if plan.family == name)

    def _tuned(self, libraries: set[str], now: float, end: float) -> Plan | None:
        for name in self.in_race():
            usual = self.whole_seconds(name)
            latest = end - (self._whole_and_fit(name) - usual)
            if self.families[name].library in libraries and now + usual <= latest:
                deadline = min(latest, now + max(usual * LONG_TRIAL, usual + 1.0))
                return Plan(name, "tuned", self.shape.folds, deadline, usual)
        return None

    def _whole_and_fit(self, name: str) -> float:
        """Return the seconds of a whole trial and of the final fit of what it finds."""
        whole = self.whole_seconds(name)
        return whole * (1 + self._fit_folds(name) / len(self.shape.folds)) + FIT_OVERHEAD

    def _fit_folds(self, name: str) -> float:
        """Return what the final fit of a family takes, in fits of a fold."""
        whole = [one for one in self.ended if one.fits and one.trial.family == name]
        bagged = self._bag_fits(best_of(whole)) if whole else not self.limits.most
        return 0.0 if self._better_bagged(name) and bagged else self.shape.growth * REFIT_FACTOR

    def _pace(self, family: str) -> float:
        """Return how many times longer fits take here than the families say."""
        ratios = {one.trial.family: self._ratio(one) for one in self.ended if one.fold_seconds and one.kind != "tuned"}
        if family in ratios:
            return ratios[family]
        heavy = [ratio for name, ratio in ratios.items() if self.families[name].library != "sklearn"]
        return float(np.clip(np.median(heavy), 0.5, 2.0)) if heavy else 1.0

    def _ratio(self, one: Ended) -> float:
        features = self._features(one.trial.family)
        rows = one.most_rows or int(np.mean(self.shape.fold_rows))
        said = self.families[one.trial.family].needs(rows, features, self.shape.classes).seconds
        return float(np.clip(np.mean(one.fold_seconds) / max(said, 0.01), 0.1, 10.0))


def score_of(ended: Ended) -> float:
    """Return a trial's score, higher is better; one without a score is below all."""
    return -math.inf if ended.trial.score is None else ended.trial.score


def eligible(finished: list[Ended]) -> list[Ended]:
    """Return the trials that may win: whole ones, or where only the baseline's is whole, partial ones beside it."""
    whole = [one for one in finished if one.whole]
    return whole if any(one.trial.family != BASELINE for one in whole) else finished


def best_of(ended: list[Ended]) -> Ended:
    """Return the trial with the highest score; of equals the quicker."""
    return max(ended, key=lambda one: (score_of(one), -one.trial.seconds))
