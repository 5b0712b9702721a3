"""Rows of a table as a client would send them."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from penstock.domain.features import InputColumn


def arrays_of(frame: pd.DataFrame) -> dict[str, NDArray[Any]]:
    """Return a table's columns as arrays by name, as the decoder takes them."""
    return {str(name): frame[name].to_numpy() for name in frame}


def rows_of_frame(frame: pd.DataFrame, columns: tuple[InputColumn, ...]) -> list[dict[str, Any]]:
    """Return rows in JSON's types.

    Parameters
    ----------
    frame
        Shape (n_rows, n_columns), in canonical types.
    columns
        Those to take; one that the frame lacks is left out of every row.

    Returns
    -------
    list of dict
        Missing values are None, dates ISO 8601 text.
    """
    plain = {column.name: _plain(frame[column.name], column) for column in columns if column.name in frame}
    return [dict(zip(plain, values, strict=True)) for values in zip(*plain.values(), strict=True)]


def _plain(values: pd.Series, column: InputColumn) -> list[Any]:
    missing: NDArray[np.bool_] = values.isna().to_numpy()
    if column.type == "date":
        texts = [str(value) for value in values.to_numpy("datetime64[us]")]
        return [None if gone else text for text, gone in zip(texts, missing, strict=True)]
    return [None if gone else value for value, gone in zip(values.tolist(), missing, strict=True)]
