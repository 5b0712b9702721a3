"""Where predictions of a table are written, a part at a time: a file, or a table of a database; whole or not at all."""

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import sqlalchemy as sa

from penstock.data.databases import open_database, reason_of, shown_address
from penstock.errors import DataError, SpecError

FORMATS = (".csv", ".parquet")
TABLE = re.compile(r"(?:[A-Za-z_]\w*\.)?[A-Za-z_]\w*")


@dataclass(frozen=True, slots=True)
class FileOutput:
    """A CSV or Parquet file; one that is there is replaced."""

    path: Path

    def write(self, parts: Iterable[pd.DataFrame]) -> int:
        """Write every part, and return how many rows there were."""
        temporary = self.path.with_name(f".{self.path.name}.{os.getpid()}")
        fill = _fill_csv if self.path.suffix.lower() == ".csv" else _fill_parquet
        try:
            rows = fill(parts, temporary)
            temporary.replace(self.path)
        except OSError as error:
            raise DataError(f"The file {str(self.path)!r} must be writable, but: {error.strerror}.") from error
        finally:
            temporary.unlink(missing_ok=True)
        return rows


@dataclass(frozen=True, slots=True)
class TableOutput:
    """A table of a database: made if it is not there, else its rows are replaced in one transaction."""

    address: str
    table: str
    folder: Path

    def write(self, parts: Iterable[pd.DataFrame]) -> int:
        """Write every part, and return how many rows there were."""
        engine = open_database(self.address, self.folder, "output", there=False)
        made = False
        try:
            made = not sa.inspect(engine).has_table(self._name, schema=self._schema)
            with engine.begin() as connection:
                rows = self._fill(connection, parts, made=made)
            made = False
        except sa.exc.SQLAlchemyError as error:
            raise DataError(
                f"The database {shown_address(self.address)} must take the rows of {self.table!r}, but says: "
                f"{reason_of(error)}."
            ) from None  # the cause's text may hold the address
        finally:
            if made:  # and not filled: SQLite keeps a table that was made in a transaction that failed
                self._drop(engine)
            engine.dispose()
        return rows

    def _fill(self, connection: sa.Connection, parts: Iterable[pd.DataFrame], *, made: bool) -> int:
        rows = 0
        for part in parts:
            if rows == 0 and not made:
                self._empty(connection, [str(name) for name in part])
            part.to_sql(self._name, connection, schema=self._schema, if_exists="append", index=False)
            rows += len(part)
        return rows

    def _empty(self, connection: sa.Connection, columns: list[str]) -> None:
        """Take out the rows of a table that holds predictions; one with other columns is somebody else's."""
        there = [str(column["name"]) for column in sa.inspect(connection).get_columns(self._name, self._schema)]
        if set(there) != set(columns):
            raise SpecError(
                f"The table {self.table!r} must have the columns {', '.join(columns)}, for its rows are replaced, but "
                f"has {', '.join(there)}. Name another table; one that is not there is made."
            )
        connection.execute(sa.delete(sa.table(self._name, schema=self._schema)))

    def _drop(self, engine: sa.Engine) -> None:
        sa.Table(self._name, sa.MetaData(), schema=self._schema).drop(engine, checkfirst=True)

    @property
    def _name(self) -> str:
        return self.table.rpartition(".")[2]

    @property
    def _schema(self) -> str | None:
        return self.table.rpartition(".")[0] or None


def is_database(output: str) -> bool:
    """Return whether an output is meant as an address and a table, and not as a file."""
    return output.startswith("env:") or "://" in output


def output_of(output: str, folder: Path) -> FileOutput | TableOutput:
    """Return where an output is.

    Parameters
    ----------
    output
        A `.csv` or `.parquet` file, or ``ADDRESS#TABLE``: the address of a database, or ``env:NAME`` for one with a
        password, and the name of a table in it.
    folder
        Where relative paths start.

    Raises
    ------
    SpecError
        If the name says no format, or no table.
    """
    if is_database(output):
        address, _, table = output.rpartition("#")
        if not address or not TABLE.fullmatch(table):
            raise SpecError(
                "An output in a database must be its address, # and the name of a table, such as env:WAREHOUSE#scores, "
                f"but is {shown_address(address or output)!r}{f' and the table {table!r}' if address else ''}."
            )
        return TableOutput(address, table, folder)
    path = folder / output
    if path.suffix.lower() not in FORMATS:
        raise SpecError(
            "The output must be named .csv or .parquet, or be a database's address, # and a table, "
            f"but is {path.name!r}."
        )
    return FileOutput(path)


def _fill_csv(parts: Iterable[pd.DataFrame], path: Path) -> int:
    rows = 0
    with path.open("w", encoding="utf-8", newline="") as file:
        for part in parts:
            part.to_csv(file, index=False, header=rows == 0)
            rows += len(part)
    return rows


def _fill_parquet(parts: Iterable[pd.DataFrame], path: Path) -> int:
    rows = 0
    writer: pq.ParquetWriter | None = None
    try:
        for part in parts:
            table = pa.Table.from_pandas(part, schema=writer and writer.schema, preserve_index=False)
            writer = writer or pq.ParquetWriter(path, table.schema)
            writer.write_table(table)
            rows += len(part)
    finally:
        if writer is not None:
            writer.close()
    return rows
