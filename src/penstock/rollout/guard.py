"""Compare challenger with champion while both answer, until harm is shown, or is shown to be tolerably small.

Errors: the share of requests that the challenger fails. Latency: the share of requests that it slows, less the share
that it hastens; slowed is by more than the tolerated ratio and by more than 2 ms, since 0.1 ms against 0.3 ms harms
nobody. Noise of a busy machine hits both versions of a pair alike and cancels, so a guard cannot fire on our own load.
At most 5 % of the requests may be slowed on balance, so that the 95th percentile stays within what is tolerated.

Each caller counts once, with the share of its requests that are harmed. Bounds are exact for yes and no (Clopper and
Pearson 1934), and wider than need be for shares (Hoeffding 1956). Guards look again and again, but only at 10, 20, 40
... observations of a source (safety: at the first number that can show it, and its doubles), and each look spends its
part of an error of 5 % (`penstock.evaluation.spending`): looking twice at the same observations costs nothing, and a
harmless challenger is taken back by chance in at most 5 % of rollouts.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from penstock.evaluation.spending import spend
from penstock.rollout.observations import Evidence, Observation, by_caller, callers
from penstock.rollout.release import Finding
from penstock.spec import Tolerate

ERROR = 0.05  # of a false alarm in a whole rollout, and of a false all-clear by each guard
FIRST_LOOK = 10
MOST_SLOWED = 0.05
SLACK_MS = 2.0
STRICTEST = 1e-4  # a tolerated share of failures below this could not be shown by any number of requests

Observed = Sequence[Observation]
Flags = Sequence[bool]


@dataclass(frozen=True, slots=True)
class Harm:
    """One kind of harm: the share of callers that are harmed, less the share that are helped, and what is tolerated.

    `flags` says which observations are harm, and which are help; `nets` whether there can be help at all.
    """

    guard: str
    what: str
    limit: float
    flags: Callable[[Observed], tuple[Flags, Flags]]
    nets: bool

    def value(self, seen: Observed) -> float:
        """Return the share that was seen."""
        harmed, helped = self._counts(seen)
        return (harmed - helped) / callers(seen)

    def lower(self, seen: Observed, error: float, harmed: ArrayLike | None = None) -> NDArray[np.float64]:
        """Return the lower bound of the share; for other numbers of harmed callers, if they are given."""
        found, helped = self._counts(seen)
        low = _low(found if harmed is None else harmed, callers(seen), self._side(error))
        return low - _high(helped, callers(seen), error / 2) if self.nets else low

    def upper(self, seen: Observed, error: float) -> float:
        """Return the upper bound of the share."""
        harmed, helped = self._counts(seen)
        high = _high(harmed, callers(seen), self._side(error))
        return float(high - _low(helped, callers(seen), error / 2) if self.nets else high)

    def smallest(self, seen: Observed, error: float) -> float:
        """Return the smallest share that so many callers would have shown to be harm; 1 if none."""
        number = callers(seen)
        shown = np.flatnonzero(self.lower(seen, error, np.arange(number + 1)) > self.limit)
        return min(1.0, float(shown[0] - self._counts(seen)[1]) / number) if len(shown) else 1.0

    def _counts(self, seen: Observed) -> tuple[float, float]:
        harmed, helped = self.flags(seen)
        return by_caller(seen, harmed), by_caller(seen, helped)

    def _side(self, error: float) -> float:
        return error / 2 if self.nets else error


def find_harm(evidence: Evidence, tolerate: Tolerate) -> Finding | None:
    """Return harm that is shown: a lower bound above what is tolerated, in pairs or in live answers.

    Parameters
    ----------
    evidence
        What was seen of the challenger.
    tolerate
        The project's limits.

    Returns
    -------
    Finding or None
        None as long as none is shown.
    """
    if evidence.broken is not None:
        return Finding("errors", f"The challenger cannot answer: {evidence.broken}", 1.0, tolerate.errors, 0, 1.0)
    sources = (("answers to the same rows", evidence.paired), ("live answers", evidence.live))
    kinds = _harms(tolerate)
    for harm in kinds:
        for name, seen in sources:
            found = _shown(harm, name, _fit_for(harm, seen), ERROR / len(kinds) / len(sources))
            if found is not None:
                return found
    return None


def is_safe(observations: Observed, tolerate: Tolerate) -> tuple[bool, str]:
    """Return whether every harm is shown to be below what is tolerated, and the figures in words.

    Parameters
    ----------
    observations
        Everything that counts, in the order in which it was seen.
    tolerate
        The project's limits.

    Returns
    -------
    bool
        False too if there is too little to show anything.
    str
        The upper bounds, or how much there is of what is needed.
    """
    first = smallest_safe(tolerate)
    if len(observations) < first:
        return False, f"{len(observations)} of the {first} answers that it takes"
    look = 1 + int(math.log2(len(observations) / first))
    seen = observations[: first << (look - 1)]
    safe, said = True, []
    for harm in _harms(tolerate):
        fit = _fit_for(harm, seen)
        upper = harm.upper(fit, spend(look, ERROR)) if fit else 1.0
        safe = safe and upper < harm.limit
        said.append(f"{harm.what} at most {upper:.2%} ({harm.limit:.2%} tolerated)")
    return safe, f"{len(seen)} answers: {', '.join(said)}"


def smallest_safe(tolerate: Tolerate) -> int:
    """Return the number of answers that first shows, if none fails, that failures are rarer than tolerated."""
    rarer = min(max(tolerate.errors, STRICTEST), MOST_SLOWED)
    return math.floor(math.log(spend(1, ERROR)) / math.log1p(-rarer)) + 1


def _harms(tolerate: Tolerate) -> tuple[Harm, Harm]:
    def slowed(seen: Observed) -> tuple[Flags, Flags]:
        times = [(each.champion_ms or 0.0, each.challenger_ms or 0.0) for each in seen]
        return (
            [_slower(before, after, tolerate.latency) for before, after in times],
            [_slower(after, before, tolerate.latency) for before, after in times],
        )

    def failed(seen: Observed) -> tuple[Flags, Flags]:
        return [each.failed for each in seen], [False] * len(seen)

    return (
        Harm("errors", "failures", tolerate.errors, failed, nets=False),
        Harm("latency", "slowed requests", MOST_SLOWED, slowed, nets=True),
    )


def _slower(before: float, after: float, ratio: float) -> bool:
    return after > max(before * ratio, before + SLACK_MS)


def _fit_for(harm: Harm, seen: Observed) -> Observed:
    """Return the observations that tell of a harm: times are known of answers that did not fail only."""
    if harm.guard == "errors":
        return seen
    return [each for each in seen if each.champion_ms is not None and each.challenger_ms is not None]


def _shown(harm: Harm, name: str, observations: Observed, error: float) -> Finding | None:
    if len(observations) < FIRST_LOOK:
        return None
    look = 1 + int(math.log2(len(observations) / FIRST_LOOK))
    seen, spent = observations[: FIRST_LOOK << (look - 1)], spend(look, error)
    lower = float(harm.lower(seen, spent))
    if lower <= harm.limit:
        return None
    value, smallest = harm.value(seen), harm.smallest(seen, spent)
    said = (
        f"{harm.what.capitalize()}: {value:.2%} of {len(seen)} {name}, at least {lower:.2%} (look {look}, error "
        f"{spent:.1g}), where {harm.limit:.2%} is tolerated; {smallest:.2%} is the least that so many could have shown."
    )
    return Finding(harm.guard, said, value, harm.limit, len(seen), smallest)


def _low(harmed: ArrayLike, number: float, error: float) -> NDArray[np.float64]:
    """Return the lower Clopper-Pearson bound of a share; numbers need not be whole."""
    from scipy.special import betaincinv

    count = np.asarray(harmed, np.float64)
    low = betaincinv(np.maximum(count, 1e-300), np.maximum(number - count, 0) + 1, error)
    return np.where(count > 0, low, 0.0)


def _high(harmed: ArrayLike, number: float, error: float) -> NDArray[np.float64]:
    """Return the upper Clopper-Pearson bound of a share; numbers need not be whole."""
    from scipy.special import betaincinv

    count = np.asarray(harmed, np.float64)
    high = betaincinv(count + 1, np.maximum(number - count, 1e-300), 1 - error)
    return np.where(count < number, high, 1.0)
