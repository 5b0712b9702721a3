"""Rows of Parquet files, in the types that they keep."""

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from penstock.data.sources._base import (
    NoRows,
    RawTable,
    ReadWhole,
    Source,
    check_names,
    check_rows,
    find_files,
    read_files,
)
from penstock.errors import DataError, SourceUnavailable
from penstock.spec import Source as SourceSpec

WHOLE_NUMBERS = {pa.int64(): pd.Int64Dtype(), pa.uint64(): pd.UInt64Dtype()}  # with gaps, floats would round them


class ParquetFile(Source):
    """Parquet files; the kinds of values that no model takes are named by `data.types.canonical`."""

    name: ClassVar[str] = "parquet_file"

    def read(self, source: SourceSpec, folder: Path) -> RawTable:
        """Read every row of every file."""
        return read_files(find_files(source, folder), _read)

    def parts(self, source: SourceSpec, folder: Path, rows: int) -> Iterator[RawTable]:
        """Give the rows of one file, a batch at a time; those of several at once."""
        files = find_files(source, folder)
        if len(files) > 1:
            yield self.read(source, folder)
            return
        try:
            with pq.ParquetFile(files[0]) as file:
                check_names(list(file.schema_arrow.names), repr(files[0].name))
                for batch in file.iter_batches(rows):
                    yield RawTable(_frame(pa.Table.from_batches([batch])), typed=True)
        except (pa.ArrowException, OSError) as error:
            raise ReadWhole from error

    def describe(self, source: SourceSpec) -> str:
        """Return the kind and the path."""
        return f"{self.name} {source.path}"

    def example(self, frame: pd.DataFrame, folder: Path) -> SourceSpec:
        """Write a Parquet file."""
        frame.to_parquet(folder / "example.parquet")
        return SourceSpec(kind=self.name, path="example.parquet")


def _read(path: Path) -> RawTable:
    try:
        if path.stat().st_size == 0:
            raise NoRows(f"The file {path.name!r} must hold a table, but is empty.")
        table = pq.ParquetFile(path).read()
    except pa.ArrowInvalid as error:
        raise DataError(f"The file {path.name!r} must be Parquet, but: {str(error).rstrip('.')}.") from error
    except OSError as error:
        raise SourceUnavailable(f"The file {str(path)!r} must be readable, but: {error}.") from error
    check_names(list(table.column_names), repr(path.name))
    frame = _frame(table)
    check_rows(frame, f"The file {path.name!r}")
    return RawTable(frame, typed=True)


def _frame(table: pa.Table) -> pd.DataFrame:
    return pd.DataFrame(table.to_pandas(ignore_metadata=True, types_mapper=WHOLE_NUMBERS.get))
