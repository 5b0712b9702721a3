"""Files of rows to predict, read in the types that a version takes."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from penstock.data.canonical import Wishes, to_canonical
from penstock.data.conforming import MUST, coerce
from penstock.data.decoding import shown
from penstock.data.sources._base import RawTable, Source
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
    raw = read_file(path)
    columns = signature.decoding.columns
    types: dict[str, ColumnType] = {column.name: column.type for column in columns}
    if signature.id_column is not None and signature.id_column not in types:
        types[signature.id_column] = "string"
    absent = [column.name for column in columns if column.required and column.name not in raw.frame]
    if absent:
        raise DataError(
            f"The file {path.name!r} must have the columns {', '.join(map(repr, absent))}, which the model uses, "
            "but has them not.",
            [{"row": None, "column": name, "must": "be present", "found": "nothing"} for name in absent],
        )
    kept = raw.frame[[name for name in raw.frame if name in types]]
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
    if not path.is_file():
        raise NotFound(f"The file {str(path)!r} must exist, but does not. Give the path of a CSV or Parquet file.")
    kind = KINDS.get(path.suffix.lower(), "csv_file")
    source = find_plugins("penstock.data.sources", Source)[kind]()
    return source.read(SourceSpec(kind=kind, path=path.name), path.parent.resolve())


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
