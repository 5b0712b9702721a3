"""Rows of CSV files: every value as text, for `data.types.canonical` to give it a type."""

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, ClassVar, cast

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as arrow_csv

from penstock.data.sources._base import RawTable, ReadWhole, Source, check_names, check_rows, find_files, read_files
from penstock.data.sources._csv_text import LONGEST_LINE, TextFile, look_through, open_bytes
from penstock.domain.datasets import Finding
from penstock.errors import DataError
from penstock.spec import Source as SourceSpec

MOST_LISTED = 20


class CsvFile(Source):
    """CSV files, gzipped or not: comma, semicolon, tab or bar; UTF-8, UTF-16 with a mark, or Windows-1252."""

    name: ClassVar[str] = "csv_file"

    def read(self, source: SourceSpec, folder: Path) -> RawTable:
        """Read every row of every file."""
        return read_files(find_files(source, folder), _read_file)

    def parts(self, source: SourceSpec, folder: Path, rows: int) -> Iterator[RawTable]:
        """Give the rows of one file, a block at a time; those of several at once."""
        files = find_files(source, folder)
        text = look_through(files[0])
        if len(files) > 1 or text.encoding == "utf-16" or text.quotes % 2:
            raise ReadWhole
        check_names(list(text.names), repr(files[0].name))
        try:
            with open_bytes(text.path) as file:
                for batch in arrow_csv.open_csv(_without_mark(file, text), **_options(text, _stop, threads=True)):
                    for start in range(0, batch.num_rows, rows):
                        yield RawTable(_part(pa.Table.from_batches([batch.slice(start, rows)])), typed=False)
        except (pa.ArrowException, OSError, EOFError) as error:
            raise ReadWhole from error

    def describe(self, source: SourceSpec) -> str:
        """Return the kind and the path."""
        return f"{self.name} {source.path}"

    def example(self, frame: pd.DataFrame, folder: Path) -> SourceSpec:
        """Write a CSV file."""
        frame.to_csv(folder / "example.csv", index=False)
        return SourceSpec(kind=self.name, path="example.csv")


def _read_file(path: Path) -> RawTable:
    text = look_through(path)
    check_names(list(text.names), repr(path.name))
    return RawTable(_parse(text), typed=False, notes=_notes(text))


def _parse(text: TextFile) -> pd.DataFrame:
    bad: list[dict[str, Any]] = []
    try:
        table = _read(text, bad, threads=True)
    except pa.ArrowInvalid as error:
        raise _refusal(text, str(error)) from error
    if bad:
        raise _refusal(text, "")
    frame = cast("pd.DataFrame", table.to_pandas())
    check_rows(frame, f"The file {text.path.name!r}")
    _check_quotes(text, table)
    return frame


def _read(text: TextFile, bad: list[dict[str, Any]], *, threads: bool) -> pa.Table:
    def keep(row: Any) -> str:
        bad.append({"row": row.number, "must": row.expected_columns, "found": row.actual_columns})
        return "skip"

    with open_bytes(text.path) as file:
        table = arrow_csv.read_csv(_without_mark(file, text), **_options(text, keep, threads=threads))
    return _unpadded(table)


def _options(text: TextFile, refuse: Callable[[Any], str], *, threads: bool) -> dict[str, Any]:
    """Return how pyarrow reads a file: every value as text; `refuse` is given the rows of another width."""
    return {
        "read_options": arrow_csv.ReadOptions(
            use_threads=threads,
            block_size=8 * LONGEST_LINE,
            column_names=list(text.names),
            skip_rows=text.skip,
            encoding=text.encoding if text.guessed else "utf-8",
        ),
        "parse_options": arrow_csv.ParseOptions(
            delimiter=text.separator, newlines_in_values=text.quotes > 0, invalid_row_handler=refuse
        ),
        "convert_options": arrow_csv.ConvertOptions(
            column_types=dict.fromkeys(text.names, pa.string()), strings_can_be_null=False
        ),
    }


def _stop(row: Any) -> str:
    del row
    return "error"


def _part(table: pa.Table) -> pd.DataFrame:
    """Return a part of a table, whose blanks before values mean the same in every part: there are none."""
    if any(pc.any(pc.starts_with(column, " ")).as_py() for column in table.columns):
        raise ReadWhole
    return cast("pd.DataFrame", _unpadded(table).to_pandas())


def _without_mark(file: IO[bytes], text: TextFile) -> IO[bytes]:
    if text.encoding == "utf-8-sig":
        file.read(3)
    elif text.encoding == "utf-16":
        return io.BytesIO(file.read().decode("utf-16").encode())
    return file


def _unpadded(table: pa.Table) -> pa.Table:
    """Make blank values null, and take off blanks that stand before every value of a column.

    Blanks before every value belong to a separator of ", "; others are part of the value.
    """
    columns = []
    for column in table.columns:
        trimmed = pc.utf8_trim_whitespace(column)
        filled = pc.not_equal(trimmed, "")
        padded = pc.and_(filled, pc.starts_with(column, " "))
        every = pc.sum(filled).as_py() or 0
        kept = trimmed if every and (pc.sum(padded).as_py() or 0) == every else column
        columns.append(pc.if_else(filled, kept, pa.scalar(None, pa.string())))
    return pa.table(columns, names=table.column_names)


def _refusal(text: TextFile, reason: str) -> DataError:
    """Parse again in one thread, which numbers the rows, and say which do not fit."""
    bad: list[dict[str, Any]] = []
    try:
        _read(text, bad, threads=False)
    except pa.ArrowInvalid as error:
        reason = str(error)
    name = text.path.name
    if not bad:
        return DataError(
            f"The file {name!r} must be a table with the separator {text.separator!r}, but: {reason.rstrip('.')}."
        )
    first = bad[0]
    row = f"row {first['row']}" if first["row"] is not None else "a row"
    message = (
        f"Every row of {name!r} must have {first['must']} values, as its first line has, but {row} has {first['found']}"
        f" ({len(bad)} such rows). A value that holds {text.separator!r} must stand in quotes."
    )
    return DataError(message, bad[:MOST_LISTED])


def _check_quotes(text: TextFile, table: pa.Table) -> None:
    """Refuse a file whose last value swallowed the rows after a quote that never closes."""
    if text.quotes % 2 == 0:
        return
    last = [column[-1].as_py() or "" for column in table.columns]
    if any("\n" in value or "\r" in value for value in last):
        raise DataError(f"Every quote in {text.path.name!r} must close, but one before row {table.num_rows} does not.")


def _notes(text: TextFile) -> tuple[Finding, ...]:
    if not text.guessed:
        return ()
    shown = {"cp1252": "Windows-1252", "latin-1": "Latin-1"}[text.encoding]
    message = f"The file {text.path.name!r} is not UTF-8; it was read as {shown}. Letters beyond A to Z may be wrong."
    return (Finding("encoding", "warning", (), message),)
