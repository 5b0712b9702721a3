"""Configurations that were strong on public tables, those first that helped most on the tables most like this one.

`portfolios.json` beside this file holds what was measured; `tests/bench/portfolio.py` makes it. Greedy portfolios as in
Feurer, Eggensperger, Falkner, Lindauer, Hutter 2022, "Auto-sklearn 2.0: hands-free AutoML via meta-learning".
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock.domain.datasets import Problem
from penstock.domain.search import Value
from penstock.search.encoding import TrainingRows

FILE = Path(__file__).with_name("portfolios.json")
FACTS = ("rows, log10", "columns, log10", "share of texts", "share missing", "classes, log10", "unevenness")
WIDTH = 1.0  # standard deviations of the facts in which a table's word falls to 0.6; the farther count less
FLOOR = 0.1  # that any table of the problem counts beside one that is just like this one
MOST = 3  # configurations of a family: on tables left out, a mean of the fourth and fifth as well was no better
LEAST_GAIN = 2e-4  # of the way from a baseline to the best model of a table, in the mean over tables


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """What a family's configurations reached on the tables of one problem.

    `facts` (n_tables, n_facts); `shares` (n_tables, 1 + n_configurations): how much of the way from a baseline's loss
    to the best that any family reached on the table, the family's default first; NaN where it failed.
    """

    configurations: tuple[dict[str, Value], ...]
    facts: NDArray[np.float64]
    shares: NDArray[np.float64]

    def best_first(self, facts: Sequence[float], most: int = MOST, width: float = WIDTH) -> list[int]:
        """Return the places of the configurations to try after the default, greedily by what each adds.

        Parameters
        ----------
        facts
            Of the table that is searched, in the order of `FACTS`.
        most
            How many, at most.
        width
            See `WIDTH`; infinite for every table to count alike.
        """
        weights = self._nearness(np.asarray(facts, np.float64), width)
        reached = np.nan_to_num(self.shares[:, 0], nan=0.0)
        others = np.nan_to_num(self.shares[:, 1:], nan=-np.inf)
        found: list[int] = []
        while len(found) < min(most, others.shape[1]):
            gains = weights @ np.maximum(others - reached[:, None], 0.0)
            best = int(gains.argmax())
            if gains[best] < LEAST_GAIN:
                break
            found.append(best)
            reached = np.maximum(reached, others[:, best])
        return found

    def _nearness(self, facts: NDArray[np.float64], width: float) -> NDArray[np.float64]:
        spread = self.facts.std(axis=0)
        far = ((self.facts - facts) / np.where(spread > 0, spread, 1.0)) ** 2
        weights = FLOOR + np.exp(-far.mean(axis=1) / (2 * width**2))
        return np.asarray(weights / weights.sum())


def portfolio_of(family: str, rows: TrainingRows) -> tuple[dict[str, Value], ...] | None:
    """Return what to try of a family after its default, the best first; None for a family that was not measured."""
    measured = _measured(family, rows.problem)
    if measured is None:
        return None
    return tuple(measured.configurations[place] for place in measured.best_first(facts_of(rows)))


def facts_of(rows: TrainingRows) -> tuple[float, ...]:
    """Return what says which tables are alike, in the order of `FACTS`."""
    numbers, texts = rows.numbers.shape[1], rows.texts.shape[1]
    missing = float(np.isnan(rows.numbers).mean()) if numbers else 0.0
    return (
        math.log10(max(1, len(rows.target))),
        math.log10(max(1, numbers + texts)),
        texts / max(1, numbers + texts),
        missing,
        math.log10(max(1, rows.classes)),
        _unevenness(rows.target, rows.classes),
    )


def _unevenness(target: NDArray[Any], classes: int) -> float:
    """Return 0 for classes of one size, or a target that is not skewed; 1 for one class alone, or a very long tail."""
    if classes:
        shares = np.bincount(np.asarray(target, np.int64), minlength=classes) / max(1, len(target))
        entropy = -float(np.sum(shares * np.log(np.maximum(shares, 1e-12))))
        return 1.0 - entropy / math.log(max(2, classes))
    values = np.asarray(target, np.float64)
    low, middle, high = np.quantile(values, (0.05, 0.5, 0.95))
    return float(abs(high + low - 2 * middle) / (high - low)) if high > low else 0.0


@cache
def _measured(family: str, problem: Problem) -> Measured | None:
    kept = json.loads(FILE.read_text(encoding="utf-8"))
    configurations = kept["configurations"].get(family, {}).get(problem)
    if not configurations:
        return None
    tables = [one for one in kept["tables"] if one["problem"] == problem and family in one["shares"]]
    return Measured(
        configurations=tuple(configurations),
        facts=np.array([one["facts"] for one in tables], np.float64),
        shares=np.array([one["shares"][family] for one in tables], np.float64),
    )
