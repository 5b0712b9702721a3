"""The share of rows without a value."""

from typing import ClassVar

import numpy as np
from scipy.special import ndtr

from penstock.monitoring.detectors._base import Column, DriftDetector, Kind, Moved

FEWEST = 30  # rows
EXPECTED = float(np.sqrt(2 / np.pi))  # the mean size of a normal error, in standard errors


class Missing(DriftDetector):
    """How far the share of missing values has moved, up or down."""

    name: ClassVar[str] = "missing"
    kinds: ClassVar[frozenset[Kind]] = frozenset({"number", "category"})
    threshold: ClassVar[float] = 0.1

    def measure(self, reference: Column, current: Column) -> Moved | None:
        """Return the difference of the shares, and the test of two proportions."""
        m, n = reference.rows, current.rows
        if min(m, n) < FEWEST:
            return None
        before, after = (float(np.average(~column.present, weights=column.weights)) for column in (reference, current))
        pooled = (before * m + after * n + 1) / (m + n + 2)
        error = float(np.sqrt(pooled * (1 - pooled) * (1 / m + 1 / n)))
        apart = abs(after - before)
        return Moved(
            effect=max(0.0, apart - EXPECTED * error),
            noise=EXPECTED * error,
            p_value=float(2 * ndtr(-apart / error)),
            detail=f"missing: {before:.1%} of the reference, {after:.1%} of the window",
        )
