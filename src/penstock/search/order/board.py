"""What is known of a search so far: what trials took and will take, who is near the best, what may be a model."""

import math
from dataclasses import dataclass, field

import numpy as np

from penstock.domain.search import Budget, SearchSpace, Trial, Value
from penstock.models._base import ModelFamily
from penstock.search.machine.memory import Memory
from penstock.search.model.limits import Limits
from penstock.search.order.plans import BASELINE, Plan, Shape, best_of, score_of
from penstock.search.trial_records import Ended

FIT_OVERHEAD = 0.4  # seconds: a message, the rows read, the estimator's file written
REFIT_FACTOR = 1.3  # a final fit's seconds per row, beside a fold's: more rounds, no early stop, one file written
FAILED_TRIALS = 5  # tuned trials of a family, none of which came to an end: more would fail too
SETTLED_TRIALS = 40  # tuned trials of a family without a gain: more would only look for luck in the folds
GAIN = 1e-4  # relative to the score: less is no gain
FEW_ROWS = 4_000  # below this one fit on all rows does better than the mean of a classifier's fold models
RACE_ERRORS = 1.0  # standard errors behind the best within which a family is tuned further
NEAR = 0.04  # of the way from the baseline to the best: what is no farther behind may help a mean
FAR = 0.25  # of that way: what is farther behind on its first folds is not tried on the others
FAR_LOSS = 1.0  # times the best's loss: the same where the best loses so little that a fourth of the way is a lot
PORTFOLIO_ERRORS = 6.0  # the same within which its portfolio is tried: what is behind may still help a mean


