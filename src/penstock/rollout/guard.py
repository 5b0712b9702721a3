"""Compare challenger with champion while both answer, until harm is shown, or is shown to be tolerably small.

Errors: the share of requests that the challenger fails. Latency: the share of requests that it slows, less the share
that it hastens; slowed is by more than the tolerated ratio and by more than 2 ms, since 0.1 ms against 0.3 ms harms
nobody. Noise of a busy machine hits both versions of a pair alike and cancels, so a guard cannot fire on our own load.
At most 5 % of the requests may be slowed on balance, so that the 95th percentile stays within what is tolerated. Mix:
which answers come more or less often than the judge saw (`mix`). Quality and segment: how much further off answers
are, where labels have come (`quality`).

Each caller counts once, with the mean of its requests, by the bounds of `bounds`. Guards look again and again, but only
at 10, 20, 40 ... observations of a source (mix and labels: at later numbers; safety: at the first number of callers
that can show it; and their doubles), and each look spends its part of an error of 5 % (see
`penstock.evaluation.intervals.spending`): looking twice at the same observations costs nothing, and a harmless
challenger is taken back by chance in at most 5 % of rollouts.

Once the first observations are as many as are kept, of one caller or of all, the newest of each caller are looked at
too, after every 320, so that harm that begins late is found. These looks are numbered behind the last that the first
observations can have, and spend what the series leaves them. What a look has follows from how many have asked, and who,
not from what was answered; looks may share observations, as their errors are added up.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from penstock.evaluation.intervals.spending import spend
from penstock.rollout import mix, quality
from penstock.rollout.bounds import Measured, balance, caller_means, least, number_callers, share_high, share_low
from penstock.rollout.observations import MOST_KEPT, Evidence, Missed, Observation, by_caller, callers
from penstock.rollout.release import Finding
from penstock.spec import Tolerate

ERROR = 0.05  # of a false alarm in a whole rollout, and of a false all-clear by each guard
FIRST_LOOK = 10
LAST_LOOK = 1 + int(math.log2(MOST_KEPT / FIRST_LOOK))  # at the first observations
FIRST_MIX = 320  # pairs: fewer say little of shares; or as many as the replay has brought, as none is looked at before
FIRST_LABELLED = 40  # rows: less than a gross loss cannot be seen in fewer
FIRST_SEGMENT = 160
FIRST_TOLD = 320  # rows with labels that may show that quality is not lost
MOST_SLOWED = 0.05
SLACK_MS = 2.0
STRICTEST = 1e-4  # a tolerated share of failures below this could not be shown by any number of requests

SAME, LIVE = "answers to the same rows", "live answers"

Observed = Sequence[Observation]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Look:
    """One harm in one source: so many observations there are, and what the first (`late`: all) show at an error."""

    guard: str
    source: str
    limit: float
    number: int
    measure: Callable[[int, float], Measured | None]
    first: int = FIRST_LOOK
    late: int = 0


def find_harm(evidence: Evidence, tolerate: Tolerate) -> Finding | None:
    """Return harm that is shown: a lower bound above what is tolerated, in one of the sources.

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
    looks = _looks(evidence, tolerate)
    asked, share = [*looks, *_late_looks(evidence, tolerate)], ERROR / len(looks)
    return next((found for each in asked if (found := _shown(each, share)) is not None), None)


def is_safe(observations: Observed, tolerate: Tolerate, beside: Observed = ()) -> tuple[bool, str]:
    """Return whether failures and slowed requests are shown to be below what is tolerated, and the figures in words.

    Parameters
    ----------
    observations
        Everything that counts, in the order in which it was seen.
    tolerate
        The project's limits.
    beside
        What counts for latency too, behind the others.

    Returns
    -------
    bool
        False too if there is too little to show anything.
    str
        The upper bounds, or how much there is of what is needed.
    """
    first = smallest_safe(tolerate)
    asked = len({each.caller for each in observations})
    if asked < first:
        return False, f"{asked} of the {first} answers of different callers that it takes"
    seen, look = _looked_at_callers(observations, first)
    timed, timed_look = _looked_at_callers([*observations, *beside], first)
    safe, said = True, []
    for what, limit, measured in (
        ("failures", tolerate.errors, errors(seen, tolerate.errors, spend(look, ERROR))),
        ("slowed requests", MOST_SLOWED, slowness(_timed(timed), tolerate.latency, spend(timed_look, ERROR))),
    ):
        safe = safe and measured.high < limit
        said.append(f"{what} at most {measured.high:.2%} ({limit:.2%} tolerated)")
    return safe, f"{len(seen)} answers: {', '.join(said)}"


