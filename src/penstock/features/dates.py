"""Which parts of a date become features."""

from dataclasses import replace

import pandas as pd

from penstock.data.readers import DATE_PARTS
from penstock.domain.features import ColumnPlan

CYCLES = ("month", "day", "weekday", "hour", "day_of_year")
SHORT_CYCLES = ("day", "weekday", "hour")
MOST_DATES = 6  # whose gaps are taken: fifteen pairs
YEAR_DAYS = 365


def choose_parts(values: pd.Series, *, time_ordered: bool) -> tuple[tuple[str, ...], str]:
    """Choose the parts of a date: those that vary and, where rows are split by time, only those that come again."""
    present = pd.to_datetime(values.dropna())
    seen = {part: _part(present, part).nunique() > 1 for part in DATE_PARTS}
    if not time_ordered:
        parts = tuple(part for part in DATE_PARTS if seen[part])
        return parts, f"It is a date: {_list(parts)} are given to the model." if parts else "It hardly varies."
    whole_years = (present.max() - present.min()).days >= YEAR_DAYS
    cycles = CYCLES if whole_years else SHORT_CYCLES
    parts = tuple(part for part in cycles if seen[part])
    why = "the year and the days since 1970 are left out, because rows are split by time and later rows have new ones"
    if not whole_years:
        why += "; so are the months, because less than a whole year was seen"
    if not parts:
        return (), f"It is a date with nothing that comes again: {why}."
    return parts, f"It is a date: {_list(parts)} are given to the model; {why}."


def with_gaps(plans: tuple[ColumnPlan, ...], frame: pd.DataFrame) -> tuple[ColumnPlan, ...]:
    """Return plans in which each date has the time since those used before it, where that varies."""
    dates = [plan.name for plan in plans if plan.treatment == "date"][:MOST_DATES]
    since: dict[str, tuple[str, ...]] = {}
    for place, name in enumerate(dates):
        found = tuple(other for other in dates[:place] if (frame[name] - frame[other]).nunique() > 1)
        if found:
            since[name] = found
    paired = {*since, *(other for found in since.values() for other in found)}
    timed = {name for name in paired if not frame[name].dropna().equals(frame[name].dropna().dt.floor("h"))}
    return tuple(_with_gaps(plan, since.get(plan.name, ()), plan.name in timed) for plan in plans)


def _with_gaps(plan: ColumnPlan, since: tuple[str, ...], timed: bool) -> ColumnPlan:
    parts = (*plan.parts, "minutes") if timed else plan.parts
    told = f" The time since {', '.join(map(repr, since))} is given to the model too." if since else ""
    return replace(plan, parts=parts, since=since, reason=plan.reason + told)


def whole_of(name: str, frame: pd.DataFrame, out: frozenset[str | None]) -> str | None:
    """Return another date column, not among `out`, that has the same days and hours besides."""
    days = frame[name]
    if not days.equals(days.dt.normalize()):
        return None
    for other in frame.columns:
        if other == name or other in out or frame[other].dtype.kind != "M":
            continue
        if frame[other].dt.normalize().equals(days) and not frame[other].equals(days):
            return str(other)
    return None


def _part(dates: pd.Series, part: str) -> pd.Series:
    if part == "days":
        return pd.Series(dates.dt.normalize())
    shown = getattr(dates.dt, {"day_of_year": "dayofyear"}.get(part, part))
    return pd.Series(shown)


def _list(parts: tuple[str, ...]) -> str:
    shown = [part.replace("_", " ") for part in parts]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"
