"""Files of rows to predict, read in the types that a version takes."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from penstock.data.decoding import shown
from penstock.data.sources._base import RawTable, ReadWhole, Source
from penstock.data.types.canonical import Wishes, to_canonical
from penstock.data.types.conforming import MUST, coerce
from penstock.domain.datasets import ColumnType
from penstock.domain.models import Signature
from penstock.errors import DataError, NotFound
from penstock.plugins import find_plugins
from penstock.spec import Source as SourceSpec

KINDS = {".parquet": "parquet_file", ".pq": "parquet_file"}  # any other name is CSV
MOST_LISTED = 20


def read_rows(path: Path, signature: Signature) -> pd.DataFrame:
    """Read a file in canonical types: those of the version's columns, and text for the id column.

    Parameters
    ----------
    path
        A CSV or Parquet file.
    signature
        What the version takes.

    Returns
    -------
    DataFrame
        Shape (n_rows, n_columns): the columns that the version uses, and its id column if there is one.

    Raises
    ------
    DataError
        If a required column is absent, or values do not fit; `details` have row, column, must and found.
    """
    return _in_types(read_file(path), path.name, signature)


def read_parts(path: Path, signature: Signature, rows: int) -> Iterator[pd.DataFrame]:
    """Give the rows of a file as `read_rows` does, a part at a time, their places in the file as index.

    Parameters
    ----------
    path
        A CSV or Parquet file.
    signature
        What the version takes.
    rows
        At most so many in a part.

    Raises
    ------
    ReadWhole
        If only the whole file tells what a text in it means, such as a date with day and month in figures; or if
        something is wrong with it, which `read_rows` then says.
    """
    source, spec = _source_of(path)
    types, place = _types_of(signature), 0
    for raw in source.parts(spec, path.parent.resolve(), rows):
        if any(_needs_the_rest(raw.frame[name], kind) for name, kind in types.items() if name in raw.frame):
            raise ReadWhole
        try:
            frame = _in_types(raw, path.name, signature)
        except DataError as error:
            raise ReadWhole from error
        frame.index = pd.RangeIndex(place, place + len(frame))
        place += len(frame)
        yield frame
    if place == 0:
        raise ReadWhole


def _needs_the_rest(values: pd.Series, kind: ColumnType) -> bool:
    """Whether the other rows of a column decide what the values of a part are read as."""
    if values.isna().all():
        return False
    if isinstance(values.dtype, pd.CategoricalDtype) or values.dtype.kind == "f":
        return kind == "string"  # 7.0 is "7" where every number is whole
    if not pd.api.types.is_string_dtype(values):
        kinds = ("boolean", "date", "datetime")
        return values.dtype.kind == "O" and pd.api.types.infer_dtype(values, skipna=True) not in kinds
    return kind != "string" and _may_mean_more(values.dropna().str.strip(), kind)


def _may_mean_more(texts: pd.Series, kind: ColumnType) -> bool:
    """Whether texts may be read in more than one way, or are not what they are to be."""
    if kind == "number":
        return bool(texts.str.contains(",", regex=False).any())
    if kind == "date":
        return not bool(texts.str.match(r"\d{4}-\d{2}-\d{2}").all())
    return not bool(texts.str.lower().isin(["true", "false"]).all())


def _types_of(signature: Signature) -> dict[str, ColumnType]:
    types: dict[str, ColumnType] = {column.name: column.type for column in signature.decoding.columns}
    if signature.id_column is not None and signature.id_column not in types:
        types[signature.id_column] = "string"
    return types


def _in_types(raw: RawTable, name: str, signature: Signature) -> pd.DataFrame:
    columns, types = signature.decoding.columns, _types_of(signature)
    absent = [column.name for column in columns if column.required and column.name not in raw.frame]
    if absent:
        raise DataError(
            f"The file {name!r} must have the columns {', '.join(map(repr, absent))}, which the model uses, "
            "but has them not.",
            [{"row": None, "column": each, "must": "be present", "found": "nothing"} for each in absent],
        )
    kept = raw.frame[[each for each in raw.frame if each in types]]
    canonical = to_canonical(RawTable(kept, raw.typed), Wishes(types=types, settled=True))
    frame, faults = _coerced(canonical.frame, types)
    required = [column.name for column in columns if column.required]
    faults = [*_unreadable(canonical.unreadable, types), *faults, *_missing(frame, required)]
    if faults:
        first = faults[0]
        more = f" {len(faults) - 1} more values do not fit." if len(faults) > 1 else ""
        message = (
            f"Column {first['column']!r} of row {first['row']} must {first['must']}, but is {first['found']}.{more}"
        )
        raise DataError(message, faults[:MOST_LISTED])
    return frame


def read_file(path: Path) -> RawTable:
    """Read a CSV or Parquet file as its source reads it.

    Raises
    ------
    NotFound
        If there is no such file.
    """
    source, spec = _source_of(path)
    return source.read(spec, path.parent.resolve())


def _source_of(path: Path) -> tuple[Source, SourceSpec]:
    if not path.is_file():
        raise NotFound(f"The file {str(path)!r} must exist, but does not. Give the path of a CSV or Parquet file.")
    kind = KINDS.get(path.suffix.lower(), "csv_file")
    return find_plugins("penstock.data.sources", Source)[kind](), SourceSpec(kind=kind, path=path.name)


def _coerced(frame: pd.DataFrame, types: dict[str, ColumnType]) -> tuple[pd.DataFrame, list[dict[str, Any]]]:
    columns, faults = {}, []
    for name in map(str, frame):
        values, bad = coerce(frame[name], types[name])
        columns[name] = values
        faults += [_fault(row, name, types[name], frame[name].iloc[row]) for row in np.flatnonzero(bad)[:MOST_LISTED]]
    return pd.DataFrame(columns), faults


def _unreadable(cells: pd.DataFrame, types: dict[str, ColumnType]) -> list[dict[str, Any]]:
    return [
        _fault(int(row), column, types[column], text)
        for row, column, text in cells.head(MOST_LISTED).itertuples(index=False, name=None)
    ]


def _missing(frame: pd.DataFrame, required: list[str]) -> list[dict[str, Any]]:
    return [
        {"row": int(row), "column": name, "must": "be present", "found": "nothing"}
        for name in required
        for row in np.flatnonzero(frame[name].isna())[:MOST_LISTED]
    ]


def _fault(row: int, column: str, kind: ColumnType, found: object) -> dict[str, Any]:
    return {"row": int(row), "column": column, "must": MUST[kind], "found": shown(str(found))}
