"""A row as people send it, or a table, to the arrays that a graph takes; needs numpy alone.

Both ways in give the same arrays for the same values: what a model learns from is what it is asked about.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from penstock.data.readers import MISSING, Fault, Read, ReadColumn, Row, compile_column, objects
from penstock.domain.datasets import Contract
from penstock.domain.features import Decoding, InputColumn
from penstock.errors import DataError

MOST_FAULTS = 20
LONGEST_FOUND = 60

Numbers = NDArray[np.float32]
Texts = NDArray[np.object_]


class Table(Protocol):
    """Columns by name: a mapping of arrays, or a data frame."""

    def __getitem__(self, name: str, /) -> Any:
        """Return a column."""

    def __contains__(self, name: object, /) -> bool:
        """Whether there is a column of the name."""

    def __iter__(self) -> Iterator[Any]:
        """Give the columns' names."""


class RowErrors(DataError):
    """Rows that do not fit; each of `details` has row, column, must and found."""


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
    columns_: tuple[ReadColumn, ...]
    reads: tuple[Read, ...]

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
        except (Fault, AttributeError) as fault:
            raise self._errors(rows) from fault
        shape = (len(rows), len(self.number_names))
        width = (len(rows), len(self.text_names))
        return np.array(numbers, np.float64).astype(np.float32).reshape(shape), objects(texts).reshape(width)

    def columns(self, table: Table) -> tuple[Numbers, Texts]:
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
            except Fault as fault:
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
    columns = tuple(compile_column(column) for column in decoding.columns)
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


def _nothing(column: ReadColumn, count: int) -> list[NDArray[Any]]:
    fill = MISSING if column.texts == (column.name,) else ""
    return [np.full(count, np.nan) for _ in column.numbers] + [np.full(count, fill, object) for _ in column.texts]


def _height(table: Table, arrays: dict[str, NDArray[Any]]) -> int:
    if arrays:
        return len(next(iter(arrays.values())))
    return next((len(table[name]) for name in table), 0)
