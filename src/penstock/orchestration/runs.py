"""Close, hand back and start flow runs; say which process works on one."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from penstock.domain.workspace import Workspace
from penstock.orchestration.claims import beginning, claim_run, drop_claim, find_claim, living_claims, somebody_begins
from penstock.orchestration.processes import worked_on
from penstock.orchestration.server import TAG, call, flow_runs_in, flow_runs_named, set_state
from penstock.store.leases import Holder, hold_lease

FINAL = {"COMPLETED", "FAILED", "CANCELLED"}  # a run that Prefect calls crashed may be handed back
GONE = "Its process is gone."
STOPPED = "The stack was stopped."

log = logging.getLogger("penstock.orchestration")


def close_orphaned_runs(workspace: Workspace, *, worker_stands: bool = True) -> list[str]:
    """Close flow runs that no process stands behind: a running one has crashed, a cancelling one is cancelled.

    Parameters
    ----------
    workspace
        Whose flow runs.
    worker_stands
        Whether a worker is at work, which may be about to start a process for a pending flow run. Without one a
        pending flow run is handed back.

    Returns
    -------
    list of str
        The names of the closed flow runs.

    Raises
    ------
    SourceUnavailable
        If Prefect does not answer.
    """
    types = ["RUNNING", "CANCELLING"] if worker_stands else ["RUNNING", "CANCELLING", "PENDING"]
    found = flow_runs_in(types, workspace)
    if not found:
        return []
    busy, begun = worked_on(workspace) | set(living_claims(workspace)), somebody_begins(workspace)
    closed = []
    for run in found:
        unknown = run["deployment_id"] is None and find_claim(run["id"], workspace) is None
        if run["id"] in busy or (unknown and begun):
            continue
        if [now["state_type"] for now in flow_runs_named([run["id"]], workspace)] != [run["state_type"]]:
            continue  # it was handed back meanwhile, or ended, or somebody deleted it
        set_state(run["id"], _end_of(run), workspace)
        drop_claim(run["id"], workspace)
        closed.append(str(run["name"]))
    return closed


def _end_of(run: dict[str, Any]) -> dict[str, Any]:
    if run["state_type"] == "PENDING" and run["deployment_id"] is not None:
        return _awaiting(GONE)
    name = "Cancelled" if run["state_type"] == "CANCELLING" else "Crashed"
    return {"type": name.upper(), "name": name, "message": GONE}


def _awaiting(message: str) -> dict[str, Any]:
    details = {"scheduled_time": datetime.now(UTC).isoformat()}
    return {"type": "SCHEDULED", "name": "AwaitingRetry", "message": message, "state_details": details}


def active_runs(workspace: Workspace) -> list[dict[str, Any]]:
    """Return our flow runs that are being worked on."""
    return flow_runs_in(["RUNNING", "PENDING", "CANCELLING"], workspace)


def hand_back_runs(active: list[dict[str, Any]], workspace: Workspace) -> list[str]:
    """Hand back flow runs whose processes were stopped: a worker takes them up again, with all that they had done.

    A flow run that the command line began has nobody to take it up, and is cancelled.

    Parameters
    ----------
    active
        The flow runs that the processes were at work on, as Prefect said before or says by now.
    workspace
        Whose flow runs.

    Returns
    -------
    list of str
        The names of the flow runs that were handed back.
    """
    handed_back = []
    for run in active:
        drop_claim(run["id"], workspace)
        if call("GET", f"/flow_runs/{run['id']}", workspace)["state_type"] in FINAL:
            continue
        if run["state_type"] == "CANCELLING" or run["deployment_id"] is None:
            set_state(run["id"], {"type": "CANCELLED", "name": "Cancelled", "message": STOPPED}, workspace)
        else:
            set_state(run["id"], _awaiting(STOPPED), workspace)
            handed_back.append(str(run["name"]))
    return handed_back


def start_run(deployment: str, parameters: dict[str, Any], workspace: Workspace, key: str | None = None) -> str:
    """Start a flow run of a deployment and return its id; the same key gives the run that was started first.

    Parameters
    ----------
    deployment
        Its name, such as ``train``; the flow has the same name.
    parameters
        The flow's arguments: names and numbers.
    workspace
        Whose Prefect.
    key
        What makes this start the same as another one, such as a decision's id.

    Raises
    ------
    NotFound
        If there is no such deployment.
    """
    found = call("GET", f"/deployments/name/{deployment}/{deployment}", workspace)
    body = {"parameters": parameters, "idempotency_key": key, "state": {"type": "SCHEDULED"}, "tags": [TAG]}
    run = call("POST", f"/deployments/{found['id']}/create_flow_run", workspace, body)
    return str(run["id"])


@contextmanager
def claimed(workspace: Workspace) -> Iterator[None]:
    """Say that this process works on the current flow run while the block runs; outside of one, say nothing."""
    flow_run_id = current_run()
    if flow_run_id is None:
        yield
        return
    claim_run(flow_run_id, workspace)
    try:
        yield
    finally:
        drop_claim(flow_run_id, workspace)


@contextmanager
def leased(name: str, workspace: Workspace) -> Iterator[None]:
    """Hold a lease such as ``train:churn`` while the block runs, waiting for a living holder, whoever started it.

    However long that takes: a decision that was claimed is done, also if it had to wait.
    """

    def waiting(holder: Holder) -> None:
        log.warning(
            "Waiting: process %d on %s has held the lease %s since %s; this flow run goes on when that one ends.",
            holder.pid,
            holder.host,
            name,
            f"{holder.taken_at:%Y-%m-%d %H:%M:%S} UTC",
        )

    with hold_lease(name, workspace, waiting=waiting):
        yield


def name_run(name: str) -> None:
    """Name the current flow run; outside of one, do nothing."""
    from prefect.client.orchestration import get_client

    flow_run_id = current_run()
    if flow_run_id is not None:
        with get_client(sync_client=True) as client:
            client.update_flow_run(UUID(flow_run_id), name=name)


def run_link(workspace: Workspace) -> str:
    """Return the page of the current flow run in Prefect's UI, empty outside of one."""
    flow_run_id = current_run()
    return f"{workspace.prefect_url}/runs/flow-run/{flow_run_id}" if flow_run_id else ""


