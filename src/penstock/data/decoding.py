"""A row as people send it, or a table, to the arrays that a graph takes; needs numpy alone.

Both ways in give the same arrays for the same values: what a model learns from is what it is asked about.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock.domain.datasets import Contract
from penstock.domain.features import Decoding, InputColumn
from penstock.errors import DataError, ModelError

MISSING = "__na__"
DATE_PARTS = ("year", "month", "day", "weekday", "hour", "day_of_year", "days")
LARGEST = 1e30  # larger numbers count as this: it leaves a float32 graph room to scale them
MOST_FAULTS = 20
LONGEST_FOUND = 60

Row = Mapping[str, Any]
Numbers = NDArray[np.float32]
Texts = NDArray[np.object_]
_Read = Callable[[Row, list[float], list[str]], None]
_Whole = Callable[[NDArray[Any]], list[NDArray[Any]]]

_WORD = re.compile(r"\w+")
_EPOCH = date(1970, 1, 1).toordinal()
_MUST = {
    "number": "be a number",
    "boolean": "be true or false",
    "string": "be text",
    "date": "be a date as ISO 8601 text",
}
_FORMS = {
    ("number", "number"),
    ("number", "boolean"),
    ("number", "category"),
    ("boolean", "boolean"),
    ("boolean", "number"),
    ("boolean", "category"),
    ("string", "category"),
    ("string", "text"),
    ("date", "date"),
}


class RowErrors(DataError):
    """Rows that do not fit; each of `details` has row, column, must and found."""


class _Fault(Exception):
    """What must hold of a value."""


@dataclass(frozen=True, slots=True)
class _Column:
    """One column's two ways in, and the names of what comes out."""

    name: str
    required: bool
    numbers: tuple[str, ...]
    texts: tuple[str, ...]
    read: _Read
    whole: _Whole


@dataclass(frozen=True, slots=True)
class Decoder:
    """Turns rows or columns into `numbers`, float32 of shape (n, k), and `texts`, object of shape (n, m).

    `number_names` and `text_names` name the arrays' columns; `number_sources` and `text_sources` the table's column
    that each of them comes from.
    """

    decoding: Decoding
    number_names: tuple[str, ...]
    text_names: tuple[str, ...]
    number_sources: tuple[str, ...]
    text_sources: tuple[str, ...]
    columns_: tuple[_Column, ...]
    reads: tuple[_Read, ...]

    @property
    def names(self) -> frozenset[str]:
        """The columns that are read."""
        return frozenset(column.name for column in self.columns_)

    def rows(self, rows: Sequence[Row]) -> tuple[Numbers, Texts]:
        """Decode rows as they come out of JSON.

        Parameters
        ----------
        rows
            One mapping a row. A number is a JSON number (NaN is missing, beyond 1e30 counts as 1e30), a boolean
            true, false, 0 or 1, a date ISO 8601 text (with a zone: moved to UTC), a string text ("" is missing);
            null is missing. Other keys are ignored.

        Returns
        -------
        numbers : shape (n_rows, n_numbers), float32
        texts : shape (n_rows, n_texts), object of str

        Raises
        ------
        RowErrors
            For up to 20 values that do not fit, of all rows.
        """
        numbers: list[float] = []
        texts: list[str] = []
        reads = self.reads
        try:
            for row in rows:
                for read in reads:
                    read(row, numbers, texts)
        except (_Fault, AttributeError) as fault:
            raise self._errors(rows) from fault
        shape = (len(rows), len(self.number_names))
        width = (len(rows), len(self.text_names))
        return np.array(numbers, np.float64).astype(np.float32).reshape(shape), _objects(texts).reshape(width)

    def columns(self, table: Mapping[str, Any]) -> tuple[Numbers, Texts]:
        """Decode whole columns in their canonical types.

        Parameters
        ----------
        table
            Arrays (or a data frame) by column name, each of shape (n_rows,). A column that is not required
            may be absent.

        Returns
        -------
        numbers : shape (n_rows, n_numbers), float32
        texts : shape (n_rows, n_texts), object of str

        Raises
        ------
        DataError
            If a required column is absent, or holds values of another type.
        """
        arrays = {column.name: np.asarray(table[column.name]) for column in self.columns_ if column.name in table}
        absent = [column.name for column in self.columns_ if column.required and column.name not in arrays]
        if absent:
            raise DataError(f"The table must have the columns {absent!r}, which the model uses.", absent)
        count = _height(table, arrays)
        numbers = np.full((count, len(self.number_names)), np.nan, np.float32)
        texts = np.full((count, len(self.text_names)), "", object)
        number = text = 0
        for column in self.columns_:
            parts = column.whole(arrays[column.name]) if column.name in arrays else _nothing(column, count)
            for part in parts[: len(column.numbers)]:
                numbers[:, number] = part
                number += 1
            for part in parts[len(column.numbers) :]:
                texts[:, text] = part
                text += 1
        return numbers, texts

    def unknown(self, rows: Sequence[Row], known: frozenset[str] = frozenset()) -> dict[str, int]:
        """Count the rows that carry each column which neither this decoder nor `known` names."""
        names = self.names | known
        counts: dict[str, int] = {}
        for row in rows:
            for name in row.keys() - names:
                counts[name] = counts.get(name, 0) + 1
        return counts

    def _errors(self, rows: Sequence[Row]) -> RowErrors:
        details: list[dict[str, Any]] = []
        count = 0
        for position, row in enumerate(rows):
            for fault in self._faults(position, row):
                count += 1
                if len(details) < MOST_FAULTS:
                    details.append(fault)
        return RowErrors(_message(details[0], count), details)

    def _faults(self, position: int, row: Any) -> list[dict[str, Any]]:
        if not isinstance(row, Mapping):
            return [{"row": position, "column": None, "must": "be an object of columns", "found": shown(row)}]
        faults = []
        for column in self.columns_:
            try:
                column.read(row, [], [])
            except _Fault as fault:
                found = shown(row[column.name]) if column.name in row else "nothing"
                faults.append({"row": position, "column": column.name, "must": str(fault), "found": found})
        return faults


