"""The best candidate: by its mean fold score, within the hard limits, and only if there is time to fit it."""

from collections.abc import Callable
from dataclasses import dataclass

from penstock.errors import ModelError
from penstock.search.order.plans import BASELINE, eligible, score_of
from penstock.search.trial_records import Ended

SAME = 1e-9  # scores that differ by less, relative to their size, are equal: the smaller, then the earlier one is taken


@dataclass(frozen=True, slots=True)
class Ranking:
    """The candidates in the order in which they should win, and what was passed over, with the reasons."""

    candidates: tuple[Ended, ...]
    reasons: tuple[str, ...]


def rank(ended: list[Ended], in_time: Callable[[Ended], bool]) -> Ranking:
    """Order the finished trials.

    Parameters
    ----------
    ended
        The trials of a search; those that were measured to be over a limit cannot win.
    in_time
        Whether there is time to fit a candidate on all rows.

    Returns
    -------
    Ranking
        Whole trials by score; partial ones beside them only where no whole one but the baseline is left.

    Raises
    ------
    ModelError
        If no trial finished, or each is over a limit.
    """
    finished = [one for one in ended if one.trial.state == "finished"]
    if not finished:
        why = [f"{one.trial.family}: {one.trial.reason}" for one in ended]
        raise ModelError("At least one trial must finish within the budget, but none did. Raise `budget.seconds`.", why)
    reasons: list[str] = []
    kept = [one for one in finished if not one.trial.over]
    if not kept:
        least = min(finished, key=lambda one: one.excess).trial
        why = [f"trial {one.trial.number} {one.trial.family}: {'; '.join(one.trial.over)}" for one in finished]
        raise ModelError(
            f"At least one candidate must be within `limits`, but of {len(finished)} none is. The nearest, trial "
            f"{least.number} ({least.family}), is over: {'; '.join(least.over)}. Raise the limit, or `budget.seconds`.",
            why,
        )
    if len(kept) < len(finished):
        over = max((one for one in finished if one.trial.over), key=score_of).trial
        reasons.append(
            f"{len(finished) - len(kept)} of {len(finished)} trials are over a limit and cannot win; the best of them, "
            f"trial {over.number} ({over.family}), has {'; '.join(over.over)}"
        )
    ordered = _ordered(eligible(kept))
    if ordered[0].trial.partial:
        reasons.append("no trial on all folds finished but the baseline's: the best partial one was taken")
    quick = [one for one in ordered if in_time(one)]
    if all(one.trial.family == BASELINE for one in quick):
        return Ranking(tuple(ordered), tuple(reasons))  # a fit that may be late is worth more than none
    if quick and quick[0] is not ordered[0]:
        late = ordered[0].trial
        reasons.append(f"trial {late.number} ({late.family}) scored best, but no time was left to fit it on all rows")
    slow = [one for one in ordered if one not in quick]
    return Ranking((*quick, *slow), tuple(reasons))


def _ordered(candidates: list[Ended]) -> list[Ended]:
    by_score = sorted(candidates, key=lambda one: (-score_of(one), one.trial.number))
    if not by_score:
        return []
    best = score_of(by_score[0])
    ties = [one for one in by_score if best - score_of(one) <= SAME * max(1.0, abs(best))]
    ties.sort(key=lambda one: (one.fitted_parameters, one.trial.number))
    return ties + by_score[len(ties) :]
