"""A smaller configuration, where all that a family has tried is over a limit."""

import math

from penstock.domain.search import Value
from penstock.search.trial_records import Ended

MOST_SHRUNK = 3  # of a family: what is still too large after that will not be small and good
SPARE = 1.15  # a fit on all rows is a little larger than a fold's
LEAST = {"rounds": 1, "trees": 1, "leaves": 2, "width": 8, "bends": 0}  # what a model grows with, in any family
FASTEST = 0.3  # with fewer rounds each must learn more; above this boosted trees run away


def smaller(ended: Ended, default: dict[str, Value]) -> dict[str, Value]:
    """Return a trial's configuration with fewer rounds, trees, leaves or units, by as much as it was over the limits.

    What early stopping settled counts, not the most that was allowed. The number of rounds or trees takes all of it;
    a family without them is made narrower.
    """
    settled = {**default, **ended.trial.parameters, **ended.refit}
    factor = (1.0 + max(0.0, ended.excess)) * SPARE
    first = next((name for name in LEAST if _is_whole(settled.get(name))), None)
    if first is None:
        return settled
    share = math.sqrt(factor) if first == "width" else factor  # weights grow with the square of the width
    settled[first] = max(LEAST[first], int(float(settled[first] or 1) / share))
    rate = settled.get("rate")
    if first == "rounds" and isinstance(rate, float):
        settled["rate"] = min(FASTEST, rate * factor) if rate < FASTEST else rate
    return settled


def _is_whole(value: Value) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