def compile_decoding(decoding: Decoding) -> Decoder:
    """Compile the way from rows or columns to a graph's arrays.

    Parameters
    ----------
    decoding
        The columns that a version uses, in the order of the graph's inputs.

    Returns
    -------
    Decoder
        One object for training and serving.

    Raises
    ------
    ModelError
        If a column's form does not go with its type.
    """
    columns = tuple(_compile(column) for column in decoding.columns)
    return Decoder(
        decoding,
        tuple(name for column in columns for name in column.numbers),
        tuple(name for column in columns for name in column.texts),
        tuple(column.name for column in columns for _ in column.numbers),
        tuple(column.name for column in columns for _ in column.texts),
        columns,
        tuple(column.read for column in columns),
    )


def json_schema(decoding: Decoding, contract: Contract | None = None, title: str = "row") -> dict[str, Any]:
    """Return the JSON schema of a row.

    `properties` are the columns that the version uses; `x-unused` names the contract's other columns (but the
    target), which a row may carry without being reported as unknown.
    """
    used = {column.name for column in decoding.columns}
    others = [column.name for column in contract.columns if column.name not in used] if contract else []
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": title,
        "type": "object",
        "properties": {column.name: _property(column) for column in decoding.columns},
        "required": [column.name for column in decoding.columns if column.required],
        "additionalProperties": True,
        "x-unused": [name for name in others if contract and name != contract.target],
    }


def shown(value: object) -> str:
    """Return a value as short JSON, for an error."""
    text = json.dumps(value, default=repr, ensure_ascii=False)
    return text if len(text) <= LONGEST_FOUND else text[: LONGEST_FOUND - 1] + "…"


def words(text: str, tokens: int) -> list[str]:
    """Return the first `tokens` words in lower case, padded with ""."""
    found = _WORD.findall(text.lower())[:tokens]
    return found + [""] * (tokens - len(found))


def _property(column: InputColumn) -> dict[str, Any]:
    kind = "string" if column.type == "date" else column.type
    shape: dict[str, Any] = {"title": column.name, "type": kind if column.required else [kind, "null"]}
    if column.type == "date":
        shape["description"] = "ISO 8601 date, with or without a time and zone"
    return shape


