"""Give every column of a raw table one of four types: number, boolean, string, date."""

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from penstock.data.sources._base import RawTable
from penstock.data.types import text_types
from penstock.data.types.text_types import Column, Reader
from penstock.data.types.whole_numbers import whole_column
from penstock.domain.datasets import ColumnType, Finding
from penstock.errors import DataError

UNREADABLE_COLUMNS = ("row", "column", "text")


@dataclass(frozen=True, slots=True)
class Wishes:
    """What is known of columns beforehand.

    `types` are those of the contract, `kinds` and `drop` the project file's `columns.kinds` and `columns.drop`.
    With `settled` a contract says the types: a text column is then given one only if every value has it.
    """

    types: Mapping[str, ColumnType] = field(default_factory=dict)
    kinds: Mapping[str, str] = field(default_factory=dict)
    drop: Collection[str] = ()
    settled: bool = False


@dataclass(frozen=True, slots=True)
class Canonical:
    """A table in canonical types, what was seen on the way, and the values that are not of their column's type.

    `unreadable` has the columns row (position), column and text; such a value is missing in `frame`.
    """

    frame: pd.DataFrame
    findings: tuple[Finding, ...]
    unreadable: pd.DataFrame


def to_canonical(raw: RawTable, wishes: Wishes = Wishes()) -> Canonical:
    """Give every column its canonical type.

    Numbers become int64 or float64 (whole ones beyond int64 too), whole ones with gaps Int64 where a float would round
    them; booleans bool (object of True, False and None where values are missing), strings `str`, dates datetime64[us]
    in UTC without a zone.

    Parameters
    ----------
    raw
        A table as a source gave it, shape (n_rows, n_columns).
    wishes
        What is known of the columns beforehand.

    Returns
    -------
    Canonical
        Rows in their order; columns of a kind that no model takes are left out where `wishes.drop` names them.

    Raises
    ------
    DataError
        If a column holds lists, tables or bytes, naming all such columns.
    """
    refused = {str(name): kind for name in raw.frame if (kind := unsupported(raw.frame[name]))}
    named = {name: kind for name, kind in refused.items() if name not in wishes.drop}
    if named:
        raise _refusal(named)
    columns, findings, unreadable = {}, list(raw.notes), []
    for name in raw.frame:
        if str(name) in refused:
            continue
        column = _column(raw.frame[name], str(name), raw.typed, wishes)
        columns[str(name)] = column.values
        findings += column.findings
        if column.unreadable is not None:
            unreadable.append(column.unreadable)
    frame = pd.DataFrame(columns).reset_index(drop=True)
    empty = pd.DataFrame(
        {"row": np.empty(0, np.int64), "column": pd.Series([], dtype="str"), "text": pd.Series([], dtype="str")}
    )
    return Canonical(frame, tuple(findings), pd.concat(unreadable, ignore_index=True) if unreadable else empty)


def names_of(frame: pd.DataFrame) -> list[str]:
    """Return the names of a table's columns."""
    return [str(name) for name in frame.columns]


def canonical_type(values: pd.Series) -> ColumnType:
    """Return the type of a canonical column."""
    if values.dtype.kind == "M":
        return "date"
    if values.dtype.kind == "b" or _holds_objects(values):
        return "boolean"
    return "number" if values.dtype.kind in "iuf" else "string"


def unsupported(values: pd.Series) -> str | None:
    """Say what a column holds if no model takes it, or None."""
    if not _holds_objects(values):
        return None
    kinds = {type(value) for value in values.dropna().iloc[:1000]}
    if kinds & {list, tuple, set, dict, np.ndarray}:
        return "lists or tables"
    if kinds & {bytes, bytearray} and not _are_texts(values):
        return "bytes"
    return None


def _holds_objects(values: pd.Series) -> bool:
    return isinstance(values.dtype, np.dtype) and values.dtype.kind == "O"


def _are_texts(values: pd.Series) -> bool:
    try:
        for value in values.dropna():
            bytes(value).decode()
    except UnicodeDecodeError:
        return False
    return True


def _refusal(named: Mapping[str, str]) -> DataError:
    listed = ", ".join(f"{name!r} ({kind})" for name, kind in named.items())
    message = f"Every column must hold numbers, true or false, texts or dates, but these do not: {listed}."
    return DataError(message + " Name them in `columns.drop`, or change the source.", list(named))


def _column(values: pd.Series, name: str, typed: bool, wishes: Wishes) -> Column:
    wished = wishes.types.get(name) or _of_kind(wishes.kinds.get(name))
    plain, texts_are_typed = _plain(values, typed)
    if plain.isna().all() and wished is not None:
        return Column(_nothing(wished, len(plain)))
    if canonical_type(plain) != "string":
        return _without_infinity(name, plain)
    return text_types.give_type(plain, name, wished, Reader(typed=texts_are_typed, strict=wishes.settled))