@dataclass(slots=True)
class Board:
    """Holds what was measured so far.

    `spaces` and `defaults` are by family; `skips` gives the reason for each family that is not tried; `failed` are
    families whose default failed, `fitted` the trials that are fitted on all rows, `unfit` those that could not be.
    With `bagging`, the fold models of a whole trial are a model as they are; without, it must be fitted on all rows.
    `closing` are the seconds that are kept at the end to see whether a mean of several candidates pays. `lost` are
    trials that failed and are not tried again; `shrunk` says how often each family was made smaller to keep the
    `limits`; `points` is how many there are on its grid, where one was asked for. A family without a default is one
    that was skipped before it was asked for anything.
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
    lost: list[Ended] = field(default_factory=list)
    memory: Memory = field(default_factory=Memory)
    limits: Limits = field(default_factory=Limits)
    shrunk: dict[str, int] = field(default_factory=dict)
    unfit: set[int] = field(default_factory=set)
    points: dict[str, int] = field(default_factory=dict)

    def fit_seconds(self, ended: Ended) -> float:
        """Return what fitting a candidate on all rows is expected to take."""
        usual = float(np.mean(ended.fold_seconds)) if ended.fold_seconds else 0.0
        more = self.shape.growth if ended.most_rows is None else self.shape.rows / max(1, ended.most_rows)
        return FIT_OVERHEAD + usual * more * REFIT_FACTOR

    def fit_at_most(self) -> float:
        """Return the seconds that fitting the best so far takes, and seeing whether a mean pays."""
        leading = [one for one in self.ended if one.fits]
        return self.closing + (self.fit_seconds(best_of(leading)) if leading else 0.0)

    def at_hand(self, ended: Ended) -> bool:
        """Return whether a candidate needs no fit on all rows: it had one, or the bag of its fold models is kept."""
        return ended.trial.number in self.fitted or (ended.whole and self._bag_fits(ended))

    def better_fitted(self, ended: Ended) -> bool:
        """Return whether a candidate that is at hand should be fitted on all rows yet, if there is time."""
        bagged = self._better_bagged(ended.trial.family) and self._bag_fits(ended) and self._bag_whole(ended)
        return ended.trial.number not in self.fitted and not bagged

    def _bag_fits(self, ended: Ended) -> bool:
        """Return whether the bag of a trial's fold models is kept, and within the limits."""
        return self.bagging and not self.limits.over(ended.bag)

    def _bag_whole(self, ended: Ended) -> bool:
        """Return whether the bag holds a model of each fold but one at most: large ones have no room beside others."""
        return ended.parts >= len(self.shape.folds) - 1

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

    def far_behind(self, fold_scores: list[float]) -> bool:
        """Return whether a trial is so far behind the best, on the folds that both have, that no mean would take it."""
        whole = [one for one in self.ended if one.fits]
        floor = [np.asarray(one.trial.fold_scores) for one in whole if one.trial.family == BASELINE]
        if not floor or best_of(whole).trial.family == BASELINE:
            return False
        best, seen = np.asarray(best_of(whole).trial.fold_scores), len(fold_scores)
        behind = float((best[:seen] - np.asarray(fold_scores)).mean())
        noise = PORTFOLIO_ERRORS * float(best.std()) / math.sqrt(len(best))
        far, loss = FAR * float((best - floor[0]).mean()), -float(best.mean())  # only a loss has scores below 0
        return behind > max(noise, min(far, FAR_LOSS * loss) if loss > 0 else far)

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
                parameters=self.defaults.get(name, {}),
                state="skipped",
                score=None,
                fold_scores=(),
                seconds=0.0,
                slot=None,
                predicted_mb=round(self.memory_mb(name)) if name in self.defaults else 0,
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

    def give_up(self, failed: Ended) -> None:
        """Note a trial that is not tried again; a family of which it was the first is left out."""
        self.lost.append(failed)
        if failed.kind in {"default", "partial"}:
            self.skips[failed.trial.family] = failed.trial.reason
            self.failed.add(failed.trial.family)

    def at(self, name: str, place: int) -> dict[str, Value]:
        """Return the configuration at a place of a family's portfolio."""
        return {**self.defaults[name], **self.portfolios[name][place]}

    def _next_place(self, name: str) -> int | None:
        """Return the first place of a family's portfolio that was not tried and is not at work; None if all are.

        A family that was made smaller to keep the limits has no use for the rest.
        """
        ended = [one for one in (*self.ended, *self.lost) if one.trial.family == name and one.kind == "portfolio"]
        tried = [one.trial.parameters.items() for one in ended]
        at_work = {one.place for one in self.running.values() if one.family == name and one.kind == "portfolio"}
        places = range(0 if self.shrunk.get(name) else len(self.portfolios.get(name, ())))
        rest = (place for place in places if place not in at_work)
        return next((place for place in rest if not any(self.at(name, place).items() <= one for one in tried)), None)

    def _promise(self, name: str) -> float:
        return max(score_of(one) for one in self.ended if one.trial.family == name)

    def in_race(self) -> list[str]:
        """Return the families worth tuning, the least tuned first: those within noise of the best.

        Once these are settled, those behind them that may still help a mean.
        """
        for errors in (RACE_ERRORS, PORTFOLIO_ERRORS):
            racing = [name for name in self._near(errors) if not self._settled(name)]
            if racing:
                return sorted(racing, key=self._spent)
        return []

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
        if errors >= PORTFOLIO_ERRORS:  # many rows make folds agree, and a mean gains from what is a little behind
            floor = [score_of(one) for one in self.ended if one.trial.family == BASELINE and one.fits]
            within = max([within, *(NEAR * (score_of(leader) - score) for score in floor)])
        return [name for name, one in best.items() if score_of(leader) - score_of(one) <= within]

    def _settled(self, name: str) -> bool:
        """Return whether the last tuned trials of a family gained nothing, or failed."""
        tuned, lost = _tuned_of(self.ended, name), _tuned_of(self.lost, name)
        begun = len(tuned) + len(lost) + sum(plan.family == name for plan in self.running.values())
        if begun >= self.points.get(name, math.inf) or (not tuned and len(lost) >= FAILED_TRIALS):
            return True
        whole = [one for one in self.ended if one.trial.family == name and one.kind != "partial"]
        best, since = -math.inf, 0.0
        for one in sorted([*whole, *lost], key=lambda one: one.trial.number):
            better = one.fits and score_of(one) > best + GAIN * max(abs(best), GAIN) if best > -math.inf else one.fits
            pruned = one.trial.state == "pruned"
            looked = len(one.trial.fold_scores) / len(self.shape.folds) if pruned else 1.0  # it says less
            best, since = (score_of(one), 0.0) if better else (best, since + looked)
        return since >= SETTLED_TRIALS

    def _spent(self, name: str) -> float:
        """Return the seconds that tuning a family took, with what is at work on it."""
        took = sum(one.trial.seconds for ended in (self.ended, self.lost) for one in _tuned_of(ended, name))
        return took + sum(plan.predicted for plan in self.running.values() if plan.family == name)

    def _whole_and_fit(self, name: str) -> float:
        """Return the seconds of a whole trial and of the final fit of what it finds."""
        whole = self.whole_seconds(name)
        return whole * (1 + self._fit_folds(name) / len(self.shape.folds)) + FIT_OVERHEAD

    def _fit_folds(self, name: str) -> float:
        """Return what the final fit of a family takes, in fits of a fold."""
        whole = [one for one in self.ended if one.fits and one.trial.family == name]
        best = best_of(whole) if whole else None
        bagged = self._bag_fits(best) and self._bag_whole(best) if best else not self.limits.most
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


def _tuned_of(ended: list[Ended], name: str) -> list[Ended]:
    return [one for one in ended if one.trial.family == name and one.kind == "tuned"]