def _message(first: dict[str, Any], count: int) -> str:
    where = f"Column {first['column']!r} of row {first['row']}" if first["column"] else f"Row {first['row']}"
    more = f" {count - 1} more values do not fit." if count > 1 else ""
    return f"{where} must {first['must']}, but is {first['found']}.{more}"


def _compile(column: InputColumn) -> _Column:
    if (column.type, column.form) not in _FORMS:
        raise ModelError(f"Column {column.name!r} of type {column.type} cannot be decoded as {column.form!r}.")
    if column.form == "date":
        names = tuple(f"{column.name}.{part}" for part in DATE_PARTS)
        return _Column(column.name, column.required, names, (), _date_reader(column), _date_parts)
    if column.form == "text":
        names = tuple(f"{column.name}[{place}]" for place in range(column.tokens))
        return _Column(column.name, column.required, (), names, _text_reader(column), _text_columns(column))
    if column.form == "category":
        return _Column(column.name, column.required, (), (column.name,), *_category(column))
    read = _number_reader(column) if column.type == "number" else _boolean_reader(column)
    return _Column(column.name, column.required, (column.name,), (), read, _number_column(column))


# --- one value of a row -----------------------------------------------------------------------------------------


def _absent(required: bool) -> None:
    if required:
        raise _Fault("be present")


def _number_reader(column: InputColumn) -> _Read:
    name, required = column.name, column.required

    def read(row: Row, numbers: list[float], _texts: list[str]) -> None:
        value: Any = row.get(name)
        kind = value.__class__
        if (kind is float or kind is int) and -LARGEST <= value <= LARGEST:
            numbers.append(value)
        else:
            numbers.append(_number(value, required))

    return read


def _number(value: Any, required: bool) -> float:
    if value is None or value != value:  # noqa: PLR0124 - NaN alone differs from itself
        _absent(required)
        return np.nan
    if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)):
        raise _Fault(_MUST["number"])
    return float(min(max(value, -LARGEST), LARGEST))


def _boolean_reader(column: InputColumn) -> _Read:
    name, required = column.name, column.required

    def read(row: Row, numbers: list[float], _texts: list[str]) -> None:
        value = row.get(name)
        if value is True:
            numbers.append(1.0)
        elif value is False:
            numbers.append(0.0)
        else:
            numbers.append(_boolean(value, required))

    return read


def _boolean(value: Any, required: bool) -> float:
    if value is None or value != value:  # noqa: PLR0124 - NaN alone differs from itself
        _absent(required)
        return np.nan
    if isinstance(value, (int, float, np.bool_, np.integer, np.floating)) and value in {0, 1}:
        return float(value)
    raise _Fault(_MUST["boolean"])


def _date_reader(column: InputColumn) -> _Read:
    name, required = column.name, column.required
    unknown = (np.nan,) * len(DATE_PARTS)

    def read(row: Row, numbers: list[float], _texts: list[str]) -> None:
        value = row.get(name)
        if value is None or value == "":
            _absent(required)
            numbers.extend(unknown)
            return
        moment = _moment(value)
        day = moment.toordinal()
        days = day - _EPOCH
        day_of_year = day - date(moment.year, 1, 1).toordinal() + 1
        numbers.extend((moment.year, moment.month, moment.day, (days + 3) % 7, moment.hour, day_of_year, days))

    return read


def _moment(value: Any) -> datetime:
    if value.__class__ is not str:
        raise _Fault(_MUST["date"])
    try:
        moment = datetime.fromisoformat(value)
        return moment if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise _Fault(_MUST["date"]) from None


def _text_reader(column: InputColumn) -> _Read:
    name, required, tokens = column.name, column.required, column.tokens

    def read(row: Row, _numbers: list[float], texts: list[str]) -> None:
        texts.extend(words(_string(row.get(name), required), tokens))

    return read


def _string(value: Any, required: bool) -> str:
    if value.__class__ is str and value:
        return str(value)
    if value is None or value == "" or value != value:  # noqa: PLR0124 - NaN alone differs from itself
        _absent(required)
        return ""
    raise _Fault(_MUST["string"])


