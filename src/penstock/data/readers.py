"""One column's two ways in: a value of a row, and a whole array; needs numpy alone."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock.data.types.words import looks, words
from penstock.domain.features import InputColumn
from penstock.errors import DataError, ModelError

MISSING = "__na__"
DATE_PARTS = ("year", "month", "day", "weekday", "hour", "day_of_year", "days")
MINUTE = 60_000_000  # microseconds
LARGEST = 1e30  # larger numbers count as this: it leaves a float32 graph room to scale them

Row = Mapping[str, Any]
Read = Callable[[Row, list[float], list[str]], None]
Whole = Callable[[NDArray[Any]], list[NDArray[Any]]]

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


class Fault(Exception):
    """What must hold of a value."""


@dataclass(frozen=True, slots=True)
class ReadColumn:
    """One column's two ways in, and the names of what comes out."""

    name: str
    required: bool
    numbers: tuple[str, ...]
    texts: tuple[str, ...]
    read: Read
    whole: Whole


def compile_column(column: InputColumn) -> ReadColumn:
    """Return both ways into a column.

    Raises
    ------
    ModelError
        If its form does not go with its type.
    """
    if (column.type, column.form) not in _FORMS:
        raise ModelError(f"Column {column.name!r} of type {column.type} cannot be decoded as {column.form!r}.")
    if column.form == "date":
        names = tuple(f"{column.name}.{part}" for part in (*DATE_PARTS, *column.parts))
        return ReadColumn(column.name, column.required, names, (), _date_reader(column), _date_columns(column))
    if column.form == "text":
        names = tuple(f"{column.name}[{place}]" for place in range(column.tokens))
        looks = tuple(f"{column.name}.{part}" for part in column.parts)
        return ReadColumn(column.name, column.required, looks, names, _text_reader(column), _text_columns(column))
    if column.form == "category":
        return ReadColumn(column.name, column.required, (), (column.name,), *_category(column))
    read = _number_reader(column) if column.type == "number" else _boolean_reader(column)
    return ReadColumn(column.name, column.required, (column.name,), (), read, _number_column(column))


def _absent(required: bool) -> None:
    if required:
        raise Fault("be present")


def _number_reader(column: InputColumn) -> Read:
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
        raise Fault(_MUST["number"])
    return float(min(max(value, -LARGEST), LARGEST))


def _boolean_reader(column: InputColumn) -> Read:
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
    raise Fault(_MUST["boolean"])


def _date_reader(column: InputColumn) -> Read:
    name, required, parts = column.name, column.required, column.parts
    unknown = (np.nan,) * (len(DATE_PARTS) + len(parts))

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
        if parts:
            seconds = (moment.hour * 60 + moment.minute) * 60 + moment.second
            numbers.append((seconds * 1_000_000 + moment.microsecond) / MINUTE)

    return read


def _moment(value: Any) -> datetime:
    if value.__class__ is not str:
        raise Fault(_MUST["date"])
    try:
        moment = datetime.fromisoformat(value)
        return moment if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise Fault(_MUST["date"]) from None


def _text_reader(column: InputColumn) -> Read:
    name, required, tokens, parts = column.name, column.required, column.tokens, column.parts

    def read(row: Row, numbers: list[float], texts: list[str]) -> None:
        text = _string(row.get(name), required)
        texts.extend(words(text, tokens))
        if parts:
            numbers.extend(looks(text, parts))

    return read


def _string(value: Any, required: bool) -> str:
    if value.__class__ is str and value:
        return str(value)
    if value is None or value == "" or value != value:  # noqa: PLR0124 - NaN alone differs from itself
        _absent(required)
        return ""
    raise Fault(_MUST["string"])


def _category(column: InputColumn) -> tuple[Read, Whole]:
    name, required, kind = column.name, column.required, column.type

    def read(row: Row, _numbers: list[float], texts: list[str]) -> None:
        value = row.get(name)
        if kind == "string":
            texts.append((value.__class__ is str and value) or _string(value, required) or MISSING)
        else:
            number = (_number if kind == "number" else _boolean)(value, required)
            texts.append(MISSING if number != number else _level(number, kind))  # noqa: PLR0124 - NaN

    def whole(values: NDArray[Any]) -> list[NDArray[Any]]:
        if kind == "string":
            return [objects([text or MISSING for text in _strings(values, name)])]
        floats: Any = np.clip(_floats(values, kind, name), -LARGEST, LARGEST).tolist()
        return [objects([MISSING if value != value else _level(float(value), kind) for value in floats])]  # noqa: PLR0124  NaN

    return read, whole


def _level(value: float, kind: str) -> str:
    if kind == "boolean":
        return "true" if value else "false"
    return str(int(value)) if value == int(value) else repr(float(value))


def _number_column(column: InputColumn) -> Whole:
    def whole(values: NDArray[Any]) -> list[NDArray[Any]]:
        return [np.clip(_floats(values, column.type, column.name), -LARGEST, LARGEST)]

    return whole


def _floats(values: NDArray[Any], kind: str, name: str) -> NDArray[np.float64]:
    if values.dtype == object:
        single = _number if kind == "number" else _boolean
        try:
            return np.array([single(value, False) for value in values], np.float64)
        except Fault as fault:
            raise _wrong(name, fault) from fault
    if values.dtype.kind not in "biuf":
        raise _wrong(name, Fault(_MUST[kind]))
    return values.astype(np.float64)


def _date_columns(column: InputColumn) -> Whole:
    def whole(values: NDArray[Any]) -> list[NDArray[Any]]:
        return _date_parts(values)[: len(DATE_PARTS) + len(column.parts)]

    return whole


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
        (filled - day).astype(np.int64) / MINUTE,
    ]
    return [np.where(missing, np.nan, part) for part in parts]


def _text_columns(column: InputColumn) -> Whole:
    def whole(values: NDArray[Any]) -> list[NDArray[Any]]:
        given = _strings(values, column.name)
        rows = [words(text, column.tokens) for text in given]
        numbers = np.array([looks(text, column.parts) for text in given], np.float64).reshape(len(given), -1)
        return [*numbers.T, *(objects([row[place] for row in rows]) for place in range(column.tokens))]

    return whole


def _strings(values: NDArray[Any], name: str) -> list[str]:
    try:
        return [value if value.__class__ is str else _string(value, False) for value in values.tolist()]
    except Fault as fault:
        raise _wrong(name, fault) from fault


def _wrong(name: str, fault: Fault) -> DataError:
    return DataError(f"Every value of column {name!r} must {fault}.", [name])


def objects(values: list[Any]) -> NDArray[np.object_]:
    """Return a list as an array of objects."""
    array = np.empty(len(values), object)
    array[:] = values
    return array