def says_the_same(evidence: Evidence, tolerate: Tolerate) -> tuple[bool, str]:
    """Return whether mix and quality are shown to be within what is tolerated, as far as they can be, and the figures.

    Parameters
    ----------
    evidence
        What was seen of the challenger. Labels hold a stage up only if they are so many that an equal challenger would
        be shown to be harmless; without labels nothing is known of quality, and the figures say so.
    tolerate
        The project's limits.

    Returns
    -------
    bool
        True too if no rows were answered by both versions: `is_safe` says how many it takes.
    str
        The upper bounds, or what is missing.
    """
    safe, said = True, "the mix of answers not compared, as too few rows were answered by both"
    both, first = [each for each in evidence.paired if each.said], _first_mix(evidence)
    if len(both) >= first:
        seen, look = _looked_at(both, first)
        shift = mix.shift(seen, evidence.judged, spend(look, ERROR))
        high = 1.0 if shift is None else shift.high
        safe = high < tolerate.mix
        seen_by = " beyond what the judge saw" if evidence.judged else ""
        said = f"shares of answers moved by at most {max(high, 0.0):.2%}{seen_by} ({tolerate.mix:.2%} tolerated)"
    if len(evidence.lost) < FIRST_TOLD:
        return safe, f"{said}, quality unknown (labels of {len(evidence.lost)} rows are too few to tell)"
    rows, look = _looked_at(evidence.lost, FIRST_TOLD)
    lost = quality.paired(rows, tolerate.quality, spend(look, ERROR))
    if (lost.high - lost.low) / 2 >= tolerate.quality:
        return safe, f"{said}, quality unknown (labels of {len(rows)} rows are too few to tell)"
    high = max(lost.high, 0.0)
    loss = f"loss of quality at most {high:.2%} ({tolerate.quality:.2%} tolerated) on {len(rows)} rows with labels"
    return safe and lost.high < tolerate.quality, f"{said}, {loss}"


def smallest_safe(tolerate: Tolerate) -> int:
    """Return the number of answers that first shows, if none fails, that failures are rarer than tolerated."""
    rarer = min(max(tolerate.errors, STRICTEST), MOST_SLOWED)
    return math.floor(math.log(spend(1, ERROR)) / math.log1p(-rarer)) + 1


def errors(seen: Observed, limit: float, error: float) -> Measured:
    """Return the share of callers whom the challenger fails."""
    number = callers(seen)
    failed = by_caller(seen, [each.failed for each in seen])
    shown = np.flatnonzero(share_low(np.arange(number + 1), number, error) > limit)
    smallest = float(shown[0]) / number if len(shown) else 1.0
    low, high = float(share_low(failed, number, error)), float(share_high(failed, number, error))
    return Measured("failures", failed / number, low, high, smallest)


def slowness(seen: Observed, ratio: float, error: float) -> Measured:
    """Return the share of callers whom the challenger slows, less the share that it hastens."""
    times = [(each.champion_ms or 0.0, each.challenger_ms or 0.0) for each in seen]
    moved = [float(_slower(*pair, ratio)) - float(_slower(*pair[::-1], ratio)) for pair in times]
    value, low, high = balance(caller_means(number_callers(each.caller for each in seen), moved), error)
    return Measured("slowed requests", value, low, high, least(MOST_SLOWED, value, low))


