"""What is odd in one column: empty, constant, sentinels, impossible values, one level in several spellings."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from penstock.data.checks.first_file import MOST_WRONG, NEVER_NEGATIVE, name_words
from penstock.data.profiling import as_text
from penstock.data.types.canonical import canonical_type
from penstock.domain.datasets import Finding

NUMBERS_FOR_MISSING = (-9, -99, -999, -9999, -99999, -999999, 99, 999, 9999, 99999, 999999, 9999999, 99999999)
DATES_FOR_MISSING = ("1753-01-01", "1899-12-30", "1899-12-31", "1900-01-01", "1970-01-01", "2099-12-31", "9999-12-31")
FEWEST_TIMES = 3  # a value that comes less often is an outlier
FAR_DAYS = 5 * 365
OLDEST = 120  # years
MOST_LEVELS = 1000
EDGE = " .,;:!?'\"-_"


def check_column(values: pd.Series, today: np.datetime64) -> Iterator[Finding]:
    """Give what is odd in a canonical column."""
    name = str(values.name)
    present = values.dropna()
    if present.empty:
        yield Finding("all_missing", "warning", (name,), f"Column {name!r} has no value in any row.", len(values))
        return
    if len(present) == len(values) and present.nunique() == 1:
        message = f"Column {name!r} has the value {as_text(present.iloc[0])[:60]!r} in every row."
        masked = f"Column {name!r} has the same value in every row."
        yield Finding("constant", "note", (name,), message, len(values), masked=masked)
        return
    kind = canonical_type(values)
    if kind == "number":
        yield from _number(name, present.to_numpy(np.float64))
    elif kind == "date":
        yield from _date(name, present.to_numpy("datetime64[us]"), today)
    elif kind == "string":
        yield from _spellings(name, present)


def _number(name: str, numbers: NDArray[np.float64]) -> Iterator[Finding]:
    sentinel = _sentinel(numbers)
    if sentinel is not None:
        count = int((numbers == sentinel).sum())
        others = numbers[numbers != sentinel]
        message = (
            f"Column {name!r} has the value {sentinel:g} in {count:,} rows, far from its other values "
            f"({others.min():g} to {others.max():g}): it may stand for a missing value."
        )
        masked = (
            f"Column {name!r} has one value in {count:,} rows, far from its other values: it may stand for a missing "
            "value."
        )
        yield Finding("sentinel", "warning", (name,), message, count, (("value", float(sentinel)),), masked)
        numbers = others
    words = set(name_words(name))
    negative = int((numbers < 0).sum())
    if negative and negative <= MOST_WRONG * len(numbers) and words & NEVER_NEGATIVE:
        message = (
            f"Column {name!r} is below zero in {negative:,} of {len(numbers):,} rows, which its name says it cannot be."
        )
        yield Finding("impossible", "warning", (name,), message, negative)
    if words & {"age", "ages"} and float(np.median(numbers)) <= OLDEST:
        older = int((numbers > OLDEST).sum())
        if older:
            message = f"Column {name!r} is above {OLDEST} in {older:,} rows, which an age in years cannot be."
            yield Finding("impossible", "warning", (name,), message, older)


def _sentinel(numbers: NDArray[np.float64]) -> float | None:
    """Return the smallest or largest value if it is one that people write for missing, and stands far off."""
    for value, side in ((float(numbers.min()), -1), (float(numbers.max()), 1)):
        if value not in NUMBERS_FOR_MISSING:
            continue
        others = numbers[numbers != value]
        if len(others) == 0 or len(numbers) - len(others) < FEWEST_TIMES:
            continue
        low, high = float(others.min()), float(others.max())
        alone_below_zero = side < 0 <= low
        gap = low - value if side < 0 else value - high
        if alone_below_zero or gap > high - low:
            return value
    return None


def _date(name: str, dates: NDArray[np.datetime64], today: np.datetime64) -> Iterator[Finding]:
    ordered = np.unique(dates)
    far = np.timedelta64(FAR_DAYS, "D")
    for text in DATES_FOR_MISSING:
        moment = np.datetime64(text, "us")
        count = int((dates == moment).sum())
        rest = ordered[ordered != moment]
        if count and len(rest) and (rest[0] - moment > far or moment - rest[-1] > far):
            told = f"in {count:,} rows, years from its other dates: it may stand for a missing one."
            message, masked = f"Column {name!r} has the date {text} {told}", f"Column {name!r} has one date {told}"
            yield Finding("sentinel", "warning", (name,), message, count, masked=masked)
            dates = dates[dates != moment]
    later = int((dates > today + np.timedelta64(1, "D")).sum())
    if 0 < later <= MOST_WRONG * len(dates):
        message = f"Dates of {name!r} are in the future in {later:,} of {len(dates):,} rows."
        yield Finding("impossible", "warning", (name,), message, later)


def _spellings(name: str, present: pd.Series) -> Iterator[Finding]:
    counts = present.value_counts()
    if len(counts) > MOST_LEVELS:
        return
    groups: dict[str, list[str]] = {}
    for level in counts.index:
        groups.setdefault(" ".join(str(level).casefold().strip(EDGE).split()), []).append(str(level))
    several = {form: levels for form, levels in groups.items() if form and len(levels) > 1}
    if not several:
        return
    shown = "; ".join(" = ".join(repr(level) for level in levels[:4]) for levels in list(several.values())[:3])
    rows = int(sum(counts[level] for levels in several.values() for level in levels[1:]))
    told = f"Column {name!r} writes {len(several)} of its levels in more than one way"
    yield Finding("mixed_formats", "warning", (name,), f"{told}, such as {shown}.", rows, masked=f"{told}.")