def current_run() -> str | None:
    """Return the id of the current flow run, None outside of one."""
    from prefect.context import FlowRunContext

    context = FlowRunContext.get()
    return str(context.flow_run.id) if context is not None and context.flow_run is not None else None


@contextmanager
def running_in_process(workspace: Workspace, *, verbose: bool = False) -> Iterator[None]:
    """Run flows in this process against the stack's Prefect, without the second that a heartbeat costs.

    Closes the flow runs of earlier processes that were killed.

    Parameters
    ----------
    workspace
        Whose Prefect; its variables must be in this process's environment.
    verbose
        Whether Prefect's own lines reach standard error.
    """
    from prefect import tags
    from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings

    for name in close_orphaned_runs(workspace):
        log.warning("Closed flow run %s: its process is gone.", name)
    beatless = temporary_settings(updates={PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None})
    with beginning(workspace), beatless, tags(TAG), nullcontext() if verbose else _quiet_console():
        yield


@contextmanager
def _quiet_console() -> Iterator[None]:
    """Keep Prefect's own lines, and progress that the command shows itself, from the console.

    A failure reaches the caller as an exception, and Prefect's server whole.
    """
    from prefect.logging.handlers import PrefectConsoleHandler

    consoles = [each for each in logging.getLogger().handlers if isinstance(each, PrefectConsoleHandler)]
    for console in consoles:
        console.addFilter(_is_worth_telling)
    try:
        yield
    finally:
        for console in consoles:
            console.removeFilter(_is_worth_telling)


def _is_worth_telling(record: logging.LogRecord) -> bool:
    return record.name.split(".", 1)[0] != "prefect" and record.levelno >= logging.WARNING
