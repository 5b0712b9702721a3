"""Rows that a query of a database gives."""

import sqlite3
from pathlib import Path
from typing import Any, ClassVar

import pandas as pd
import sqlalchemy as sa

from penstock.data.databases import open_database, reason_of, shown_address
from penstock.data.sources._base import RawTable, Source, check_names, check_rows, setting
from penstock.errors import DataError, SourceUnavailable
from penstock.spec import Source as SourceSpec

AS_WRITTEN = {"no_parameters": True}  # a colon or a percent sign in the query stands for nothing else
WRONG = (sa.exc.ProgrammingError, sa.exc.DataError, sa.exc.NotSupportedError)
WRONG_IN_SQLITE = {sqlite3.SQLITE_ERROR, sqlite3.SQLITE_SCHEMA}  # its class is one for all; it reads a schema first


class SqlQuery(Source):
    """A query, sent by SQLAlchemy to the database that `url` names: `env:NAME` for an address with a password.

    The address appears in no record and no message: only the name of the variable that holds it.
    """

    name: ClassVar[str] = "sql_query"

    def read(self, source: SourceSpec, folder: Path) -> RawTable:
        """Send the query, and read every row."""
        query = setting(source, "query")
        frame = _ask(open_database(setting(source, "url"), folder, "source.url"), query)
        check_rows(frame, "The query's result")
        return RawTable(frame, typed=True)

    def describe(self, source: SourceSpec) -> str:
        """Return the kind, the name of the secret, and the query."""
        return f"{self.name} {shown_address(source.url or '')} {' '.join((source.query or '').split())}"

    def example(self, frame: pd.DataFrame, folder: Path) -> SourceSpec:
        """Write a table of a SQLite database."""
        engine = sa.create_engine(f"sqlite:///{folder / 'example.db'}")
        frame.to_sql("example", engine, index=False)
        engine.dispose()
        return SourceSpec(kind=self.name, url="sqlite:///example.db", query="select * from example")


def _ask(engine: sa.Engine, query: str) -> pd.DataFrame:
    try:
        with engine.connect() as connection:
            result = connection.exec_driver_sql(query, execution_options=AS_WRITTEN)
            names = list(map(str, result.keys()))
            check_names(names, "the query's result")
            rows = result.fetchall()
    except sa.exc.ResourceClosedError:
        raise DataError("`source.query` must give rows, but this statement gives none. Begin it with SELECT.") from None
    except sa.exc.DBAPIError as error:
        raise _translated(error) from None  # the cause's text may hold the address
    finally:
        engine.dispose()
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(names)
    return pd.DataFrame({name: _column(list(values)) for name, values in zip(names, columns, strict=True)})


def _column(values: list[Any]) -> pd.Series:
    """Return values as a column; whole numbers with gaps stay as they are, for floats would round large ones."""
    column = pd.Series(values)
    return pd.Series(values, dtype=object) if column.dtype.kind == "f" and column.isna().any() else column


def _translated(error: sa.exc.DBAPIError) -> DataError:
    """Tell a query that is wrong from a database that does not answer."""
    code = getattr(error.orig, "sqlite_errorcode", 0) & 0xFF  # the rest says which of the kind
    if isinstance(error, WRONG) or code in WRONG_IN_SQLITE:
        return DataError(f"The database must understand `source.query`, but says: {reason_of(error)}.")
    return SourceUnavailable(
        f"The database must answer, but did not ({type(error.orig).__name__}). Try again, or check its address."
    )