def _looks(evidence: Evidence, tolerate: Tolerate) -> tuple[Look, ...]:
    """Return every look at the first of every source; always as many, so that each may spend its part."""
    both, live = evidence.paired, evidence.live
    said = [each for each in both if each.said] if evidence.replayed else []
    lost, missed = evidence.lost, evidence.missed
    placed = [row for row in lost if row.row is not None]
    arm = np.cumsum([row.challenger for row in missed])
    segment = quality.SEGMENT * tolerate.quality

    def shifts(count: int, error: float) -> Measured | None:
        found = mix.shift(said[:count], evidence.judged, error)
        return None if found is None else mix.with_least(found, tolerate.mix)

    def first(count: int) -> Sequence[Missed]:
        return missed[: int(np.searchsorted(arm, count)) + 1]

    return (
        _failing(SAME, both, tolerate),
        _failing(LIVE, live, tolerate),
        _slowing(SAME, both, tolerate),
        _slowing(LIVE, live, tolerate),
        Look("mix", SAME, tolerate.mix, len(said), shifts, _first_mix(evidence)),
        Look(
            *("quality", "labelled answers to the same rows", tolerate.quality, len(lost)),
            lambda count, error: quality.paired(lost[:count], tolerate.quality, error),
            FIRST_LABELLED,
        ),
        Look(
            *("quality", "labelled live answers", tolerate.quality, int(arm[-1]) if len(arm) else 0),
            lambda count, error: quality.by_arm(first(count), tolerate.quality, error),
            FIRST_LABELLED,
        ),
        Look(
            *("segment", "labelled answers to the same rows", segment, len(placed)),
            lambda count, error: quality.worst_segment(placed[:count], segment, error),
            FIRST_SEGMENT,
        ),
    )


def _late_looks(evidence: Evidence, tolerate: Tolerate) -> Iterator[Look]:
    """Give the looks at the newest of both sources; each spends from the part of the looks at the first."""
    for source, late in ((SAME, evidence.late_paired), (LIVE, evidence.late_live)):
        yield _failing(f"newest {source}", late.seen, tolerate, late.look)
        yield _slowing(f"newest {source}", late.seen, tolerate, late.look)


def _failing(source: str, seen: Observed, tolerate: Tolerate, late: int = 0) -> Look:
    def measure(count: int, error: float) -> Measured:
        return errors(seen[:count], tolerate.errors, error)

    return Look("errors", source, tolerate.errors, len(seen), measure, late=late)


def _slowing(source: str, seen: Observed, tolerate: Tolerate, late: int = 0) -> Look:
    timed = _timed(seen)

    def measure(count: int, error: float) -> Measured:
        return slowness(timed[:count], tolerate.latency, error)

    return Look("latency", source, MOST_SLOWED, len(timed), measure, late=late)


def _first_mix(evidence: Evidence) -> int:
    """Return how many pairs the first look at the mix takes: as many as the replay had, or a half or quarter of it."""
    doubled = int(math.log2(evidence.asked / FIRST_MIX)) if evidence.asked >= FIRST_MIX else 0
    return FIRST_MIX << doubled


def _looked_at_callers(observations: Observed, first: int) -> tuple[Observed, int]:
    """Return the observations of the newest look, and which look that is, where looks wait for so many callers.

    More answers to the same callers show little: a look at them would spend error, and the bound would rise.
    """
    known: set[str] = set()
    look, end = 0, 0
    for place, each in enumerate(observations, 1):
        known.add(each.caller)
        if len(known) >= first << look:
            look, end = look + 1, place
    return observations[:end], look


def _looked_at(observations: Sequence[T], first: int) -> tuple[Sequence[T], int]:
    """Return the observations of the newest look, and which look that is."""
    look = 1 + int(math.log2(len(observations) / first))
    return observations[: first << (look - 1)], look


def _slower(before: float, after: float, ratio: float) -> bool:
    return after > max(before * ratio, before + SLACK_MS)


def _timed(seen: Observed) -> Observed:
    """Return the observations with times: they are known of answers that did not fail only."""
    return [each for each in seen if each.champion_ms is not None and each.challenger_ms is not None]


def _shown(asked: Look, error: float) -> Finding | None:
    if asked.number < asked.first:
        return None
    look = LAST_LOOK + asked.late if asked.late else 1 + int(math.log2(asked.number / asked.first))
    count = asked.number if asked.late else asked.first << (look - 1)
    spent = spend(look, error)
    found = asked.measure(count, spent)
    if found is None or found.low <= asked.limit:
        return None
    what = f"{found.what[0].upper()}{found.what[1:]}"
    said = (
        f"{what}: {found.value:.2%} of {count} {asked.source}, at least {found.low:.2%} (look {look}, error "
        f"{spent:.1g}), where {asked.limit:.2%} is tolerated; {found.smallest:.2%} is the least that so many could "
        "have shown."
    )
    return Finding(asked.guard, said, found.value, asked.limit, count, found.smallest)
