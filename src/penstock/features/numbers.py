"""Numbers, booleans and parts of dates as features."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from penstock.features._base import Feature, Matrix, Targets, Texts
from penstock.graphs import GraphBuilder

PERIODS = {"month": 12.0, "day": 31.0, "weekday": 7.0, "hour": 24.0, "day_of_year": 366.0}
FAR = 1e6  # scaled values beyond this are all the same to a model, and their squares still fit a float32
DAY = 1440.0  # minutes
SOFT = 3.0  # scaled values are bent smoothly to within this (Holzmueller et al. 2024, "Better by Default")


@dataclass(slots=True)
class PlainNumbers:
    """Numbers as they are, NaN included: what trees want."""

    positions: tuple[int, ...]
    features: tuple[Feature, ...]

    def fit_transform(self, numbers: Matrix, texts: Texts, targets: Targets) -> Matrix:
        """Pick the columns."""
        del targets
        return self.transform(numbers, texts)

    def transform(self, numbers: Matrix, texts: Texts) -> Matrix:
        """Pick the columns."""
        del texts
        return numbers[:, self.positions]

    def write(self, graph: GraphBuilder, numbers: str, texts: str) -> str:
        """Pick the columns."""
        del texts
        return pick(graph, numbers, self.positions)


@dataclass(slots=True)
class ScaledNumbers:
    """Numbers without gaps, centred, scaled and smoothly bent; a feature says where a value was missing."""

    positions: tuple[int, ...]
    plain: tuple[Feature, ...]
    median: Matrix = field(default_factory=lambda: np.empty(0, np.float32))
    scale: Matrix = field(default_factory=lambda: np.empty(0, np.float32))
    gaps: tuple[int, ...] = ()

    @property
    def features(self) -> tuple[Feature, ...]:
        """The scaled numbers, then one feature for each column that had gaps."""
        missing = (self.plain[place] for place in self.gaps)
        return self.plain + tuple(Feature(f"{feature.name} is missing", feature.source) for feature in missing)

    def fit_transform(self, numbers: Matrix, texts: Texts, targets: Targets) -> Matrix:
        """Learn medians, scales and where gaps are."""
        del targets
        learnt = [_centre_and_spread(numbers[:, position]) for position in self.positions]  # one by one: less memory
        self.gaps = tuple(
            place for place, position in enumerate(self.positions) if np.isnan(numbers[:, position]).any()
        )
        self.median = np.array([centre for centre, _ in learnt], np.float32)
        self.scale = np.array([1.0 / spread for _, spread in learnt], np.float64).astype(np.float32)
        return self.transform(numbers, texts)

    def transform(self, numbers: Matrix, texts: Texts) -> Matrix:
        """Fill, centre, scale, bend."""
        del texts
        bent = numbers[:, self.positions]  # a copy, which is worked on in place
        missing = np.isnan(bent)
        np.copyto(bent, self.median, where=missing)
        bent -= self.median
        bent *= self.scale
        np.clip(bent, -FAR, FAR, out=bent)
        root = np.square(bent / np.float32(SOFT))
        root += np.float32(1.0)
        bent /= np.sqrt(root, out=root)
        return np.hstack([bent, missing[:, self.gaps]], dtype=np.float32) if self.gaps else bent

    def write(self, graph: GraphBuilder, numbers: str, texts: str) -> str:
        """Fill, centre, scale, bend."""
        del texts
        chosen = pick(graph, numbers, self.positions)
        missing = graph.add("IsNaN", chosen)
        median = graph.constant(self.median)
        filled = graph.add("Where", missing, median, chosen)
        scaled = graph.add("Mul", graph.add("Sub", filled, median), graph.constant(self.scale))
        near = graph.add("Clip", scaled, graph.constant(np.float32(-FAR)), graph.constant(np.float32(FAR)))
        ratio = graph.add("Div", near, graph.constant(np.float32(SOFT)))
        square = graph.add("Add", graph.add("Mul", ratio, ratio), graph.constant(np.float32(1.0)))
        bent = graph.add("Div", near, graph.add("Sqrt", square))
        if not self.gaps:
            return bent
        flags = graph.cast(pick(graph, missing, self.gaps), "float")
        return graph.concat([bent, flags])


@dataclass(slots=True)
class Cycles:
    """Parts of dates that come again, as points on a circle; a missing date is the circle's middle."""

    positions: tuple[int, ...]
    parts: tuple[Feature, ...]
    periods: tuple[float, ...]

    @property
    def features(self) -> tuple[Feature, ...]:
        """All sines, then all cosines."""
        sines = tuple(Feature(f"{part.name} (sine)", part.source) for part in self.parts)
        return sines + tuple(Feature(f"{part.name} (cosine)", part.source) for part in self.parts)

    @property
    def _circles(self) -> Matrix:
        """Return sine and cosine of each whole number from 0 up to a part's period, then those of a missing one."""
        steps = int(max(self.periods)) + 1
        angles = 2 * np.pi * np.arange(steps)[:, None] / np.array(self.periods)
        points = np.hstack([np.sin(angles), np.cos(angles)]).astype(np.float32)
        return np.vstack([points, np.zeros((1, points.shape[1]), np.float32)])

    def fit_transform(self, numbers: Matrix, texts: Texts, targets: Targets) -> Matrix:
        """Turn parts into points; nothing is learnt."""
        del targets
        return self.transform(numbers, texts)

    def transform(self, numbers: Matrix, texts: Texts) -> Matrix:
        """Turn parts into points."""
        del texts
        circles = self._circles
        chosen = numbers[:, self.positions]
        missing = np.isnan(chosen)
        steps = np.clip(np.where(missing, len(circles) - 1, chosen), 0, len(circles) - 1).astype(np.int64)
        columns = np.arange(len(self.positions))
        return np.hstack([circles[steps, columns], circles[steps, columns + len(columns)]], dtype=np.float32)

    def write(self, graph: GraphBuilder, numbers: str, texts: str) -> str:
        """Look the points up: sines and cosines of two libraries differ in the last digit, a table does not."""
        del texts
        circles = self._circles
        chosen = pick(graph, numbers, self.positions)
        last = graph.constant(np.float32(len(circles) - 1))
        filled = graph.add("Where", graph.add("IsNaN", chosen), last, chosen)
        near = graph.add("Clip", filled, graph.constant(np.float32(0)), last)
        flat = graph.constant(circles.ravel())
        width = graph.constant(np.array(circles.shape[1], np.int64))
        rows = graph.add("Mul", graph.cast(near, "int64"), width)
        count = len(self.positions)
        halves = [
            graph.add("Gather", flat, graph.add("Add", rows, graph.constant(np.arange(count) + half * count)), axis=0)
            for half in (0, 1)
        ]
        return graph.concat(halves)


