"""Values as they come in JSON, to a column of a canonical type; what does not fit is missing, and named."""

import math
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd

from penstock.data.types.whole_numbers import whole_column
from penstock.domain.datasets import ColumnType

LARGEST_WHOLE = 2**63 - 1
LARGEST_DOUBLE = sys.float_info.max


class _Unfit(Exception):
    """A value that is not of the type."""


def column_of(values: Sequence[Any], kind: ColumnType) -> tuple[pd.Series, list[int]]:
    """Return JSON values as a column, and the positions of those that are not of its type.

    Parameters
    ----------
    values
        Numbers, booleans, texts and None; dates are ISO 8601 text, with a zone moved to UTC. Numbers, true and false
        may come as text.
    kind
        The column's type.

    Returns
    -------
    values
        Shape (n_values,), in the type's dtype.
    bad
        Positions of values that do not fit; they are missing.
    """
    read, unfit = _READERS[kind], list[int]()
    cells: list[Any] = []
    for position, value in enumerate(values):
        try:
            cells.append(None if value is None or value == "" else read(value))
        except _Unfit:
            cells.append(None)
            unfit.append(position)
    return _SERIES[kind](cells), unfit


def _number(value: Any) -> int | float | None:
    if isinstance(value, str):
        try:
            value = int(value)
        except ValueError:
            value = _float(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise _Unfit
    if isinstance(value, int) and abs(value) > LARGEST_WHOLE:
        return double_of(value)
    return value if math.isfinite(value) else None


def double_of(value: float) -> float:
    """Return a number as a double; a whole one beyond doubles becomes the largest of them."""
    if isinstance(value, int) and abs(value) > LARGEST_DOUBLE:
        return LARGEST_DOUBLE if value > 0 else -LARGEST_DOUBLE
    return float(value)


def _float(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise _Unfit from None


def _boolean(value: Any) -> bool:
    if isinstance(value, str):
        value = {"true": True, "false": False}.get(value.lower(), value)
    if not isinstance(value, (bool, int, float)) or value not in {0, 1}:
        raise _Unfit
    return bool(value)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if not isinstance(value, (str, int, float)):
        raise _Unfit
    return str(value)


def _date(value: Any) -> datetime:
    if not isinstance(value, str):
        raise _Unfit
    try:
        moment = datetime.fromisoformat(value)
        return moment if moment.tzinfo is None else moment.astimezone(UTC).replace(tzinfo=None)
    except (ValueError, OverflowError):
        raise _Unfit from None


def _numbers(cells: list[Any]) -> pd.Series:
    if all(isinstance(cell, int) for cell in cells):
        return pd.Series(np.array(cells, np.int64))
    if all(cell is None or isinstance(cell, int) for cell in cells):
        return whole_column(pd.Series(cells, dtype="Int64"))
    return pd.Series(np.array([np.nan if cell is None else cell for cell in cells], np.float64))


def _booleans(cells: list[Any]) -> pd.Series:
    return pd.Series(cells, dtype=object if None in cells else bool)


def _texts(cells: list[Any]) -> pd.Series:
    return pd.Series(cells, dtype="str")


def _dates(cells: list[Any]) -> pd.Series:
    return pd.Series(np.array(cells, dtype="datetime64[us]"))


_READERS: dict[ColumnType, Callable[[Any], Any]] = {
    "number": _number,
    "boolean": _boolean,
    "string": _text,
    "date": _date,
}
_SERIES: dict[ColumnType, Callable[[list[Any]], pd.Series]] = {
    "number": _numbers,
    "boolean": _booleans,
    "string": _texts,
    "date": _dates,
}
