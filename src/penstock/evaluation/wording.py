"""How figures are worded for people."""

import math
from collections.abc import Sequence

from penstock.domain.evaluation import Score
from penstock.evaluation.metrics import find_metric

TINY = 1e-5  # below this zeros hide the digits


def figure(value: float, digits: int = 4) -> str:
    """Return a number with a few significant digits and thousands separated: 0.8432, 1,409, 12.35."""
    if not math.isfinite(value):
        return "unknown"
    if value == 0:
        return "0"
    if 0 < abs(value) < TINY:
        return f"{value:.{max(digits - 2, 0)}e}"
    if float(value).is_integer() and abs(value) >= 1:
        return f"{value:,.0f}"
    places = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    return f"{value:,.{min(places, 6)}f}"


def share(value: float) -> str:
    """Return a share as a percentage."""
    return f"{100 * value:.1f} %" if value < 0.1 else f"{100 * value:.0f} %"  # noqa: PLR2004  small shares need a digit


def title(metric: str) -> str:
    """Return a metric's name for people."""
    return find_metric(metric).title


def count(number: int, one: str, many: str | None = None) -> str:
    """Return a number of things in words: 1 row, 1,409 rows."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def interval(score: Score) -> str:
    """Return a score with its interval: 0.843 (95 %: 0.821 to 0.866)."""
    return f"{figure(score.value)} (95 %: {figure(score.low)} to {figure(score.high)})"


def listed(words: Sequence[str], limit: int = 5) -> str:
    """Return words in a sentence: a, b and c; after `limit` the number of the others."""
    shown = list(words[:limit])
    if len(words) > limit:
        return f"{', '.join(shown)} and {len(words) - limit:,} more"
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}" if shown else "none"
