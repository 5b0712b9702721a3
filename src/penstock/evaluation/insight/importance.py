"""What drives a model: how far its score falls when a column is shuffled."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from penstock.domain.evaluation import Importance
from penstock.evaluation.intervals.dependence import Dependence, standard_error
from penstock.evaluation.intervals.influence import Estimate, estimate
from penstock.evaluation.metrics import MOST_PROBABLE, Choosing, Codes, Values

ROWS_IN_ALL = 40_000  # rows predicted over all columns and repeats: a second for a usual ensemble
FEWEST, MOST = 200, 2000
REPEATS = 3
SECONDS = 1.0  # no further repeat is begun after this


@dataclass(frozen=True, slots=True)
class Setting:
    """What importance is measured by: the metric, how a class is chosen, and the seed."""

    metric: str
    choosing: Choosing = MOST_PROBABLE
    seed: int = 7
    repeats: int = REPEATS


def rows_for(columns: int) -> int:
    """Return how many rows are shuffled for a number of columns."""
    return int(np.clip(ROWS_IN_ALL // (REPEATS * max(columns, 1)), FEWEST, MOST))


def permutation_importance(
    table: pd.DataFrame,
    target: Codes,
    predict: Callable[[pd.DataFrame], Values],
    dependence: Dependence,
    setting: Setting,
) -> tuple[Importance, ...]:
    """Return how much the score falls when each column is shuffled, most first.

    Columns that say the same thing share their importance: shuffling one leaves the other (Breiman 2001; Strobl et
    al. 2008, Conditional variable importance for random forests).

    Parameters
    ----------
    table
        Held-out rows with the model's columns, shape (n_rows, n_columns).
    target
        Class codes, or values, shape (n_rows,).
    predict
        Gives probabilities of shape (n_rows, n_classes), or values, in the order of the codes.
    dependence
        Which rows belong together.
    setting
        Metric, choosing, seed and repeats.

    Returns
    -------
    tuple[Importance, ...]
        The mean fall of the score (higher: more important) with its standard error over rows.
    """
    whole = estimate(setting.metric, target, predict(table), setting.choosing)
    falls: dict[str, list[Estimate]] = {str(name): [] for name in table.columns}
    started = time.monotonic()
    generator = np.random.default_rng(setting.seed)
    for repeat in range(setting.repeats):
        if repeat and time.monotonic() - started > SECONDS:
            break
        for name, predictions in _shuffled(table, predict, generator):
            falls[name].append(estimate(setting.metric, target, predictions, setting.choosing))
    found = [_fall(name, whole, shuffled, dependence) for name, shuffled in falls.items()]
    return tuple(sorted(found, key=lambda entry: -entry.value))


def _shuffled(
    table: pd.DataFrame, predict: Callable[[pd.DataFrame], Values], generator: np.random.Generator
) -> Iterator[tuple[str, Values]]:
    """Give each column's name with the predictions of the table in which it is shuffled; several tables a call."""
    names = list(table.columns)
    at_once = max(1, 10_000 // max(len(table), 1))
    for start in range(0, len(names), at_once):
        some = names[start : start + at_once]
        stacked = pd.concat([table] * len(some), ignore_index=True)
        for place, name in enumerate(some):
            order = np.arange(len(stacked))
            block = slice(place * len(table), (place + 1) * len(table))
            order[block] = generator.permutation(order[block])
            stacked[name] = stacked[name].take(order).reset_index(drop=True)
        predictions = np.asarray(predict(stacked))
        for place, name in enumerate(some):
            yield str(name), predictions[place * len(table) : (place + 1) * len(table)]


def _fall(name: str, whole: Estimate, shuffled: list[Estimate], dependence: Dependence) -> Importance:
    value = whole.score - float(np.mean([entry.score for entry in shuffled]))
    moved = whole.influence - np.mean([entry.influence for entry in shuffled], axis=0)
    error, _ = standard_error(moved, dependence, whole.classes)
    return Importance(name, value, error)
