"""The points of a grid: what a search goes through that was asked for one."""

import math
from itertools import islice, product

import numpy as np

from penstock.domain.search import Choice, Real, SearchSettings, SearchSpace, Value, Whole

LEVELS = 3  # of a dimension of numbers: its ends and its middle
MOST_POINTS = 20_000  # that are laid out


def grid(space: SearchSpace, seed: int) -> list[dict[str, Value]]:
    """Return the points of a grid in an order of chance, so that a search that ends early has looked everywhere.

    Numbers have three levels, or fewer where there are fewer whole ones; what is named has all its values.
    """
    names = sorted(space)
    points = [dict(zip(names, one, strict=True)) for one in islice(product(*_all_levels(space)), MOST_POINTS)]
    order = np.random.default_rng(seed).permutation(len(points))
    return [points[place] for place in order]


def grid_sizes(settings: SearchSettings, spaces: dict[str, SearchSpace]) -> dict[str, int]:
    """Return how many points each family's grid has; nothing for another sampler."""
    if settings.sampler != "grid":
        return {}
    counts = {name: math.prod(len(levels) for levels in _all_levels(space)) for name, space in spaces.items()}
    return {name: min(MOST_POINTS, count) for name, count in counts.items()}


def _all_levels(space: SearchSpace) -> list[list[Value]]:
    return [_levels(space[name]) for name in sorted(space)]


def _levels(dimension: Real | Whole | Choice) -> list[Value]:
    if isinstance(dimension, Choice):
        return list(dimension.values)
    ends = (dimension.low, dimension.high)
    spaced = np.geomspace(*ends, LEVELS) if dimension.log else np.linspace(*ends, LEVELS)
    if isinstance(dimension, Whole):
        return list(dict.fromkeys(int(value) for value in np.round(spaced)))
    return list(dict.fromkeys(float(value) for value in np.clip(spaced, *ends)))
