"""What each column contributed to each answer: the answer again, with the column's value replaced by a typical one."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from penstock.serving.files.rows import arrays_of
from penstock.serving.session import LoadedBundle, Scores


def explain_rows(loaded: LoadedBundle, table: pd.DataFrame) -> pd.DataFrame:
    """Return contributions by occlusion.

    The method is that of Zeiler and Fergus 2014, "Visualizing and Understanding Convolutional Networks".

    Parameters
    ----------
    loaded
        The version.
    table
        Rows in canonical types, shape (n_rows, n_columns).

    Returns
    -------
    DataFrame
        Shape (n_rows, n_used_columns): `contribution_<column>` is the score (probability of the positive class, or of
        the row's label; the value for a regression) minus the score with the table's typical value in the column:
        the median of numbers and dates, the most frequent of others.
    """
    first = loaded.predict_columns(arrays_of(table))
    label = loaded.chosen(first) if first.shape[1] > 1 else None
    score = _score(loaded, first, label)
    parts = {}
    for column in loaded.signature.decoding.columns:
        if column.name in table:
            changed = table.assign(**{column.name: typical(table[column.name])})
            without = _score(loaded, loaded.predict_columns(arrays_of(changed)), label)
            parts[f"contribution_{column.name}"] = np.subtract(score, without)
    return pd.DataFrame(parts, index=table.index)


def typical(values: pd.Series) -> pd.Series:
    """Return a column of the same length and type that holds its typical value in every row."""
    present = values.dropna()
    if present.empty:
        return values
    middle = values.dtype.kind in "iufM"
    value = present.sort_values().iloc[len(present) // 2] if middle else present.mode().iloc[0]
    return pd.Series([value] * len(values), index=values.index, dtype=values.dtype)


def _score(loaded: LoadedBundle, scores: Scores, label: NDArray[np.int64] | None) -> NDArray[np.float64]:
    if label is None:
        return scores[:, 0].astype(np.float64)
    positive = loaded.signature.positive
    chosen = scores[np.arange(len(scores)), label] if positive is None else scores[:, positive]
    return chosen.astype(np.float64)
