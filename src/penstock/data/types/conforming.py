"""A new table in the types of the contract; the cells that do not fit are named, row by row."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from penstock.data.types.canonical import canonical_type
from penstock.data.types.text_types import Reader, give_type
from penstock.data.types.whole_numbers import LARGEST_EXACT
from penstock.domain.datasets import ColumnType, Contract, ContractColumn

RowFaults = dict[int, list[str]]

MOST_MUST_FIT = 0.5  # a column of which fewer cells fit is another type, not a column with bad cells
LONGEST_SHOWN = 40
MUST = {"number": "be a number", "boolean": "be true or false", "date": "be a date", "string": "be text"}


def conform(frame: pd.DataFrame, contract: Contract) -> tuple[pd.DataFrame, dict[str, RowFaults]]:
    """Bring a table to the contract's types and names.

    Parameters
    ----------
    frame
        A canonical table of shape (n_rows, n_columns).
    contract
        Columns that came under an earlier name (`renamed_from`) are given their new one.

    Returns
    -------
    frame
        The same rows; cells that do not fit are missing. Columns that the contract does not name are as they were.
    faults
        For each column with such cells, what must hold, by row position.
    """
    frame = rename(frame, contract)
    faults: dict[str, RowFaults] = {}
    columns = {}
    for column in contract.columns:
        if column.name in frame and canonical_type(frame[column.name]) != column.type:
            values, bad = coerce(frame[column.name], column.type)
            columns[column.name] = values
            if bad.any():
                text = as_text(frame[column.name])
                faults[column.name] = {int(row): [fault_of(text.iloc[row], column)] for row in np.flatnonzero(bad)}
    return frame.assign(**columns), faults


def rename(frame: pd.DataFrame, contract: Contract) -> pd.DataFrame:
    """Give columns that came under an earlier name their name in the contract."""
    names = {
        old: column.name
        for column in contract.columns
        if column.name not in frame
        for old in [name for name in column.renamed_from if name in frame][:1]
    }
    return frame.rename(columns=names)


def coerce(values: pd.Series, kind: ColumnType) -> tuple[pd.Series, NDArray[np.bool_]]:
    """Return a column in another type, and which of its cells do not fit; those are missing."""
    present = values.notna().to_numpy()
    if canonical_type(values) == kind:
        return values, np.zeros(len(values), bool)
    if kind == "string":
        return as_text(values), np.zeros(len(values), bool)
    if canonical_type(values) == "string":
        read = give_type(values, str(values.name), kind, Reader(typed=False, strict=False))
        if canonical_type(read.values) == kind:
            bad = np.zeros(len(values), bool)
            if read.unreadable is not None:
                bad[read.unreadable["row"].to_numpy()] = True
            return read.values, bad
    if kind == "boolean" and canonical_type(values) == "number":
        bad = present & ~values.isin([0, 1]).to_numpy()
        return _booleans(values), bad
    return _nothing(values, kind), present


def settle(frame: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """Give columns their whole types again, where the rows that kept them from it are gone."""
    return frame.assign(**{name: _settled(frame[name]) for name in names if name in frame})


def fits(values: pd.Series, kind: ColumnType) -> float:
    """Return the share of a column's values that are of a type, 1 if it has none."""
    present = int(values.notna().sum())
    _, bad = coerce(values, kind)
    return 1 - float(bad.sum()) / present if present else 1.0


def as_text(values: pd.Series) -> pd.Series:
    """Return a column as text: whole numbers without a point, booleans as true and false, dates in ISO 8601."""
    kind = canonical_type(values)
    if kind == "string":
        return values
    if kind == "boolean":
        return values.map({True: "true", False: "false"}).astype("str")
    if kind == "date":
        return pd.Series(values.dt.strftime("%Y-%m-%dT%H:%M:%S"), index=values.index, dtype="str")
    if bool((values.dropna() % 1 == 0).all()) and bool((values.dropna().abs() < LARGEST_EXACT).all()):
        values = values.astype("Int64")
    return values.astype("str").where(values.notna()).astype("str")


def fault_of(text: object, column: ContractColumn) -> str:
    """Return what a cell must be, and what it is unless the column is sensitive."""
    found = "another value" if column.sensitive else repr(str(text)[:LONGEST_SHOWN])
    return f"{column.name!r} must {MUST[column.type]}, but is {found}"


def _booleans(values: pd.Series) -> pd.Series:
    result = pd.Series(np.full(len(values), None, object), index=values.index, dtype=object)
    result[values == 1] = True
    result[values == 0] = False
    return _settled(result)


def _nothing(values: pd.Series, kind: ColumnType) -> pd.Series:
    dtypes = {"number": "float64", "boolean": "object", "date": "datetime64[us]", "string": "str"}
    return pd.Series([None] * len(values), index=values.index, dtype=dtypes[kind])


def _settled(values: pd.Series) -> pd.Series:
    if not bool(values.notna().all()):
        return values
    if values.dtype.kind == "i":
        return values.astype("int64")
    if values.dtype.kind == "f" and bool((values % 1 == 0).all()) and bool((values.abs() < LARGEST_EXACT).all()):
        return values.astype("int64")
    if values.dtype == object:
        values = values.astype(bool)
    return values
