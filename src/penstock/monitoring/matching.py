"""Compare rows with rows of the same part of the week: a weekly or daily cycle in the stream is no drift.

A window may be shorter than a cycle, and hold Saturdays alone, or mornings. Its rows are therefore compared with
reference rows that are weighted to the same shares of weekdays and quarters of the day. What is left of a difference
is not explained by when the rows came. Longer cycles, such as seasons, are met by `stretches`: a column drifted only
if it moved further than stretches of the reference itself, as long as the window, did.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

FEWEST = 20  # reference rows of a part of the week; with fewer, rows of it are not compared
QUARTER_HOURS = 6
MOST_UNMATCHED = 0.5  # share of a window's rows that no reference row matches; with more, rows are compared as they are
MOST_STRETCHES = 24
FEWEST_STRETCHES = 6
STRETCH_ROWS = 100

Weights = NDArray[np.float64]


def phases(reference: NDArray[Any] | None, current: NDArray[Any] | None) -> tuple[NDArray[np.int64], ...] | None:
    """Return the part of the week of each row, on both sides; None where either does not know when its rows were.

    A part is a weekday and a quarter of the day, or a weekday alone where times are whole days. -1 is no time.
    """
    if reference is None or current is None:
        return None
    hours = bool(np.any(reference[~np.isnat(reference)].astype("M8[D]") != reference[~np.isnat(reference)]))
    return _phase(reference, hours=hours), _phase(current, hours=hours)


def match(reference: NDArray[np.int64], current: NDArray[np.int64]) -> tuple[Weights, Weights]:
    """Return weights of reference rows that give them the window's mix of phases, and of the window's rows.

    Rows of the window whose phase the reference does not know weigh 0.
    """
    size = int(max(reference.max(initial=0), current.max(initial=0))) + 2
    there = np.bincount(reference + 1, minlength=size)
    here = np.bincount(current + 1, minlength=size)
    known = there >= FEWEST
    kept = known[current + 1].astype(np.float64)
    if kept.mean() < 1 - MOST_UNMATCHED:
        return np.ones(reference.size), np.ones(current.size)
    wanted = np.divide(here, there, out=np.zeros(size), where=known)[reference + 1]
    return wanted / max(float(wanted.mean()), 1e-12), kept / float(kept.mean())


def stretches(reference: NDArray[Any] | None, current: NDArray[Any] | None) -> list[NDArray[np.bool_]]:
    """Return stretches of the reference in time, each as long as the window; none where the reference is too short."""
    if reference is None or current is None or np.isnat(reference).all() or np.isnat(current).all():
        return []
    times = reference.astype("M8[us]").astype(np.int64).astype(np.float64)
    times[np.isnat(reference)] = np.nan
    start, whole = float(np.nanmin(times)), float(np.nanmax(times) - np.nanmin(times))
    length = float(np.nanmax(_plain(current)) - np.nanmin(_plain(current)))
    count = int(min(whole / max(length, 1.0), reference.size / STRETCH_ROWS))
    if count < FEWEST_STRETCHES:
        return []
    place = np.clip(np.nan_to_num((times - start) / whole * count, nan=-1.0), -1, count - 1).astype(np.int64)
    rows = np.bincount(place[place >= 0], minlength=count)
    full = np.flatnonzero(rows >= STRETCH_ROWS // 2)
    picked = full[np.linspace(0, full.size - 1, min(full.size, MOST_STRETCHES)).round().astype(np.int64)]
    return [place == each for each in picked] if full.size >= FEWEST_STRETCHES else []


def _plain(times: NDArray[Any]) -> NDArray[np.float64]:
    plain = times.astype("M8[us]").astype(np.int64).astype(np.float64)
    plain[np.isnat(times)] = np.nan
    return plain


def _phase(times: NDArray[Any], *, hours: bool) -> NDArray[np.int64]:
    known = ~np.isnat(times)
    filled = np.where(known, times, np.datetime64(0, "us")).astype("M8[us]")
    days = filled.astype("M8[D]")
    weekday = (days.astype(np.int64) + 3) % 7
    quarter = (filled - days).astype("m8[h]").astype(np.int64) // QUARTER_HOURS
    return np.where(known, weekday * 4 + quarter if hours else weekday, -1)
