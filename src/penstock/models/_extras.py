"""What families of optional packages share: whether the package is there, and when boosting ends."""

import time
from importlib.util import find_spec

import numpy as np

from penstock.errors import MissingExtra
from penstock.models._boosting import PATIENCE, faster

FIRST_LOOK = 8  # rounds timed before the rate is judged


def why_absent(package: str) -> str | None:
    """Return why a family cannot be tried, None if its package is there."""
    if find_spec(package) is not None:
        return None
    return f"the package {package} is not installed: install penstock[{package}] to have this family"


def need(package: str) -> None:
    """Raise if a package is not there.

    Raises
    ------
    MissingExtra
        If it is not installed.
    """
    reason = why_absent(package)
    if reason is not None:
        raise MissingExtra(f"The family {package} cannot be built: {reason}.")


class Watch:
    """Says after each round whether boosting ends: at the deadline, or when the inner split no longer gains."""

    def __init__(self, deadline: float | None, rate: float, rounds: int) -> None:
        self.deadline = deadline
        self.rate = rate
        self.rounds = rounds
        self.best = 0
        self.lowest = np.inf
        self.began = 0.0

    def is_over(self, done: int, loss: float | None) -> bool:
        """Note the loss after so many rounds (None: no inner split) and say whether to end."""
        if loss is None:
            self.best = done - 1
        elif loss < self.lowest:
            self.lowest, self.best = loss, done - 1
        if loss is not None and done - 1 - self.best >= PATIENCE / self.rate:
            return True
        if self.deadline is None:
            return False
        now = time.monotonic()
        if done == 1:
            self.began = now  # the first round also cuts the features into bins
        return self.deadline - now < (now - self.began) / max(1, done - 1)

    def wanted_rate(self, done: int) -> float | None:
        """Return a higher rate where fewer rounds fit in the time than are wanted, once; else None."""
        if self.deadline is None or done != FIRST_LOOK:
            return None
        now = time.monotonic()
        wanted = faster(self.rate, self.rounds - done, (self.deadline - now) / ((now - self.began) / (done - 1)))
        if wanted <= self.rate:
            return None
        self.rate = wanted
        return wanted
