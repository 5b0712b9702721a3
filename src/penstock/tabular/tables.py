"""What people hand over as X, as a table in canonical types: learnt once, and the same way ever after."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from penstock.data.profiling import as_text
from penstock.data.sources._base import RawTable
from penstock.data.types.canonical import Wishes, canonical_type, names_of, to_canonical, unsupported
from penstock.domain.datasets import ColumnType
from penstock.errors import DataError


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns of a table that was learnt from: their names in order, and the type of each."""

    types: dict[str, ColumnType]

    def conform(self, table: Any) -> dict[str, NDArray[Any]]:
        """Return the columns of another table in the same types, by name, each of shape (n_rows,).

        Parameters
        ----------
        table
            A data frame or an array with as many columns, shape (n_rows, n_columns), taken in their order.

        Raises
        ------
        DataError
            If a column of dates holds something else.
        """
        if isinstance(table, np.ndarray) and table.dtype.kind in "biuf" and set(self.types.values()) == {"number"}:
            return {name: _finite(table[:, place]) for place, name in enumerate(self.types)}
        given = table if isinstance(table, pd.DataFrame) else as_frame(table)
        found: dict[str, NDArray[Any]] = {}
        others: dict[str, pd.Series] = {}
        for name, (_, values) in zip(self.types, given.items(), strict=True):
            array = _as_it_is(values, self.types[name])
            if array is None:
                others[name] = values.reset_index(drop=True)
            else:
                found[name] = array
        return {**found, **self._read(others)} if others else found

    def _read(self, others: dict[str, pd.Series]) -> dict[str, NDArray[Any]]:
        wishes = Wishes({name: self.types[name] for name in others}, settled=True)
        read = to_canonical(RawTable(pd.DataFrame(others), typed=True), wishes).frame
        return {name: np.asarray(_as_type(read[name], self.types[name])) for name in others}


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


def _as_it_is(values: pd.Series, kind: ColumnType) -> NDArray[Any] | None:
    """Return a column that has its type already, as to_canonical would, or None."""
    dtype = values.dtype
    if isinstance(dtype, pd.StringDtype):
        return np.asarray(values, dtype=object) if kind == "string" and dtype.na_value is not pd.NA else None
    if not isinstance(dtype, np.dtype):
        return None
    if kind == "number" and dtype.kind in "biuf":
        return _finite(values.to_numpy())
    if (kind == "boolean" and dtype.kind == "b") or (kind == "date" and dtype.kind == "M"):
        return values.to_numpy()
    return None


def _finite(array: NDArray[Any]) -> NDArray[Any]:
    """Return numbers with infinite ones missing, as they were learnt from."""
    if array.dtype.kind != "f" or not np.isinf(array).any():
        return array
    return np.where(np.isinf(array), np.nan, array)


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
