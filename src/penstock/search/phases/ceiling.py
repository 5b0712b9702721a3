"""What no model can beat on a table: where rows have the same features and different targets, some must be missed."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from penstock.evaluation import metrics
from penstock.evaluation.costs import best_threshold
from penstock.evaluation.wording import figure, title
from penstock.search.encoding import TrainingRows

MOST_ROWS = 50_000  # compared: told apart within the seconds that slots need to load

Values = NDArray[np.float64]


def ceiling(rows: TrainingRows, metric: str, costs: Values | None = None) -> str | None:
    """Return in a sentence the best score that any model of these features can have on these rows.

    It is that of an oracle which knows, for each distinct row of features, how its targets are spread; what a model
    reaches on rows that it has not seen lies below.

    Parameters
    ----------
    rows
        The training rows; of many, some that are evenly spread are looked at.
    metric, costs
        What scores, and what a row of class i called j costs.

    Returns
    -------
    str or None
        None where no two rows with the same features differ in their targets: then nothing is known. Nor is it of
        average precision, where an order by shares is not always the best, and of F1 of several classes.
    """
    if metric == "average_precision" or (metric == "f1" and rows.classes > metrics.BINARY):
        return None
    taken = np.unique(np.linspace(0, len(rows.target) - 1, min(MOST_ROWS, len(rows.target))).astype(np.int64))
    target, alike = rows.target[taken], _alike(rows, taken)
    _, first = np.unique(alike, return_index=True)
    differing = float(np.isin(alike, alike[target != target[first][alike]]).mean())
    if not differing:
        return None
    told = _shares(target, alike, rows.classes) if rows.classes else _middles(target, alike, metric)
    cut = best_threshold(metric, target, told[:, 1]) if metric == "f1" else None
    best = metrics.shown(metric, metrics.score(metric, target, told, cut, costs if metric == "cost" else None))
    return (
        f"no model can have a better {title(metric)} than {figure(best)} on these rows: {differing:.0%} of them have "
        "the features of a row with another target"
    )


def _alike(rows: TrainingRows, taken: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return a code for each row, the same for rows with the same features."""
    numbers, texts = pd.DataFrame(rows.numbers[taken]), pd.DataFrame(np.asarray(rows.texts[taken], dtype=object))
    hashed = pd.util.hash_pandas_object(pd.concat([numbers, texts], axis=1, ignore_index=True), index=False)
    return np.asarray(pd.factorize(hashed)[0], np.int64)


def _shares(target: NDArray[np.int64], alike: NDArray[np.int64], classes: int) -> Values:
    counts = np.zeros((int(alike.max()) + 1, classes))
    np.add.at(counts, (alike, target), 1)
    shares: Values = (counts / counts.sum(axis=1, keepdims=True))[alike]
    return shares


def _middles(target: Values, alike: NDArray[np.int64], metric: str) -> Values:
    """Return for each row what errs least on the rows like it: the median for absolute errors, else the mean."""
    groups = pd.Series(target, dtype=np.float64).groupby(alike)
    return groups.transform("median" if metric == "mae" else "mean").to_numpy()
