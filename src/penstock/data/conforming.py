"""A new table in the types of the contract; the cells that do not fit are named, row by row."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from penstock.data.canonical import canonical_type
from penstock.domain.datasets import ColumnType, Contract, ContractColumn

RowFaults = dict[int, list[str]]

MOST_MUST_FIT = 0.5  # a column of which fewer cells fit is another type, not a column with bad cells
MISSING_WORDS = frozenset({"", "?", "-", ".", "na", "n/a", "#n/a", "nan", "null", "none"})
TRUE_WORDS = frozenset({"true", "t", "yes", "y", "1", "1.0"})
FALSE_WORDS = frozenset({"false", "f", "no", "n", "0", "0.0"})
LONGEST_SHOWN = 40
_MUST = {"number": "be a number", "boolean": "be true or false", "date": "be a date", "string": "be text"}


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
        if column.name not in frame or canonical_type(frame[column.name]) == column.type:
            continue
        values, bad = coerce(frame[column.name], column.type)
        columns[column.name] = values
        if bad.any():
            faults[column.name] = _faults(as_text(frame[column.name]), bad, column)
    return frame.assign(**columns), faults


def rename(frame: pd.DataFrame, contract: Contract) -> pd.DataFrame:
    """Give columns that came under an earlier name their name in the contract."""
    names = {
        old: column.name
        for column in contract.columns
        if column.name not in frame
        for old in column.renamed_from
        if old in frame
    }
    return frame.rename(columns=names)


def coerce(values: pd.Series, kind: ColumnType) -> tuple[pd.Series, NDArray[np.bool_]]:
    """Return a column in another type, and which of its cells do not fit; those are missing."""
    text = as_text(values)
    missing = text.isna() | text.str.lower().isin(MISSING_WORDS)
    if kind == "number":
        result = pd.to_numeric(text.where(~missing), errors="coerce").astype("float64")
        result = result.where(np.isfinite(result))
    elif kind == "boolean":
        result = _booleans(text)
    elif kind == "date":
        result = _dates(text.where(~missing))
    else:
        result = text
    bad = result.isna().to_numpy() & ~missing.to_numpy()
    return _settled(result), bad


def fits(values: pd.Series, kind: ColumnType) -> float:
    """Return the share of a column's values that are of a type, 1 if it has none."""
    present = int(values.notna().sum())
    if not present:
        return 1.0
    _, bad = coerce(values, kind)
    return 1 - float(bad.sum()) / present


def as_text(values: pd.Series) -> pd.Series:
    """Return a column as stripped text: whole numbers without a point, booleans as true and false."""
    kind = canonical_type(values)
    if kind == "string":
        return values.astype("str").str.strip()
    if kind == "boolean":
        return values.map({True: "true", False: "false"}).astype("str")
    if kind == "date":
        return values.dt.strftime("%Y-%m-%dT%H:%M:%S").astype("str")
    if values.dtype.kind == "f" and bool((values.dropna() % 1 == 0).all()) and bool(values.abs().max() < 2**53):
        return values.astype("Int64").astype("str").where(values.notna()).astype("str")
    return values.astype("str").where(values.notna()).astype("str")


def _booleans(text: pd.Series) -> pd.Series:
    lower = text.str.lower()
    result = pd.Series(np.full(len(text), None, object), index=text.index, dtype=object)
    result[lower.isin(TRUE_WORDS)] = True
    result[lower.isin(FALSE_WORDS)] = False
    return result


def _dates(text: pd.Series) -> pd.Series:
    moments = pd.DatetimeIndex(pd.to_datetime(text, errors="coerce", format="ISO8601", utc=True))
    return pd.Series(moments.tz_localize(None).astype("datetime64[us]"), index=text.index)


def _settled(values: pd.Series) -> pd.Series:
    complete = bool(values.notna().all())
    if values.dtype.kind == "f" and complete and bool((values % 1 == 0).all()) and bool((values.abs() < 2**53).all()):
        return values.astype("int64")
    if values.dtype == object and complete:
        return values.astype(bool)
    return values


def _faults(text: pd.Series, bad: NDArray[np.bool_], column: ContractColumn) -> RowFaults:
    faults: RowFaults = {}
    for row in np.flatnonzero(bad):
        found = "another value" if column.sensitive else repr(str(text.iloc[row])[:LONGEST_SHOWN])
        faults[int(row)] = [f"{column.name!r} must {_MUST[column.type]}, but is {found}."]
    return faults
