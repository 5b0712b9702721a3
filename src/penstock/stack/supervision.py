"""Start the stack and wait until every part answers; end it and leave nothing behind."""

import fcntl
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from subprocess import Popen

import psutil

from penstock.domain.workspace import Workspace
from penstock.errors import PenstockError
from penstock.orchestration import claims, deploying, runs
from penstock.orchestration.processes import end, own_processes, with_children
from penstock.orchestration.server import prefect_answers
from penstock.stack import supervisor
from penstock.stack.parts import PARTS, SUPERVISOR, log_of, record_of
from penstock.stack.ports import require_free_ports
from penstock.stack.state import PartState, status
from penstock.store.schema import migrate
from penstock.store.workspace import make_folders

Progress = Callable[[str], None]
START_SECONDS = 150  # a part that does not answer after this long never will; a cold start takes under 30 s
STOP_SECONDS = 20  # the supervisor asks each part politely for at most 10 s
TAIL = 25  # lines of a part's log that an error shows


def _silent(_: str) -> None:
    """Tell nobody."""


def up(workspace: Workspace, progress: Progress = _silent) -> list[PartState]:
    """Start what does not run, wait until every part answers, and deploy the flows; up already, do nothing.

    Parameters
    ----------
    workspace
        Whose stack.
    progress
        Told a line for each part as it answers.

    Returns
    -------
    list of PartState
        Every part, running.

    Raises
    ------
    Refused
        If a database was written by a newer Penstock.
    SpecError
        If a stranger holds a port.
    PenstockError
        If a part does not answer in time, with the end of its log.
    """
    make_folders(workspace)
    with _alone(workspace, progress):
        migrate(workspace)
        began = time.monotonic()
        adopted = _adopt(workspace)
        if not adopted:
            _end_orphans(workspace, progress)
            require_free_ports(workspace)
            supervisor.begin_supervisor(workspace)
        deployment = None if deploying.is_deployed(workspace) else deploying.begin_deploy(workspace)
        states = _wait(workspace, began, progress)
        _deploy(deployment, workspace, began, progress)
        if adopted:
            for name in runs.close_orphaned_runs(workspace):
                progress(f"flow run {name} is closed: its process was gone")
        return states


def down(workspace: Workspace, progress: Progress = _silent) -> None:
    """Hand running flow runs back, and end every process of the stack; nothing there, do nothing."""
    if not workspace.parts.is_dir():
        return
    with _alone(workspace, progress):
        _stop(workspace, progress)


@contextmanager
def _alone(workspace: Workspace, progress: Progress) -> Iterator[None]:
    """Let one `up` or `down` of a workspace be at work; the system frees the lock of a process that died."""
    with (workspace.parts / "lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress("another `penstock up` or `penstock down` is at work: waiting for its end")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _adopt(workspace: Workspace) -> bool:
    """Take over a living supervisor if it keeps what would be started, and start what it gave up."""
    words = supervisor.part_states(workspace)
    path = supervisor.configuration_path(workspace)
    if words is None or not path.exists() or path.read_text() != supervisor.configuration(workspace):
        return False
    for name, word in words.items():
        if word in {"FATAL", "STOPPED"}:
            supervisor.start_part(name, workspace)
    return True


def _end_orphans(workspace: Workspace, progress: Progress) -> None:
    if supervisor.recorded_supervisor(workspace) is not None or own_processes(workspace):
        progress("ending what an earlier stack left behind")
        _stop(workspace, progress)


def _wait(workspace: Workspace, began: float, progress: Progress) -> list[PartState]:
    supervisor.wait_for_supervisor(workspace)
    told: set[str] = set()
    while True:
        states, took = status(workspace), time.monotonic() - began
        for part in states:
            if part.state == "running" and part.name not in told:
                progress(f"{part.name:8} {took:5.1f} s  {part.url or ''}".rstrip())
                told.add(part.name)
        missing = [part for part in states if part.state != "running"]
        if not missing:
            return states
        for part in missing:
            if part.state == "failed" or took > START_SECONDS:
                raise PenstockError(_complaint(part, took, workspace))
        time.sleep(0.2)


def _complaint(part: PartState, took: float, workspace: Workspace) -> str:
    path = log_of(part.name, workspace)
    lines = path.read_text(errors="replace").splitlines()[-TAIL:] if path.exists() else []
    said = "\n".join(lines) or "(nothing)"
    return f"{part.name} must answer, but after {took:.0f} s it is {part.state}. {path} ends with:\n{said}"


def _deploy(deployment: Popen[bytes] | None, workspace: Workspace, began: float, progress: Progress) -> None:
    if deployment is None and not deploying.are_there(workspace):
        deployment = deploying.begin_deploy(workspace)
    if deployment is not None:
        deploying.end_deploy(deployment, workspace)
        progress(f"flows    {time.monotonic() - began:5.1f} s  deployed")


def _stop(workspace: Workspace, progress: Progress) -> None:
    active = runs.active_runs(workspace) if prefect_answers(workspace) else []
    _stop_workers(workspace)
    for name in runs.hand_back_runs(active, workspace) if active else []:
        progress(f"flow run {name} is handed back: it goes on when the stack is up again")
    _stop_supervisor(workspace)
    end(own_processes(workspace))
    for name in (SUPERVISOR, *(part.name for part in PARTS)):
        record_of(name, workspace).unlink(missing_ok=True)
    shutil.rmtree(supervisor.socket_folder(workspace), ignore_errors=True)


def _stop_workers(workspace: Workspace) -> None:
    """End who works on flow runs: the worker with its children, and commands in other terminals."""
    if supervisor.part_states(workspace) is not None:
        supervisor.stop_part("worker", workspace)
    mine = {process.pid for process in (psutil.Process(), *psutil.Process().parents())}
    commands = {identity.pid for identity in claims.living_claims(workspace).values()} - mine
    end([*own_processes(workspace, "worker"), *with_children(commands)])


def _stop_supervisor(workspace: Workspace) -> None:
    identity = supervisor.recorded_supervisor(workspace)
    if identity is None:
        return
    process = psutil.Process(identity.pid)
    if supervisor.part_states(workspace) is not None:
        supervisor.ask(workspace, "stopAllProcesses", False)  # all at once: waits for none
        supervisor.ask(workspace, "shutdown")
        psutil.wait_procs([process], timeout=STOP_SECONDS)
    end([process])
