"""The tables that Prefect and MLflow begin with, made once at installation: ``python -m penstock.stack.first_tables``.

In an empty workspace each of the two makes its tables by going through all the schemas that it ever had, which is half
of what the first `penstock up` does, and Prefect writes the kinds of blocks it knows into them. Made beforehand, they
are a file that is copied.
"""

import shutil
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

from penstock.domain.workspace import Workspace
from penstock.store.tracking import make_tables
from penstock.store.workspace import make_folders, mlflow_database_url, use_environment

MADE = Path(sys.prefix, "share", "penstock", "first-tables-2")  # beside the libraries; 2 since blocks are in Prefect's
LIBRARIES = ("prefect", "mlflow")
FILLED = {"prefect": {"PREFECT_SERVER_REGISTER_BLOCKS_ON_START": "false"}}  # what a start need not do in copied tables


@dataclass(frozen=True, slots=True)
class Taken:
    """What came of a library's first tables: in a line, and the variables that its first start is given."""

    line: str
    variables: dict[str, str] = field(default_factory=dict)


def ready_tables(library: str) -> Path:
    """Return where the first tables of the installed version of a library lie, once they are made."""
    return MADE / f"{library}-{version(library)}.db"


def take_tables(library: str, workspace: Workspace) -> Taken:
    """Give a library its tables in a workspace in which it has none, and return what was done.

    They are put in place whole, so that a kill leaves all of them or none. What is there stays as it is; a PostgreSQL
    server is left to the library.
    """
    path, ready = workspace.home / f"{library}.db", ready_tables(library)
    if workspace.database_server is not None:
        return Taken(f"{library} keeps its tables on the PostgreSQL server.")
    if any(path.parent.glob(f"{path.name}*")):
        return Taken(f"{library} has its tables.")
    if not ready.exists():
        return Taken(f"{library} makes its tables itself, for {ready} is not there: the installation made none.")
    draft = path.with_name(f"draft-{path.name}")
    shutil.copyfile(ready, draft)
    draft.replace(path)
    return Taken(f"{library} begins with a copy of the tables in {ready}.", FILLED.get(library, {}))


def make_all() -> None:
    """Make the tables of both libraries, and put them where every workspace of this installation finds them.

    It sets this process's environment up, so nothing else should be done in it.

    Raises
    ------
    subprocess.CalledProcessError
        If Prefect could not make its own.
    """
    with tempfile.TemporaryDirectory() as folder:
        workspace = Workspace(home=Path(folder), app=Path(folder))
        make_folders(workspace)
        use_environment(workspace)
        command = [sys.executable, "-m", "penstock.orchestration.prefect_tables"]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as prefect:
            make_tables(mlflow_database_url(workspace))
        if prefect.returncode:
            raise subprocess.CalledProcessError(prefect.returncode, command)
        shutil.rmtree(MADE, ignore_errors=True)
        MADE.mkdir(parents=True)
        for library in LIBRARIES:
            _put(workspace.home / f"{library}.db", ready_tables(library))


def _put(made: Path, ready: Path) -> None:
    """Put a database in place as one file."""
    with closing(sqlite3.connect(made)) as connection:
        connection.execute("PRAGMA journal_mode=DELETE")
    draft = ready.with_suffix(".draft")
    shutil.copyfile(made, draft)
    draft.replace(ready)


if __name__ == "__main__":
    make_all()
