"""Dates written as text: which format a column keeps to, and which values do not."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

SAMPLE = 200
ISO = "ISO8601"
_TIME = r"(?P<time>[T ]\s*\d{1,2}:\d{2}(?P<seconds>:\d{2}(?P<fraction>\.\d{1,9})?)?(?P<half> ?[AaPp][Mm])?)?"
_ZONE = r"(?: ?(?:Z|[+-]\d{2}:?\d{2}))?"
_ISO = re.compile(rf"\d{{4}}-\d{{2}}-\d{{2}}{_TIME}{_ZONE}$")
_YEAR_FIRST = re.compile(rf"\d{{4}}/\d{{1,2}}/\d{{1,2}}{_TIME}$")
_NUMBERS = re.compile(rf"\d{{1,2}}(?P<mark>[/.-])\d{{1,2}}(?P=mark)(?P<year>\d{{4}}|\d{{2}}){_TIME}$")
_DAY_NAME = re.compile(rf"\d{{1,2}}(?P<mark>[ -])(?P<month>[A-Za-z]{{3,9}})(?P=mark)(?P<year>\d{{4}}|\d{{2}}){_TIME}$")
_NAME_DAY = re.compile(rf"(?P<month>[A-Za-z]{{3,9}}) \d{{1,2}}(?P<comma>,?) (?P<year>\d{{4}}){_TIME}$")
SHORT_MONTH = 3


@dataclass(frozen=True, slots=True)
class DateReading:
    """What a column of texts is when read as dates.

    `values` is datetime64[us], UTC, NaT where the format does not fit; `others` are further formats that values keep
    to where the first does not fit; `ambiguous` if day and month could as well stand the other way round.
    """

    format: str
    values: NDArray[np.datetime64]
    fitting: NDArray[np.bool_]
    others: tuple[str, ...]
    ambiguous: bool


def read_dates(texts: pd.Series, *, only_iso: bool = False) -> DateReading | None:
    """Return a column of texts as dates in the format that fits most of them, or None if none fits a tenth.

    Parameters
    ----------
    texts
        Texts, shape (n_rows,); missing values are NaN.
    only_iso
        Try ISO 8601 alone.
    """
    present = texts.dropna()
    sample = present.iloc[:: max(1, len(present) // SAMPLE)].str.strip()
    formats = list(dict.fromkeys(found for text in sample for found in formats_of(text)))
    if only_iso:
        formats = [found for found in formats if found == ISO]
    if not formats:
        return None
    readings = {found: _parse(texts, found) for found in formats[:6]}
    best = max(readings, key=lambda found: int(readings[found].notna().sum()))
    fitting = readings[best].notna().to_numpy()
    if fitting.sum() * 10 < len(present):
        return None
    rest = texts.notna().to_numpy() & ~fitting
    others = tuple(found for found, values in readings.items() if bool((values.notna().to_numpy() & rest).any()))
    ambiguous = not others and any(
        found != best and bool((values.notna().to_numpy() == fitting).all()) and not values.equals(readings[best])
        for found, values in readings.items()
    )
    return DateReading(best, readings[best].to_numpy(), fitting, others, ambiguous)


def formats_of(text: str) -> Iterator[str]:
    """Give the formats that a text may be a date in, the likeliest first."""
    if _ISO.match(text):
        yield ISO
    elif found := _YEAR_FIRST.match(text):
        yield "%Y/%m/%d" + _clock(found)
    elif found := _NUMBERS.match(text):
        yield from _numbered(found)
    elif found := _DAY_NAME.match(text):
        month = "%b" if len(found["month"]) == SHORT_MONTH else "%B"
        yield found["mark"].join(["%d", month, _year(found)]) + _clock(found)
    elif found := _NAME_DAY.match(text):
        month = "%b" if len(found["month"]) == SHORT_MONTH else "%B"
        yield f"{month} %d{found['comma']} {_year(found)}" + _clock(found)


def _numbered(found: re.Match[str]) -> Iterator[str]:
    mark, year = found["mark"], _year(found)
    if mark == "." and year == "%y":
        return  # 1.2.15 is a version more often than a date
    orders = [["%m", "%d", year], ["%d", "%m", year]]  # slashes are mostly American, dots and dashes European
    for order in orders if mark == "/" else reversed(orders):
        yield mark.join(order) + _clock(found)


def _year(found: re.Match[str]) -> str:
    return "%Y" if len(found["year"]) == 4 else "%y"  # noqa: PLR2004  digits of a whole year


def _clock(found: re.Match[str]) -> str:
    if not found["time"]:
        return ""
    hours = "%I" if found["half"] else "%H"
    seconds = ":%S" if found["seconds"] else ""
    fraction = ".%f" if found["fraction"] else ""
    half = (" %p" if found["half"].startswith(" ") else "%p") if found["half"] else ""
    return f"{found['time'][0]}{hours}:%M{seconds}{fraction}{half}"


def _parse(texts: pd.Series, form: str) -> pd.Series:
    stripped = texts.str.strip()
    if form == ISO:  # pandas also takes 2015 and 2015-01 for ISO; a date has a day
        stripped = stripped.where(stripped.str.match(r"\d{4}-\d{2}-\d{2}").fillna(value=False).astype(bool))
    parsed = pd.to_datetime(stripped, format=form, errors="coerce", utc=True)
    return parsed.dt.tz_localize(None).astype("datetime64[us]")
