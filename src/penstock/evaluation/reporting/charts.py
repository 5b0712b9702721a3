"""The charts of a report as inline SVG: no script, no font, no host, and colours that follow the page."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup, escape

from penstock.domain.evaluation import Importance, Score
from penstock.evaluation.metrics import Values
from penstock.evaluation.reporting.curves import Bin
from penstock.evaluation.wording import figure

SIZE = 300.0
LEFT, RIGHT, TOP, BOTTOM = 46.0, 12.0, 12.0, 40.0
TICKS = 5
LABEL = 28  # letters of a column's name beside its bar


@dataclass(frozen=True, slots=True)
class Frame:
    """The range of both axes of a square chart, and where they lie on it."""

    x_low: float
    x_high: float
    y_low: float
    y_high: float

    def x(self, value: float) -> float:
        """Return the place of a value on the horizontal axis."""
        return LEFT + (value - self.x_low) / ((self.x_high - self.x_low) or 1) * (SIZE - LEFT - RIGHT)

    def y(self, value: float) -> float:
        """Return the place of a value on the vertical axis."""
        return SIZE - BOTTOM - (value - self.y_low) / ((self.y_high - self.y_low) or 1) * (SIZE - TOP - BOTTOM)

    def axes(self, x_title: str, y_title: str) -> str:
        """Return grid lines, tick labels and axis titles."""
        parts = []
        for value in nice_ticks(self.x_low, self.x_high):
            place = self.x(value)
            parts.append(f'<line class="grid" x1="{place:.1f}" x2="{place:.1f}" y1="{TOP}" y2="{SIZE - BOTTOM}"/>')
            parts.append(f'<text x="{place:.1f}" y="{SIZE - BOTTOM + 14}" text-anchor="middle">{tick(value)}</text>')
        for value in nice_ticks(self.y_low, self.y_high):
            place = self.y(value)
            parts.append(f'<line class="grid" x1="{LEFT}" x2="{SIZE - RIGHT}" y1="{place:.1f}" y2="{place:.1f}"/>')
            parts.append(f'<text x="{LEFT - 6}" y="{place + 3.5:.1f}" text-anchor="end">{tick(value)}</text>')
        middle = LEFT + (SIZE - LEFT - RIGHT) / 2
        parts.append(f'<text class="axis" x="{middle}" y="{SIZE - 6}" text-anchor="middle">{escape(x_title)}</text>')
        high = TOP + (SIZE - TOP - BOTTOM) / 2
        turned = f'transform="translate(10 {high}) rotate(-90)" text-anchor="middle"'
        parts.append(f'<text class="axis" {turned}>{escape(y_title)}</text>')
        return "".join(parts)


def nice_ticks(low: float, high: float) -> list[float]:
    """Return about five round values between two bounds."""
    span = (high - low) or 1.0
    rough = span / TICKS
    power = 10.0 ** np.floor(np.log10(rough))
    step = next(power * m for m in (1, 2, 2.5, 5, 10) if power * m >= rough * (1 - 1e-9))
    first = np.ceil(low / step - 1e-9) * step
    return [float(round(value, 12)) + 0.0 for value in np.arange(first, high + step * 1e-6, step)]


def tick(value: float) -> str:
    """Return a tick's label: 0.2, 1,500, 2.5M."""
    for size, letter in ((1e9, "G"), (1e6, "M")):
        if abs(value) >= size:
            return f"{value / size:g}{letter}"
    return f"{value:,.10g}"


def _svg(body: str, words: str, width: float = SIZE, height: float = SIZE) -> Markup:
    return Markup(  # noqa: S704  every text in it is escaped where it enters
        f'<svg viewBox="0 0 {width:g} {height:g}" role="img" aria-label="{escape(words)}">{body}</svg>'
    )


def _path(frame: Frame, xs: Sequence[float] | Values, ys: Sequence[float] | Values) -> str:
    return "M" + "L".join(f"{frame.x(x):.1f} {frame.y(y):.1f}" for x, y in zip(xs, ys, strict=True))


def roc_chart(false_rate: Values, true_rate: Values, score: float) -> Markup:
    """Return the ROC curve beside the diagonal of a coin."""
    frame = Frame(0, 1, 0, 1)
    curve = _path(frame, false_rate, true_rate)
    area = f"{curve}L{frame.x(1):.1f} {frame.y(0):.1f}Z"
    body = (
        frame.axes("share of the others called positive", "share of positives found")
        + f'<path class="area" d="{area}"/><path class="coin" d="{_path(frame, [0, 1], [0, 1])}"/>'
        + f'<path class="curve" d="{curve}"/>'
    )
    return _svg(body, f"ROC curve with an area of {figure(score)}")


