"""Streams without drift, as arrays: forty columns, some of which follow the week or the day."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock.evaluation.answers import Answers
from penstock.evaluation.metrics import Choosing
from penstock.monitoring.detectors._base import Column
from penstock.monitoring.reference import Rows

COLUMNS = 40
YEAR = 364 * 86_400
LEVELS = (2, 3, 8, 30, 300)


def times(random: np.random.Generator, rows: int, start: float, seconds: float) -> NDArray[Any]:
    """Return when rows came, in order: fewer at weekends and at night."""
    moments = np.sort(random.uniform(start, start + seconds, rows * 3))
    day, hour = moments // 86_400 % 7, moments // 3600 % 24
    kept = random.random(moments.size) < np.where(day >= 5, 0.4, 0.8) * np.where((hour < 6) | (hour > 21), 0.4, 1.0)
    chosen = np.sort(random.choice(np.flatnonzero(kept), rows, replace=kept.sum() < rows))
    arrived: NDArray[Any] = np.datetime64("2025-01-06", "us") + (moments[chosen] * 1e6).astype("m8[us]")
    return arrived


def make(random: np.random.Generator, moments: NDArray[Any], moved: dict[str, float] | None = None) -> Rows:
    """Return rows of forty columns that came at some times; `moved` columns are shifted."""
    seconds = (moments - np.datetime64("2025-01-06", "us")) / np.timedelta64(1, "s")
    weekend, morning = seconds // 86_400 % 7 >= 5, seconds // 3600 % 24 < 12
    columns = {f"c{place}": _column(random, place, weekend, morning) for place in range(COLUMNS)}
    for name, shift in (moved or {}).items():
        columns[name] = Column("number", columns[name].values + shift, columns[name].weights)
    return Rows(columns, moments)


def _column(random: np.random.Generator, place: int, weekend: NDArray[np.bool_], morning: NDArray[np.bool_]) -> Column:
    rows = weekend.size
    kind = place % 8
    if kind >= 6:
        size = LEVELS[place % len(LEVELS)]
        shares = 1 / np.arange(1, size + 1) ** 1.1
        codes = random.choice(size, rows, p=shares / shares.sum())
        if kind == 7:
            codes = np.where(weekend & (random.random(rows) < 0.4), 0, codes)
        codes[random.random(rows) < 0.05] = -1
        return Column("category", codes.astype(np.int64), np.ones(rows), tuple(f"l{level}" for level in range(size)))
    plain = random.normal(size=rows)
    draws = (
        plain,
        np.exp(plain),
        random.poisson(1.2, rows).astype(float),
        plain + 1.0 * weekend,
        plain + 0.8 * morning,
        random.gamma(2.0, 1.0 + 0.5 * weekend * morning),
    )
    values = np.array(draws[kind], dtype=np.float64)
    if place % 3 == 0:
        values[random.random(rows) < 0.1] = np.nan
    return Column("number", values, np.ones(rows))


def answer(random: np.random.Generator, moments: NDArray[Any], spread: float = 0.15, loss: float = 0.0) -> Answers:
    """Return answers of a calibrated version, whose quality differs from day to day; `loss` is what it lost."""
    days = moments.astype("M8[D]").astype(np.int64)
    sharp = np.random.default_rng(5).normal(1.5, spread, 4000)[days % 4000] * (1 - loss)
    signal = random.normal(size=days.size)
    truth = (random.random(days.size) < 1 / (1 + np.exp(1.0 - sharp * signal))).astype(np.int64)
    believed = 1 / (1 + np.exp(1.0 - 1.5 * signal))
    number = np.arange(days.size)
    matrix = np.column_stack([1 - believed, believed])
    group = number.astype(np.uint64)
    return Answers(number, group, group, moments, truth, matrix, ("no", "yes"), Choosing(0.5))
