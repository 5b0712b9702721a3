"""Become a part of the stack: ``python -m penstock.stack.launch NAME``.

Leaves the process's id and start time in the workspace, ends what an earlier life of the part left behind, and then
becomes the part's own command, so that the record stays true through every restart by the supervisor.
"""

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from importlib.metadata import version

from penstock.domain.workspace import Workspace
from penstock.orchestration.processes import PART_VARIABLE, end, own_processes, worked_on, write_identity
from penstock.orchestration.runs import close_orphaned_runs, hand_back_runs
from penstock.orchestration.server import flow_runs_named, make_pool, wait_for_prefect
from penstock.stack.first_tables import take_tables
from penstock.stack.parts import SUPERVISOR, find_part, record_of
from penstock.stack.supervisor import supervisor_command
from penstock.store.workspace import find_workspace, inherited_environment

UPGRADE = """
from penstock.store.tracking import upgrade_tables
from penstock.store.workspace import find_workspace, mlflow_database_url
upgrade_tables(mlflow_database_url(find_workspace()))
"""  # the address may hold a password, and the arguments of a command are everybody's to read


def main(name: str) -> None:
    """Record this process as a part, prepare what the part needs, and become its command."""
    workspace = find_workspace()
    if name == SUPERVISOR and os.fork():  # it outlives who started it, and nobody has to wait for it
        os._exit(0)
    if os.getpgrp() != os.getpid():  # the supervisor has given each part a group already
        os.setsid()
    write_identity(os.getpid(), record_of(name, workspace))
    if name == SUPERVISOR:
        command, variables = supervisor_command(workspace), {}
    else:
        part = find_part(name)
        command, variables = part.command(workspace), part.environment(workspace)
        stopped = worked_on(workspace) if name == "worker" else set()
        end(own_processes(workspace, name))
        variables |= PREPARATIONS.get(name, _nothing)(workspace, stopped)
    environment = {**inherited_environment(workspace), **variables, PART_VARIABLE: name}
    os.chdir(workspace.home)
    os.execve(command[0], command, environment)  # noqa: S606  the command is ours


def _prepare_prefect(workspace: Workspace, _: set[str]) -> dict[str, str]:
    """Let Prefect begin with the tables of the installation, and wait for no lock of its earlier life.

    The lock of its leases names a process by its number alone, and that may be another's by now, or its own.
    """
    (workspace.home / "prefect" / "concurrency_leases" / "expirations.lock").unlink(missing_ok=True)
    return _take_tables("prefect", workspace)


def _prepare_worker(workspace: Workspace, stopped: set[str]) -> dict[str, str]:
    """Wait for Prefect, and give every flow run that no process stands behind the state it deserves.

    Those whose processes were stopped just now may already be called crashed: by themselves, or by `control`.
    """
    wait_for_prefect(workspace)
    make_pool(workspace)
    hand_back_runs(flow_runs_named(stopped, workspace), workspace)
    close_orphaned_runs(workspace, worker_stands=False)
    return {}


def _prepare_mlflow(workspace: Workspace, _: set[str]) -> dict[str, str]:
    """Let MLflow's SQLite file write ahead, and bring a database that another MLflow wrote to this one's schema."""
    variables = _take_tables("mlflow", workspace)
    path, wrote = workspace.home / "mlflow.db", workspace.parts / "mlflow-version"
    installed = version("mlflow")
    if workspace.database_server is None and path.exists():
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA journal_mode=WAL")
    outdated = wrote.exists() and wrote.read_text() != installed
    if outdated and subprocess.call([sys.executable, "-c", UPGRADE], env=inherited_environment(workspace)) != 0:
        sys.exit("MLflow's database could not be brought to its schema: see above.")
    wrote.write_text(installed)
    return variables


def _take_tables(library: str, workspace: Workspace) -> dict[str, str]:
    """Give a library its first tables, and write how into the part's log before the library takes this process over."""
    taken = take_tables(library, workspace)
    sys.stdout.write(f"{taken.line}\n")
    sys.stdout.flush()
    return taken.variables


def _nothing(_: Workspace, __: set[str]) -> dict[str, str]:
    """Prepare nothing: the part does it itself."""
    return {}


PREPARATIONS = {"prefect": _prepare_prefect, "worker": _prepare_worker, "mlflow": _prepare_mlflow}

if __name__ == "__main__":
    main(sys.argv[1])
