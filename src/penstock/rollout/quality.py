"""Quality while a rollout lasts: how much further off a challenger is than its champion, where labels have come.

How far off an answer is lies between 0 and 1: for classes half the Brier score (1950), which is the error rate of a
version that is always sure; for values the distance in standard deviations of the labels, one at most. Rows that both
versions answered are compared one by one; answers to callers by who gave them.

A segment is a value of a column, or a quarter of its numbers, in rows that were replayed. One segment may lose more
than the whole, by five times, as no two models are equally good everywhere; all are looked at with Bonferroni's
correction (1936).
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock.rollout.bounds import Measured, Values, apart, balance, caller_means, least, number_callers
from penstock.rollout.observations import Lost, Missed

SEGMENT = 5.0  # times the loss that the whole may have
SMALLEST_SEGMENT = 20  # callers
MOST_LEVELS = 20  # of a column; one with more tells callers apart and not segments


def distance(answer: Mapping[str, Any], label: str) -> float:
    """Return how far an answer is off: 0 to 1 for a class, in the label's own units for a value."""
    if "value" in answer:
        return abs(float(label) - float(answer["value"]))
    chances = answer["probabilities"]
    squares = sum(chance * chance for chance in chances.values())
    return float(squares - 2 * chances.get(label, 0.0) + 1) / 2


def losses(rows: Sequence[Lost]) -> Values:
    """Return what each row lost, between -1 and 1."""
    found = np.array([row.loss for row in rows], np.float64)
    return np.asarray(np.clip(found / _unit([row.truth for row in rows]), -1.0, 1.0), np.float64)


def paired(rows: Sequence[Lost], limit: float, error: float) -> Measured:
    """Return how much further off the challenger is on rows that both answered."""
    value, low, high = balance(caller_means(number_callers(row.caller for row in rows), losses(rows)), error)
    return Measured("answers further off than the champion's", value, low, high, least(limit, value, low))


def by_arm(rows: Sequence[Missed], limit: float, error: float) -> Measured:
    """Return how much further off the challenger's answers to its callers are than the champion's to its own."""
    unit = _unit([row.truth for row in rows])
    samples = []
    for challenger in (False, True):
        arm = [row for row in rows if row.challenger == challenger]
        off = np.clip(np.array([row.loss for row in arm], np.float64) / unit, 0.0, 1.0)
        samples.append(caller_means(number_callers(row.caller for row in arm), off) if arm else np.empty(0))
    value, low, high = apart(samples[0], samples[1], error)
    return Measured("answers further off than the champion's", value, low, high, least(limit, value, low))


def worst_segment(rows: Sequence[Lost], limit: float, error: float) -> Measured | None:
    """Return the segment that is surest to lose, None if there is none of enough callers."""
    lost, asked = losses(rows), number_callers(row.caller for row in rows)
    segments = [
        (name, inside)
        for name, inside in _segments([row.row or {} for row in rows])
        if len(np.unique(asked[inside])) >= SMALLEST_SEGMENT
    ]
    found = []
    for name, inside in segments:
        own = np.unique(asked[inside], return_inverse=True)[1].astype(np.int64)
        value, low, high = balance(caller_means(own, lost[inside]), error / len(segments))
        what = f"answers further off than the champion's where {name}"
        found.append(Measured(what, value, low, high, least(limit, value, low)))
    return max(found, key=lambda each: each.low, default=None)


def _unit(truths: Sequence[float | None]) -> float:
    """Return the labels' standard deviation, 1 for classes and where all labels are one."""
    known = [truth for truth in truths if truth is not None]
    return float(np.std(known)) or 1.0 if known else 1.0


def _segments(rows: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """Give the segments of rows by name, and which rows are in each."""
    for column in sorted({name for row in rows for name in row}):
        values = [row.get(column) for row in rows]
        numbers = [value for value in values if isinstance(value, (int, float)) and not isinstance(value, bool)]
        if len(set(numbers)) > MOST_LEVELS:
            yield from _quarters(column, values, np.quantile(numbers, [0.25, 0.5, 0.75]))
            continue
        levels = Counter(repr(value) for value in values)
        if len(levels) <= MOST_LEVELS:
            for level in levels:
                yield f"{column!r} is {level}", np.array([repr(value) == level for value in values])


def _quarters(column: str, values: Sequence[Any], edges: Values) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    numbers = np.array(
        [value if isinstance(value, (int, float)) and not isinstance(value, bool) else np.nan for value in values],
        np.float64,
    )
    ends = [-np.inf, *edges, np.inf]
    for low, high in pairwise(ends):
        yield f"{column!r} is above {low:g} and at most {high:g}", (numbers > low) & (numbers <= high)