def _category(column: InputColumn) -> tuple[_Read, _Whole]:
    name, required, kind = column.name, column.required, column.type

    def read(row: Row, _numbers: list[float], texts: list[str]) -> None:
        value = row.get(name)
        if kind == "string":
            texts.append((value.__class__ is str and value) or _string(value, required) or MISSING)
        else:
            number = (_number if kind == "number" else _boolean)(value, required)
            texts.append(MISSING if number != number else _level(value, kind))  # noqa: PLR0124 - NaN

    def whole(values: NDArray[Any]) -> list[NDArray[Any]]:
        if kind == "string":
            return [_objects([text or MISSING for text in _strings(values, name)])]
        floats: list[Any] = np.clip(_floats(values, kind, name), -LARGEST, LARGEST).tolist()
        return [_objects([MISSING if value != value else _level(float(value), kind) for value in floats])]  # noqa: PLR0124  NaN

    return read, whole


def _level(value: float, kind: str) -> str:
    if kind == "boolean":
        return "true" if value else "false"
    return str(int(value)) if value == int(value) else repr(float(value))


# --- a whole column ---------------------------------------------------------------------------------------------


def _number_column(column: InputColumn) -> _Whole:
    def whole(values: NDArray[Any]) -> list[NDArray[Any]]:
        return [np.clip(_floats(values, column.type, column.name), -LARGEST, LARGEST)]

    return whole


def _floats(values: NDArray[Any], kind: str, name: str) -> NDArray[np.float64]:
    if values.dtype == object:
        single = _number if kind == "number" else _boolean
        try:
            return np.array([single(value, False) for value in values], np.float64)
        except _Fault as fault:
            raise _wrong(name, fault) from fault
    if values.dtype.kind not in "biuf":
        raise _wrong(name, _Fault(_MUST[kind]))
    return values.astype(np.float64)


def _date_parts(values: NDArray[Any]) -> list[NDArray[Any]]:
    if values.dtype.kind != "M":
        values = values.astype("M8[us]")
    missing = np.isnat(values)
    filled = np.where(missing, np.datetime64(0, "us"), values.astype("M8[us]"))
    day, month, year = (filled.astype(f"M8[{unit}]") for unit in ("D", "M", "Y"))
    days = day.astype(np.int64)
    parts = [
        year.astype(np.int64) + 1970,
        month.astype(np.int64) % 12 + 1,
        (day - month.astype("M8[D]")).astype(np.int64) + 1,
        (days + 3) % 7,
        (filled - day).astype("m8[h]").astype(np.int64),
        (day - year.astype("M8[D]")).astype(np.int64) + 1,
        days,
    ]
    return [np.where(missing, np.nan, part) for part in parts]


def _text_columns(column: InputColumn) -> _Whole:
    def whole(values: NDArray[Any]) -> list[NDArray[Any]]:
        rows = [words(text, column.tokens) for text in _strings(values, column.name)]
        return [_objects([row[place] for row in rows]) for place in range(column.tokens)]

    return whole


def _strings(values: NDArray[Any], name: str) -> list[str]:
    try:
        return [value if value.__class__ is str else _string(value, False) for value in values.tolist()]
    except _Fault as fault:
        raise _wrong(name, fault) from fault


def _wrong(name: str, fault: _Fault) -> DataError:
    return DataError(f"Every value of column {name!r} must {fault}.", [name])


def _objects(values: list[Any]) -> NDArray[np.object_]:
    array = np.empty(len(values), object)
    array[:] = values
    return array


def _nothing(column: _Column, count: int) -> list[NDArray[Any]]:
    fill = MISSING if column.texts == (column.name,) else ""
    return [np.full(count, np.nan) for _ in column.numbers] + [np.full(count, fill, object) for _ in column.texts]


def _height(table: Mapping[str, Any], arrays: dict[str, NDArray[Any]]) -> int:
    if arrays:
        return len(next(iter(arrays.values())))
    return len(table[next(iter(table))]) if len(table) else 0
