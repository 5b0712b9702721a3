"""Rows that a query of a database gives."""

import re
from pathlib import Path
from typing import ClassVar

import pandas as pd
import sqlalchemy as sa

from penstock.data.databases import open_database, reason_of, shown_address
from penstock.data.sources._base import RawTable, Source, check_names, check_rows, setting
from penstock.errors import DataError, SourceUnavailable
from penstock.spec import Source as SourceSpec


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


def _ask(engine: sa.Engine, query: str) -> pd.DataFrame:
    try:
        with engine.connect() as connection:
            result = connection.execute(sa.text(query))
            names = list(map(str, result.keys()))
            check_names(names, "the query's result")
            rows = result.fetchall()
    except sa.exc.ResourceClosedError:
        raise DataError("`source.query` must give rows, but this statement gives none. Begin it with SELECT.") from None
    except (sa.exc.ProgrammingError, sa.exc.OperationalError, sa.exc.DBAPIError) as error:
        raise _translated(error) from None  # the cause's text may hold the address
    finally:
        engine.dispose()
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(names)
    return pd.DataFrame({name: pd.Series(list(values)) for name, values in zip(names, columns, strict=True)})


def _translated(error: sa.exc.DBAPIError) -> DataError:
    """Tell a query that is wrong from a database that does not answer."""
    said = reason_of(error)
    if isinstance(error, sa.exc.ProgrammingError) or re.search(r"no such (table|column)|syntax error", said):
        return DataError(f"The database must understand `source.query`, but says: {said}.")
    return SourceUnavailable(
        f"The database must answer, but did not ({type(error.orig).__name__}). Try again, or check its address."
    )
