"""Databases that people name: by an address, or by the environment variable that holds one with a password."""

import re
from pathlib import Path

import sqlalchemy as sa

from penstock.errors import SourceUnavailable, SpecError
from penstock.store.workspace import secret

SECRETS = re.compile(r"passw|passphrase|pwd|token|secret|credential|(api|access|private)_?key|odbc_connect", re.I)


def open_database(reference: str, folder: Path, setting: str, *, there: bool = True) -> sa.Engine:
    """Return an engine for a database; its address appears in no message.

    Parameters
    ----------
    reference
        A database's address, or ``env:NAME`` for one in an environment variable.
    folder
        Where the relative path of a database file starts.
    setting
        What the address was given as, for messages.
    there
        A database file must exist already.

    Raises
    ------
    SpecError
        If it is no address, holds a password or another secret, or its variable is not set.
    SourceUnavailable
        If the database file is not there.
    """
    try:
        url = sa.make_url(secret(reference))
        if not reference.startswith("env:") and (url.password or any(map(SECRETS.search, url.query))):
            raise SpecError(
                "A project file must not hold a password or another secret, nor must a command or a schedule. Put the "
                "whole address into an environment variable, and write `env:NAME` in its place."
            )
        if url.drivername.startswith("sqlite") and url.database and url.database != ":memory:":
            url = url.set(database=str(folder / url.database))
            if there and not Path(str(url.database)).exists():
                raise SourceUnavailable(f"The database file of {shown_address(reference)} must be there, but is not.")
        return sa.create_engine(url)
    except (ValueError, sa.exc.ArgumentError, sa.exc.NoSuchModuleError, ModuleNotFoundError):  # a port that is none
        must = f"`{setting}` must be a database's address such as 'postgresql+psycopg://host/name'"
        raise SpecError(f"{must}, but {shown_address(reference)} is not.") from None  # the cause may hold the address


def shown_address(reference: str) -> str:
    """Return what may be said of a database: the variable's name, or the address without its password and options."""
    if reference.startswith("env:"):
        return reference
    try:
        return sa.make_url(reference).set(query={}).render_as_string(hide_password=True)
    except (ValueError, sa.exc.ArgumentError):
        return "an address that is none"


def reason_of(error: sa.exc.SQLAlchemyError) -> str:
    """Return the first line of what a database says of an error."""
    orig = getattr(error, "orig", None)
    return str(orig).splitlines()[0].rstrip(".") if orig and str(orig) else "no reason given"