def calibration_chart(bins: Sequence[Bin], x_title: str, y_title: str) -> Markup:
    """Return what was predicted against what came, with 95 % intervals."""
    values = [v for entry in bins for v in (entry.predicted, entry.low, entry.high)]
    low, high = min(values), max(values)
    if low >= 0 and high <= 1:
        low, high = 0.0, (1.0 if high > 0.5 else high * 1.1)  # noqa: PLR2004
    frame = Frame(low, high, low, high)
    marks = []
    for entry in bins:
        x = frame.x(entry.predicted)
        low_y, high_y = frame.y(entry.low), frame.y(entry.high)
        words = f"{entry.rows:,} rows: predicted {figure(entry.predicted, 3)}, came {figure(entry.observed, 3)}"
        marks.append(f'<line class="whisker" x1="{x:.1f}" x2="{x:.1f}" y1="{low_y:.1f}" y2="{high_y:.1f}"/>')
        dot = f'<circle class="dot" cx="{x:.1f}" cy="{frame.y(entry.observed):.1f}" r="3.5">'
        marks.append(f"{dot}<title>{words}</title></circle>")
    body = frame.axes(x_title, y_title) + f'<path class="coin" d="{_path(frame, [low, high], [low, high])}"/>'
    return _svg(body + "".join(marks), "What was predicted against what came")


def scatter_chart(target: Values, values: Values) -> Markup:
    """Return predicted against true values, a dot for each row."""
    both = np.concatenate([target, values])
    low, high = (float(v) for v in np.quantile(both, [0.002, 0.998]))
    frame = Frame(low, high, low, high)
    inside = (target >= low) & (target <= high) & (values >= low) & (values <= high)
    dots = "".join(
        f'<circle class="speck" cx="{frame.x(float(x)):.1f}" cy="{frame.y(float(y)):.1f}" r="1.8"/>'
        for x, y in zip(values[inside], target[inside], strict=True)
    )
    body = frame.axes("predicted", "true") + dots + f'<path class="coin" d="{_path(frame, [low, high], [low, high])}"/>'
    return _svg(body, "True against predicted values")


def strip_chart(score: Score, baseline: Score) -> Markup:
    """Return the score with its interval on a line, beside the baseline's."""
    values = [score.low, score.high, score.value, baseline.value]
    low, high = min(values), max(values)
    margin = (high - low) * 0.12 or 1.0
    width, height, side = 640.0, 74.0, 30.0

    def place(value: float) -> float:
        return side + (value - low + margin) / (high - low + 2 * margin) * (width - 2 * side)

    near = abs(place(baseline.value) - place(score.value)) < 90  # noqa: PLR2004  the two words would overlap
    parts = [
        f'<line class="grid" x1="{side}" x2="{width - side}" y1="38" y2="38"/>',
        f'<line class="band" x1="{place(score.low):.1f}" x2="{place(score.high):.1f}" y1="38" y2="38"/>',
        f'<line class="tick" x1="{place(baseline.value):.1f}" x2="{place(baseline.value):.1f}" y1="30" y2="46"/>',
        f'<circle class="dot" cx="{place(score.value):.1f}" cy="38" r="6"/>',
        f'<text x="{place(baseline.value):.1f}" y="{20 if near else 62}" text-anchor="middle">'
        f"baseline {figure(baseline.value)}</text>",
        f'<text class="strong" x="{place(score.value):.1f}" y="62" text-anchor="middle">'
        f"{figure(score.low)} to {figure(score.high)}</text>",
    ]
    return _svg("".join(parts), "The score and its interval beside the baseline", width, height)


def bar_chart(importances: Sequence[Importance]) -> Markup:
    """Return how far the score falls when each column is shuffled, with standard errors."""
    longest = max([len(entry.column) for entry in importances] + [4])
    width, row, side = 640.0, 26.0, 18.0 + 7.2 * min(longest, LABEL)
    top = max([entry.value + 2 * entry.error for entry in importances] + [1e-12])
    room = width - side - 70
    parts = []
    for place, entry in enumerate(importances):
        y = place * row + row / 2
        length = max(entry.value, 0) / top * room
        low = side + max(entry.value - 2 * entry.error, 0) / top * room
        high = side + max(entry.value + 2 * entry.error, 0) / top * room
        name = entry.column if len(entry.column) <= LABEL else f"{entry.column[: LABEL - 1]}…"
        parts.append(f'<text class="label" x="{side - 10}" y="{y + 4}" text-anchor="end">{escape(name)}</text>')
        parts.append(f'<rect class="bar" x="{side}" y="{y - 7}" width="{max(length, 1):.1f}" height="14" rx="2"/>')
        parts.append(f'<line class="whisker" x1="{low:.1f}" x2="{high:.1f}" y1="{y}" y2="{y}"/>')
        parts.append(f'<text x="{max(high, side + length) + 8:.1f}" y="{y + 4}">{figure(entry.value, 2)}</text>')
    return _svg("".join(parts), "How far the score falls when a column is shuffled", width, row * len(importances))
