"""The doctor: examine the machine and the workspace, and say what to do."""

import os
import time

from penstock.domain.workspace import Workspace
from penstock.errors import PenstockError
from penstock.orchestration.heartbeat import read_beat
from penstock.orchestration.processes import own_processes
from penstock.orchestration.server import call, prefect_answers
from penstock.stack.checks import Check, judged
from penstock.stack.machine_checks import machine_checks
from penstock.stack.parts import log_of
from penstock.stack.state import status
from penstock.stack.supervisor import recorded_supervisor
from penstock.store.leases import held_leases, leases_elsewhere

SLOW_SECONDS = 120.0
PRIVATE = 0o077  # what others may do


def examine(workspace: Workspace) -> list[Check]:
    """Examine the machine and the workspace; change nothing.

    Parameters
    ----------
    workspace
        Which one; it need not be there.

    Returns
    -------
    list of Check
        Each with what was found and, where something is wrong, what to do.
    """
    checks = machine_checks(workspace)
    if not workspace.home.is_dir():
        return [*checks, Check("workspace", "ok", f"{workspace.home} is not there yet", "`penstock up` makes it.")]
    return [
        *checks,
        _permissions(workspace),
        *_database(workspace),
        *_stack(workspace),
        *_schedules(workspace),
    ]


def _permissions(workspace: Workspace) -> Check:
    if not os.access(workspace.home, os.W_OK | os.X_OK):
        return Check("workspace", "failed", f"{workspace.home} cannot be written", "Give it to this user.")
    open_to_others = workspace.secrets.exists() and workspace.secrets.stat().st_mode & PRIVATE
    found = f"{workspace.home}, {'keys open to others' if open_to_others else 'keys private'}"
    return judged(
        "workspace", found, good=not open_to_others, advice=f"chmod 700 {workspace.secrets}", otherwise="failed"
    )


def _database(workspace: Workspace) -> list[Check]:
    from penstock.store import schema, tables

    if workspace.database_server is None and not (workspace.home / "penstock.db").exists():
        return [Check("database", "ok", "not there yet", "`penstock up` makes it.")]
    try:
        found, newest = schema.revision(workspace), tables.REVISION
    except PenstockError as error:
        return [Check("database", "failed", "does not answer", error.message)]
    good = found == newest
    revision = judged("database", f"revision {found}", good=good, advice=f"`penstock up` brings it to {newest}.")
    return [revision, *([_leases(workspace)] if good else [])]


def _leases(workspace: Workspace) -> Check:
    dead = [f"{name} (pid {pid})" for name, pid, lives in held_leases(workspace) if not lives]
    found = f"held by processes that are gone: {', '.join(dead)}" if dead else "none whose holder is gone"
    if far := [f"{name} by {host}" for name, host in leases_elsewhere(workspace)]:
        found += f"; held on other machines, and judged there alone: {', '.join(far)}"
    advice = "Nothing is lost: whoever wants one takes it over, and `control` frees the others."
    return judged("leases", found, good=not dead, advice=advice)


def _stack(workspace: Workspace) -> list[Check]:
    states = {part.name: part.state for part in status(workspace)}
    failed = [name for name, state in states.items() if state == "failed"]
    found = ", ".join(f"{name} {state}" for name, state in states.items())
    advice = f"Read {', '.join(str(workspace.logs / f'{name}.log') for name in failed)}, then `penstock up`."
    orphans = [] if recorded_supervisor(workspace) else own_processes(workspace)
    left = ", ".join(f"pid {process.pid}" for process in orphans) or "none"
    return [
        judged("stack", found, good=not failed, advice=advice, otherwise="failed"),
        *([_control(workspace)] if states.get("control") == "running" else []),
        judged("orphans", left, good=not orphans, advice="`penstock down` ends them, `penstock up` replaces them."),
    ]


def _control(workspace: Workspace) -> Check:
    beat = read_beat(workspace)
    failing = dict(beat.errors) if beat else {}
    slow = [name for name, at in (beat.lanes if beat else {}).items() if time.time() - at > SLOW_SECONDS]
    said = [f"{name}: {error}" for name, error in failing.items()]
    said += [f"the jobs of {name} have not come to their end for {SLOW_SECONDS:.0f} s" for name in slow]
    advice = f"They are tried again every two seconds; {log_of('control', workspace)} says more."
    return judged("control", "; ".join(said) or "every job went well", good=not said, advice=advice)


def _schedules(workspace: Workspace) -> list[Check]:
    if not prefect_answers(workspace):
        return []
    deployments = call("POST", "/deployments/filter", workspace, {"limit": 200})
    active = {each["id"]: each["name"] for each in deployments if any(one["active"] for one in each["schedules"])}
    silent = [name for key, name in active.items() if not _coming(key, workspace)]
    found = f"{len(active)} active" + (f", none coming of {', '.join(silent)}" if silent else "")
    advice = "A new schedule's flow runs appear within a minute; later than that, read prefect.log."
    return [judged("schedules", found, good=not silent, advice=advice)]


def _coming(deployment: str, workspace: Workspace) -> int:
    question = {
        "deployments": {"id": {"any_": [deployment]}},
        "flow_runs": {"state": {"type": {"any_": ["SCHEDULED"]}}},
    }
    return int(call("POST", "/flow_runs/count", workspace, question))