@dataclass(slots=True)
class Gaps:
    """Minutes from one date to another, given on as numbers are; days and minutes of the day are subtracted apart.

    `places` are, for each pair, the positions of the later date's days and minutes and of the earlier one's; `scale`
    is what a minute of the day is in those (60 where they are hours).
    """

    places: tuple[tuple[int, int, int, int], ...]
    scale: tuple[float, ...]
    shown: PlainNumbers | ScaledNumbers

    @property
    def features(self) -> tuple[Feature, ...]:
        """One feature a pair, and one for each that had gaps where these are told."""
        return self.shown.features

    def fit_transform(self, numbers: Matrix, texts: Texts, targets: Targets) -> Matrix:
        """Learn medians and scales."""
        return self.shown.fit_transform(self._minutes(numbers), texts, targets)

    def transform(self, numbers: Matrix, texts: Texts) -> Matrix:
        """Subtract dates."""
        return self.shown.transform(self._minutes(numbers), texts)

    def write(self, graph: GraphBuilder, numbers: str, texts: str) -> str:
        """Subtract dates."""
        later_days, later, days, earlier = (
            pick(graph, numbers, tuple(one[place] for one in self.places)) for place in range(4)
        )
        scale = graph.constant(np.array(self.scale, np.float32))
        whole = graph.add("Mul", graph.add("Sub", later_days, days), graph.constant(np.float32(DAY)))
        rest = graph.add("Mul", graph.add("Sub", later, earlier), scale)
        return self.shown.write(graph, graph.add("Add", whole, rest), texts)

    def _minutes(self, numbers: Matrix) -> Matrix:
        later_days, later, days, earlier = (numbers[:, [one[place] for one in self.places]] for place in range(4))
        minutes: Matrix = (later_days - days) * np.float32(DAY) + (later - earlier) * np.array(self.scale, np.float32)
        return minutes


def pick(graph: GraphBuilder, source: str, positions: tuple[int, ...]) -> str:
    """Add the node that picks columns."""
    return graph.add("Gather", source, graph.constant(np.array(positions, np.int64)), axis=1)


def _centre_and_spread(column: NDArray[np.float32]) -> tuple[float, float]:
    """Return a column's median and the width of its middle half; where most values are one, the others' distance."""
    values = column[~np.isnan(column)].astype(np.float64)
    if not len(values):
        return 0.0, 1.0
    low, median, high = (float(point) for point in np.quantile(values, [0.25, 0.5, 0.75]))
    if high > low:
        return median, high - low
    away = np.abs(values - median)
    others = away[away > 0]
    return median, float(np.median(others)) if len(others) else 1.0
