"""Prefect's server over its HTTP interface: what must be quick, and needs none of Prefect's imports."""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Any

from penstock.domain.workspace import Workspace
from penstock.errors import NotFound, PenstockError, SourceUnavailable

POOL = "penstock"
TAG = "penstock"  # every flow run of ours carries it
ONLINE = timedelta(seconds=90)  # a worker's heartbeat comes every 30 s; three missed ones are silence
PAGE = 200  # the server's own limit
PAUSES = (0.2, 0.4, 0.8, 1.6, 3.2)  # seconds before a busy server is asked again


class _Busy(SourceUnavailable):
    """The server asks to come back: its SQLite file was locked."""


def call(method: str, path: str, workspace: Workspace, body: object = None) -> Any:
    """Ask Prefect's server and return its answer; a server that is busy is asked again.

    Raises
    ------
    NotFound
        If the server knows no such thing.
    SourceUnavailable
        If it does not answer, or stays busy.
    PenstockError
        If it answers with another error.
    """
    for pause in PAUSES:
        try:
            return ask(method, path, workspace, body)
        except _Busy:
            time.sleep(pause)
    try:
        return ask(method, path, workspace, body)
    except _Busy as error:
        raise SourceUnavailable(error.message) from error


def ask(method: str, path: str, workspace: Workspace, body: object = None, seconds: float = 15) -> Any:
    """Ask Prefect's server once, and wait so many seconds for its answer; see `call`."""
    request = urllib.request.Request(  # noqa: S310  our own server on loopback
        f"{workspace.prefect_url}/api{path}",
        data=None if body is None else json.dumps(body, default=str).encode(),
        headers={"Content-Type": "application/json"},
        method=method,
    )
    try:
        with _opener().open(request, timeout=seconds) as response:
            text = response.read()
    except urllib.error.HTTPError as error:
        said = error.read().decode(errors="replace")[:500]
        kind = ERRORS.get(error.code, PenstockError)
        raise kind(f"Prefect must answer {method} {path}, but said {error.code}: {said}.") from error
    except OSError as error:
        raise SourceUnavailable(
            f"Prefect must answer at {workspace.prefect_url}, but does not ({error}). "
            "Start the stack with `penstock up`."
        ) from error
    return json.loads(text) if text else None


def _opener() -> urllib.request.OpenerDirector:
    return urllib.request.build_opener(urllib.request.ProxyHandler({}))  # loopback needs no proxy, whatever is set


ERRORS: dict[int, type[PenstockError]] = {404: NotFound, 429: _Busy, 502: _Busy, 503: _Busy}


def prefect_answers(workspace: Workspace) -> bool:
    """Return whether Prefect's server answers."""
    try:
        return ask("GET", "/health", workspace, seconds=2) is True
    except PenstockError:
        return False


def wait_for_prefect(workspace: Workspace, seconds: float = 120) -> None:
    """Wait until Prefect's server answers.

    Raises
    ------
    SourceUnavailable
        If it does not in time.
    """
    deadline = time.monotonic() + seconds
    while not prefect_answers(workspace):
        if time.monotonic() > deadline:
            raise SourceUnavailable(
                f"Prefect must answer at {workspace.prefect_url}, but did not for {seconds:.0f} s. "
                f"Look into {workspace.logs / 'prefect.log'}."
            )
        time.sleep(0.2)


def make_pool(workspace: Workspace) -> None:
    """Make the work pool from which the worker takes its flow runs, unless it is there."""
    if _has_pool(workspace):
        return
    try:
        call("POST", "/work_pools/", workspace, {"name": POOL, "type": "process"})
    except PenstockError:
        if not _has_pool(workspace):  # else another process made it in between
            raise


def _has_pool(workspace: Workspace) -> bool:
    try:
        call("GET", f"/work_pools/{POOL}", workspace)
    except NotFound:
        return False
    return True


def worker_is_online(workspace: Workspace, since: float) -> bool:
    """Return whether a worker of the pool has spoken to the server lately, and after a time (seconds since 1970)."""
    try:
        workers = ask("POST", f"/work_pools/{POOL}/workers/filter", workspace, {}, seconds=2)
    except PenstockError:
        return False
    oldest = max(datetime.now(UTC) - ONLINE, datetime.fromtimestamp(since, UTC))
    beats = [worker["last_heartbeat_time"] for worker in workers if worker["status"] == "ONLINE"]
    return any(beat is not None and datetime.fromisoformat(beat) >= oldest for beat in beats)


def deployment_names(workspace: Workspace) -> set[str]:
    """Return the names of all deployments, as `flow/deployment`."""
    found = call("POST", "/deployments/filter", workspace, {"limit": PAGE})
    flows = {each["id"]: each["name"] for each in call("POST", "/flows/filter", workspace, {"limit": PAGE})}
    return {f"{flows.get(each['flow_id'], '')}/{each['name']}" for each in found}


def flow_runs_in(types: list[str], workspace: Workspace) -> list[dict[str, Any]]:
    """Return our flow runs whose state is of one of some types, such as `RUNNING`."""
    question = {
        "flow_runs": {"state": {"type": {"any_": types}}, "tags": {"all_": [TAG]}},
        "limit": PAGE,
    }
    found: list[dict[str, Any]] = call("POST", "/flow_runs/filter", workspace, question)
    return found


def flow_runs_named(ids: Collection[str], workspace: Workspace) -> list[dict[str, Any]]:
    """Return our flow runs of some ids, in whatever state."""
    question = {"flow_runs": {"id": {"any_": sorted(ids)}, "tags": {"all_": [TAG]}}, "limit": PAGE}
    found: list[dict[str, Any]] = call("POST", "/flow_runs/filter", workspace, question) if ids else []
    return found


def runs_of_flow(name: str, since: datetime, workspace: Workspace) -> list[dict[str, Any]]:
    """Return our flow runs of a flow that were to start since a time, in whatever state, oldest first."""
    found: list[dict[str, Any]] = []
    question = {
        "flows": {"name": {"any_": [name]}},
        "flow_runs": {"tags": {"all_": [TAG]}, "expected_start_time": {"after_": since.isoformat()}},
        "sort": "EXPECTED_START_TIME_ASC",
        "limit": PAGE,
    }
    while True:
        page = call("POST", "/flow_runs/filter", workspace, {**question, "offset": len(found)})
        found += page
        if len(page) < PAGE:
            return found


def active_runs_of(name: str, workspace: Workspace) -> list[dict[str, Any]]:
    """Return our flow runs of a flow that are worked on, or should be by now."""
    flow, tags = {"name": {"any_": [name]}}, {"all_": [TAG]}
    at_work = {"state": {"type": {"any_": ["PENDING", "RUNNING", "PAUSED", "CANCELLING"]}}, "tags": tags}
    due = {
        "state": {"type": {"any_": ["SCHEDULED"]}},
        "next_scheduled_start_time": {"before_": datetime.now(UTC).isoformat()},
        "tags": tags,
    }
    found: list[dict[str, Any]] = []
    for wanted in (at_work, due):
        found += call("POST", "/flow_runs/filter", workspace, {"flows": flow, "flow_runs": wanted, "limit": PAGE})
    return found


def set_state(flow_run_id: str, state: dict[str, Any], workspace: Workspace) -> None:
    """Give a flow run a state, whatever the server's rules say of the move."""
    call("POST", f"/flow_runs/{flow_run_id}/set_state", workspace, {"state": state, "force": True})
