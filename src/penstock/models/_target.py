"""The scale on which a regression is fitted: standardised, and logarithmic where the target is skewed."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock.graphs import GraphBuilder

SKEWED = 1.0  # skewness above which a target that is never negative is fitted as a logarithm
SMEARED = 5_000  # rows that the factor of a logarithm is learnt on


@dataclass(frozen=True, slots=True)
class TargetScale:
    """`(log1p(y) - centre) / spread`, or the same without the logarithm; predictions stay within the values seen.

    `factor` makes up for the mean of exponentials being more than the exponential of the mean (Duan 1983, "Smearing
    estimate"); it is learnt by `smear`.
    """

    logarithm: bool
    centre: float
    spread: float
    lowest: float
    highest: float
    factor: float = 1.0

    def apply(self, y: NDArray[Any]) -> NDArray[np.float64]:
        """Return the scaled target."""
        values = np.log1p(np.maximum(y, self.lowest)) if self.logarithm else np.asarray(y, np.float64)
        return (values - self.centre) / self.spread

    def invert(self, scaled: NDArray[Any]) -> NDArray[np.float64]:
        """Return values in the target's own units."""
        values = np.asarray(scaled, np.float64) * self.spread + self.centre
        if self.logarithm:
            values = np.exp(np.minimum(values, np.log1p(self.highest))) * self.factor - 1.0
        return np.clip(values, self.lowest, self.highest)

    def smear(self, scaled: NDArray[Any], y: NDArray[Any]) -> "TargetScale":
        """Return a logarithm's scale with the factor that makes the mean prediction the mean target."""
        factor = float(np.mean(np.asarray(y) + 1.0) / np.mean(self.invert(scaled) + 1.0))
        bounded = float(np.clip(factor, 0.8, 1.25))  # more than this is a poor fit, not a matter of exponentials
        return TargetScale(True, self.centre, self.spread, self.lowest, self.highest, bounded)

    def write(self, graph: GraphBuilder, scaled: str) -> str:
        """Add the nodes that do what `invert` does to a float64, and stay so: values may be small or far from 0."""

        def number(value: float) -> str:
            return graph.constant(value, double=True)

        shift = float(np.log(self.factor))  # onnxruntime leaves out a product with a constant within 1e-8 of 1
        values = graph.add("Add", graph.add("Mul", scaled, number(self.spread)), number(self.centre + shift))
        if self.logarithm:
            near = graph.add("Min", values, number(float(np.log1p(self.highest)) + shift))
            values = graph.add("Sub", graph.add("Exp", near), number(1.0))
        return graph.add("Clip", values, number(self.lowest), number(self.highest))


def learn_scale(y: NDArray[Any], logarithm: bool | None = None) -> TargetScale:
    """Return the scale of a target, shape (n_rows,); `logarithm` None decides by the skewness."""
    values = np.asarray(y, np.float64)
    use = skewness(values) > SKEWED if logarithm is None else bool(logarithm) and float(values.min()) >= 0
    shown = np.log1p(values) if use else values
    spread = float(shown.std())
    return TargetScale(
        use, float(shown.mean()), spread if spread > 0 else 1.0, float(values.min()), float(values.max())
    )


def skewness(values: NDArray[Any]) -> float:
    """Return the third standardised moment; 0 for a target that is negative somewhere or does not vary."""
    shown = np.asarray(values, np.float64)
    deviation = float(shown.std())
    if float(shown.min()) < 0 or deviation == 0:
        return 0.0
    return float(np.mean(((shown - shown.mean()) / deviation) ** 3))