def _of_kind(kind: str | None) -> ColumnType | None:
    """Return the type that a kind of the project file asks for; a category may be of any type."""
    types: dict[str, ColumnType] = {"number": "number", "text": "string", "date": "date", "boolean": "boolean"}
    return types.get(kind or "")


def _nothing(wished: ColumnType, rows: int) -> pd.Series:
    dtypes: dict[ColumnType, tuple[object, str]] = {
        "number": (np.nan, "float64"),
        "boolean": (None, "object"),
        "string": (np.nan, "str"),
        "date": (pd.NaT, "datetime64[us]"),
    }
    value, dtype = dtypes[wished]
    return pd.Series([value] * rows, dtype=dtype)


def _plain(values: pd.Series, typed: bool) -> tuple[pd.Series, bool]:
    """Return a column in one of the canonical dtypes, and whether texts in it are meant as texts."""
    dtype = values.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        values = values.astype(dtype.categories.dtype) if not values.isna().any() else _decategorised(values)
        dtype = values.dtype
    if _holds_objects(values):
        return _from_objects(values)
    if pd.api.types.is_bool_dtype(dtype):
        return _booleans(values), typed
    if pd.api.types.is_datetime64_any_dtype(dtype):
        return _dates(values), typed
    if pd.api.types.is_timedelta64_dtype(dtype):
        return values.dt.total_seconds(), typed
    if pd.api.types.is_numeric_dtype(dtype):
        return _numbers(values), typed
    return values.astype("str"), typed


def _decategorised(values: pd.Series) -> pd.Series:
    categories = values.cat.categories
    if pd.api.types.is_signed_integer_dtype(categories.dtype):
        return values.astype("Int64")
    if pd.api.types.is_numeric_dtype(categories.dtype) and not pd.api.types.is_bool_dtype(categories.dtype):
        return values.astype("float64")
    return pd.Series(values.to_numpy(object), index=values.index).infer_objects()


def _booleans(values: pd.Series) -> pd.Series:
    if not values.isna().any():
        return values.astype(bool)
    return pd.Series([None if pd.isna(value) else bool(value) for value in values], dtype=object)


def _dates(values: pd.Series) -> pd.Series:
    if getattr(values.dtype, "tz", None) is not None or isinstance(values.dtype, pd.ArrowDtype):
        values = pd.to_datetime(values, utc=True).dt.tz_localize(None)
    return values.astype("datetime64[us]")


def _numbers(values: pd.Series) -> pd.Series:
    if pd.api.types.is_integer_dtype(values.dtype) and not (values.dropna() > np.iinfo(np.int64).max).any():
        return whole_column(values)
    return pd.Series(values.to_numpy(np.float64, na_value=np.nan), index=values.index)


def _from_objects(values: pd.Series) -> tuple[pd.Series, bool]:
    """Return a column of Python objects in the dtype that their kind asks for."""
    kind = pd.api.types.infer_dtype(values, skipna=True)
    reader = _OBJECTS.get(kind)
    if reader is not None:
        return reader(values), True
    present = values.notna()
    said = [value.decode() if isinstance(value, bytes) else str(value) for value in values]
    return pd.Series(said, index=values.index, dtype="str").where(present), kind not in ("mixed", "mixed-integer")


def _decimals(values: pd.Series) -> pd.Series:
    try:
        return _numbers(pd.to_numeric(values.astype("float64")))
    except OverflowError:
        return pd.Series([_float(value) for value in values], index=values.index, dtype="float64")


def _float(value: Any) -> float:
    """Return a number as a float; one beyond the range of floats is infinite, and so counts as missing."""
    try:
        return math.nan if pd.isna(value) else float(value)
    except OverflowError:
        return math.inf


def _integers(values: pd.Series) -> pd.Series:
    try:
        return _numbers(values.astype("Int64"))
    except OverflowError:
        return _decimals(values.where(values.notna()))


def _moments(values: pd.Series) -> pd.Series:
    return _dates(pd.to_datetime(values, utc=True).dt.tz_localize(None))


_OBJECTS: dict[str, Callable[[pd.Series], pd.Series]] = {
    "string": lambda values: values.astype("str"),
    "boolean": _booleans,
    "decimal": _decimals,
    "floating": _decimals,
    "mixed-integer-float": _decimals,
    "integer": _integers,
    "datetime": _moments,
    "datetime64": _moments,
    "date": _moments,
    "timedelta": lambda values: pd.to_timedelta(values).dt.total_seconds(),
    "empty": lambda values: pd.Series(np.nan, index=values.index, dtype="float64"),
}


def _without_infinity(name: str, values: pd.Series) -> Column:
    if values.dtype.kind != "f":
        return Column(values)
    infinite = np.isinf(values.to_numpy())
    if not infinite.any():
        return Column(values)
    count = int(infinite.sum())
    message = f"Column {name!r} holds {count} infinite values; they count as missing."
    return Column(values.mask(infinite), (Finding("infinite", "warning", (name,), message, count),))
