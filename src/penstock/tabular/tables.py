"""What people hand over as X, as a table in canonical types: learnt once, and the same way ever after."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from penstock.data.canonical import Wishes, canonical_type, names_of, to_canonical, unsupported
from penstock.data.profiling import as_text
from penstock.data.sources._base import RawTable
from penstock.domain.datasets import ColumnType
from penstock.errors import DataError


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns of a table that was learnt from: their names in order, and the type of each."""

    types: dict[str, ColumnType]

    def conform(self, table: Any) -> pd.DataFrame:
        """Return another table of the same columns in the same types.

        Parameters
        ----------
        table
            A data frame or an array with as many columns, shape (n_rows, n_columns); columns of an array, or of a
            frame with other names, are taken in their order.

        Raises
        ------
        DataError
            If a column of dates holds something else.
        """
        frame = as_frame(table)
        frame.columns = pd.Index(self.types)
        plain = {name: _numbers(frame[name]) for name, kind in self.types.items() if _is_number(frame[name], kind)}
        others = [name for name in self.types if name not in plain]
        if others:
            raw = RawTable(frame[others], typed=True)
            read = to_canonical(raw, Wishes({name: self.types[name] for name in others}, settled=True)).frame
            plain |= {name: _as_type(read[name], self.types[name]) for name in others}
        return pd.DataFrame({name: plain[name] for name in self.types}, index=pd.RangeIndex(len(frame)))


def learn_columns(table: Any) -> tuple[pd.DataFrame, Columns]:
    """Return a table in canonical types, and what its columns are.

    Parameters
    ----------
    table
        A data frame with columns of any types, or an array, shape (n_rows, n_columns).

    Raises
    ------
    DataError
        If two columns have one name.
    TypeError
        If a column holds lists, tables or bytes.
    """
    raw = as_frame(table)
    refused = [name for name in raw if unsupported(raw[name]) or _holds_odd_objects(raw[name])]
    if refused:
        message = "argument must be a string or a number, true or false, or a date"  # as scikit-learn words it
        raise TypeError(f"Each value of an {message}, but column {refused[0]!r} holds others.")
    frame = to_canonical(RawTable(raw, typed=True)).frame
    return frame, Columns({name: canonical_type(frame[name]) for name in names_of(frame)})


def as_frame(table: Any) -> pd.DataFrame:
    """Return a data frame whose columns are named by texts, rows numbered from 0; the values are not copied.

    Raises
    ------
    DataError
        If two columns have one name.
    """
    if hasattr(table, "to_pandas"):
        table = table.to_pandas()
    if isinstance(table, pd.DataFrame):
        frame = table.reset_index(drop=True)
        frame.columns = pd.Index([str(name) for name in frame.columns])
    else:
        array = np.asarray(table)
        frame = pd.DataFrame(array, columns=[f"x{place}" for place in range(array.shape[1])])
        frame = frame.infer_objects() if array.dtype == object else frame
    repeated = frame.columns[frame.columns.duplicated()]
    if len(repeated):
        raise DataError(f"Columns must have different names, but {repeated[0]!r} comes more than once.")
    return frame


def as_column(values: Any, frame: pd.DataFrame, name: str) -> pd.Series:
    """Return a column of a table by its name, or one value a row, in a canonical type.

    Parameters
    ----------
    values
        The name of a column, or values of shape (n_rows,).
    frame
        The table in canonical types.
    name
        What the values are for.

    Raises
    ------
    DataError
        If there is no such column, or not one value a row.
    """
    if isinstance(values, str):
        if values not in frame:
            raise DataError(f"`{name}` must name a column or give a value a row, but there is no column {values!r}.")
        return frame[values]
    given = pd.Series(values).reset_index(drop=True)
    if len(given) != len(frame):
        raise DataError(f"`{name}` must give a value a row, {len(frame)} of them, but gives {len(given)}.")
    return to_canonical(RawTable(given.to_frame(name), typed=True)).frame[name]


def _holds_odd_objects(values: pd.Series) -> bool:
    if values.dtype.kind != "O" or not isinstance(values.dtype, np.dtype):
        return False
    return any(isinstance(value, dict | list | set) for value in values)


def _is_number(values: pd.Series, kind: ColumnType) -> bool:
    return kind == "number" and isinstance(values.dtype, np.dtype) and values.dtype.kind in "biuf"


def _numbers(values: pd.Series) -> pd.Series:
    """Return numbers with infinite ones missing, as they were learnt from."""
    array = values.to_numpy()
    if array.dtype.kind != "f" or not np.isinf(array).any():
        return values
    return values.mask(np.isinf(array))


def _as_type(values: pd.Series, wanted: ColumnType) -> pd.Series:
    """Return a canonical column in the type that was learnt, where this table's values alone suggest another."""
    found = canonical_type(values)
    if found == wanted:
        return values
    change = _CHANGES.get((found, wanted))
    if change is None:
        raise DataError(f"The column {values.name!r} must hold values of type {wanted}, but holds {found}.")
    return change(values)


def _to_text(values: pd.Series) -> pd.Series:
    present = values.notna()
    said = [as_text(value) for value in values]
    return pd.Series(said, index=values.index, dtype="str", name=values.name).where(present)


def _to_number(values: pd.Series) -> pd.Series:
    return pd.Series(
        [np.nan if pd.isna(value) else float(value) for value in values], index=values.index, name=values.name
    )


def _to_boolean(values: pd.Series) -> pd.Series:
    said = [None if pd.isna(value) else bool(value) for value in values]
    return pd.Series(said, index=values.index, dtype=object, name=values.name)


_CHANGES: dict[tuple[ColumnType, ColumnType], Callable[[pd.Series], pd.Series]] = {
    ("number", "string"): _to_text,
    ("boolean", "string"): _to_text,
    ("boolean", "number"): _to_number,
    ("number", "boolean"): _to_boolean,
}
