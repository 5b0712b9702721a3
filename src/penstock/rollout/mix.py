"""Output mix: which answers a challenger gives more or less often than its champion on the same rows.

A better model answers otherwise, and the cure of a drift does so a lot. What the judge saw is therefore no harm: on
labelled fresh rows, how often the challenger says what where the champion says this or that. From what the champion
says of today's rows follows the shift to be expected, with its error; up to there any shift is explained, and only
what goes beyond it, or the other way, is harm.

Classes are compared by their shares. Values are compared by the shares in four classes: up to each quarter of the
champion's own answers.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from penstock.rollout.bounds import Measured, Values, balance, caller_means, least, number_callers
from penstock.rollout.observations import Observation, Said

EDGE_ROWS = 100  # of the champion's answers say where its quarters end, if the judge has seen none
QUARTERS = ("the lowest quarter", "the second quarter", "the third quarter", "the highest quarter")
SURE = 1.96  # standard errors on either side of what the judge saw
TWO = 2

Pairs = Sequence[tuple[Said, Said]]
Codes = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class _Classes:
    """The classes of answers, and where they begin and end if answers are values."""

    names: tuple[str, ...]
    edges: Values | None = None

    @classmethod
    def of(cls, seen: Pairs, judged: Pairs) -> "_Classes":
        """Return the classes of all answers; those of values are quarters of what the champion says."""
        first = seen[0][0]
        if isinstance(first, str):
            return cls(tuple(sorted({str(said) for said in chain(*seen, *judged)})))
        before = np.array([one for one, _ in (judged or seen[:EDGE_ROWS])], np.float64)
        edges = np.unique([_edge(np.sort(before), share) for share in (0.25, 0.5, 0.75)])
        return cls(QUARTERS[: len(edges) + 1], edges)

    def codes(self, said: Sequence[Said]) -> Codes:
        """Return the class of each answer."""
        if self.edges is not None:
            return np.searchsorted(self.edges, np.array(said, np.float64)).astype(np.int64)
        place = {name: code for code, name in enumerate(self.names)}
        return np.array([place[str(each)] for each in said], np.int64)


def _edge(values: Values, share: float) -> float:
    """Return a value between two different answers, so that rounding moves none over it, unless all are the same."""
    place = int(share * len(values))
    above = int(np.searchsorted(values, values[place], side="right"))
    if above < len(values):
        return float(values[above - 1] + values[above]) / 2
    below = int(np.searchsorted(values, values[place])) - 1
    return float(values[below] + values[below + 1]) / 2 if below >= 0 else float(values[place])


@dataclass(frozen=True, slots=True)
class _Table:
    """By which share each answer of the champion (rows) became another one (columns), and the variance of that."""

    shift: Values
    variance: Values

    @classmethod
    def of(cls, champion: Codes, challenger: Codes, classes: int) -> "_Table":
        """Count pairs of answers; of what the champion has never said nothing is known, and no shift expected."""
        counts = np.zeros((classes, classes))
        np.add.at(counts, (champion, challenger), 1.0)
        rows = counts.sum(axis=1, keepdims=True)
        share = (counts + 1) / (rows + 2)  # a share of 0 has an error too
        known = rows > 0
        shift = np.where(known, counts / np.maximum(rows, 1), np.eye(classes)) - np.eye(classes)
        return cls(shift, np.where(known, share * (1 - share) / np.maximum(rows, 1), 0.0))


def shift(observations: Sequence[Observation], judged: Pairs, error: float) -> Measured | None:
    """Return the largest shift of the share of an answer beyond what the judge saw, with bounds.

    Parameters
    ----------
    observations
        Those in which both versions answered.
    judged
        What champion and challenger say of labelled fresh rows; empty if the judge has seen none.
    error
        The one-sided error of all bounds together.

    Returns
    -------
    Measured or None
        None if nobody has answered.
    """
    seen = [pair for each in observations for pair in each.said]
    if not seen:
        return None
    classes = _Classes.of(seen, judged)
    count = len(classes.names)
    asked = number_callers(each.caller for each in observations for _ in each.said)
    before, after = (classes.codes([pair[side] for pair in seen]) for side in (0, 1))
    champion, challenger = (classes.codes([pair[side] for pair in judged]) for side in (0, 1))
    known = _Table.of(champion, challenger, count)
    weights = np.array([caller_means(asked, before == code).mean() for code in range(count)])
    expected, errors = weights @ known.shift, SURE * np.sqrt(np.square(weights) @ known.variance)
    both = ((1.0, "more"), (-1.0, "less"))
    sides = both[:1] if count == TWO else both  # of two, one comes more often as the other comes less often
    spent = error / (len(sides) * count)
    found = []
    for code in range(count):
        moved = (after == code).astype(float) - (before == code)
        beyond = moved - known.shift[before, code]
        for sign, word in sides:
            allowed = sign * float(expected[code]) + float(errors[code])
            values = caller_means(asked, sign * (beyond if allowed > 0 else moved))
            borne = float(errors[code]) if allowed > 0 else 0.0
            value, low, high = (each - borne for each in balance(values, spent))
            what = f"answers {classes.names[code]!r} {word} often than {'the judge saw' if judged else 'the champion'}"
            found.append(Measured(what, value, low, high, 0.0))
    return _together(found)


def _together(found: Sequence[Measured]) -> Measured:
    """Return the shift that is surest, with the highest upper bound of all."""
    worst = max(found, key=lambda each: (each.low, each.value))
    high = max(each.high for each in found)
    return Measured(worst.what, max(worst.value, 0.0), worst.low, high, 0.0)


def with_least(measured: Measured, limit: float) -> Measured:
    """Return what was measured with the smallest shift that would have been shown."""
    smallest = least(limit, measured.value, measured.low)
    return Measured(measured.what, measured.value, measured.low, measured.high, smallest)
