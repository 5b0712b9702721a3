"""Levels of a category that the reference does not have."""

from typing import ClassVar

import numpy as np
from scipy.special import bdtrc

from penstock.monitoring.detectors._base import Column, DriftDetector, Kind, Moved

FEWEST = 30  # rows with a value
SHOWN = 3


class Levels(DriftDetector):
    """The share of rows whose level was never seen.

    Some are expected: the chance that the next row shows a new level is about the share of levels that were seen once
    (Good 1953, The population frequencies of species), which is taken off. Every row of the reference counts, whatever
    its weight.
    """

    name: ClassVar[str] = "levels"
    kinds: ClassVar[frozenset[Kind]] = frozenset({"category"})
    threshold: ClassVar[float] = 0.05

    def measure(self, reference: Column, current: Column) -> Moved | None:
        """Return the share of rows with new levels, and the chance of as many by the share expected."""
        reference, current = reference.only(reference.present), current.only(current.present & (current.weights > 0))
        rows, before = current.values.size, reference.values.size
        if min(rows, before) < FEWEST:
            return None
        size = len(reference.levels)
        times, counts = np.bincount(reference.values, minlength=size), np.bincount(current.values, minlength=size)
        expected = (np.count_nonzero(times == 1) + 1) / (before + 1)
        unknown = np.flatnonzero((times == 0) & (counts > 0))
        found = int(counts[unknown].sum())
        p_value = float(bdtrc(found - 1, rows, min(expected, 1.0))) if found else 1.0
        most = unknown[np.argsort(-counts[unknown], kind="stable")][:SHOWN]
        said = f": {', '.join(repr(reference.levels[level]) for level in most)}" if found else ""
        return Moved(
            effect=max(0.0, found / rows - expected),
            noise=expected,
            p_value=p_value,
            detail=f"{found / rows:.1%} of the window have levels that the reference does not{said}",
        )
