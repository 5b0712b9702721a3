"""Rows that a query of a database gives."""

import re
from pathlib import Path
from typing import ClassVar

import pandas as pd
import sqlalchemy as sa

from penstock.data.sources._base import RawTable, Source, check_names, check_rows, setting
from penstock.errors import DataError, SourceUnavailable, SpecError
from penstock.spec import Source as SourceSpec
from penstock.store.workspace import secret


class SqlQuery(Source):
    """A query, sent by SQLAlchemy to the database that `url` names: `env:NAME` for an address with a password.

    The address appears in no record and no message: only the name of the variable that holds it.
    """

    name: ClassVar[str] = "sql_query"

    def read(self, source: SourceSpec, folder: Path) -> RawTable:
        """Send the query, and read every row."""
        query = setting(source, "query")
        frame = _ask(_engine(setting(source, "url"), folder), query)
        check_rows(frame, "The query's result")
        return RawTable(frame, typed=True)

    def describe(self, source: SourceSpec) -> str:
        """Return the kind, the name of the secret, and the query."""
        return f"{self.name} {_shown(source.url or '')} {' '.join((source.query or '').split())}"


def _engine(reference: str, folder: Path) -> sa.Engine:
    try:
        url = sa.make_url(secret(reference))
        if url.password and not reference.startswith("env:"):
            raise SpecError(
                "A project file must not hold a password. Put the whole address into an environment variable, "
                "and write `url: env:NAME`."
            )
        if url.drivername.startswith("sqlite") and url.database and url.database != ":memory:":
            url = url.set(database=str(folder / url.database))
            if not Path(str(url.database)).exists():
                raise SourceUnavailable(f"The database file of {_shown(reference)} must be there, but is not.")
        return sa.create_engine(url)
    except (sa.exc.ArgumentError, sa.exc.NoSuchModuleError, ModuleNotFoundError):
        must = "`source.url` must be a database's address such as 'postgresql+psycopg://host/name'"
        raise SpecError(f"{must}, but {_shown(reference)} is not.") from None  # the cause's text may hold the address


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
    said = str(error.orig).splitlines()[0].rstrip(".") if error.orig else "no reason given"
    if isinstance(error, sa.exc.ProgrammingError) or re.search(r"no such (table|column)|syntax error", said):
        return DataError(f"The database must understand `source.query`, but says: {said}.")
    return SourceUnavailable(
        f"The database must answer, but did not ({type(error.orig).__name__}). Try again, or check its address."
    )


def _shown(reference: str) -> str:
    if reference.startswith("env:"):
        return reference
    try:
        return sa.make_url(reference).render_as_string(hide_password=True)
    except sa.exc.ArgumentError:
        return "an address that is none"
