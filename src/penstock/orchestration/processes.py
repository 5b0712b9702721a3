"""Processes of a workspace: who they are, which of them are ours, and how they end."""

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import psutil

from penstock.domain.workspace import Workspace
from penstock.store.leases import alive, start_of

PART_VARIABLE = "PENSTOCK_PART"  # every process of the stack carries it, and so do its children
HOME_VARIABLE = "PENSTOCK_HOME"
RUN_VARIABLE = "PREFECT__FLOW_RUN_ID"  # Prefect's worker gives it to the process of a flow run
ENDING_SECONDS = 3.0  # a process that was asked politely has this long


@dataclass(frozen=True, slots=True)
class Identity:
    """A process: its id, and its start as `start_of` tells it, for ids are used again."""

    pid: int
    started: float

    @property
    def lives(self) -> bool:
        """Whether the process still runs."""
        return alive(self.pid, self.started)

    @property
    def since(self) -> float | None:
        """When the process started, in seconds since 1970 by the clock as it is set; None if it runs no more."""
        try:
            return psutil.Process(self.pid).create_time() if self.lives else None
        except psutil.NoSuchProcess:
            return None


def write_identity(pid: int, path: Path) -> None:
    """Leave a process's id and its start in a file, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(f".{os.getpid()}")
    draft.write_text(json.dumps({"pid": pid, "started": start_of(pid)}))
    draft.replace(path)


def read_identity(path: Path) -> Identity | None:
    """Return the process that a file names, living or not; None if there is no such file."""
    try:
        body = json.loads(path.read_text())
        return Identity(pid=int(body["pid"]), started=float(body["started"]))
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None


def own_processes(workspace: Workspace, part: str | None = None) -> list[psutil.Process]:
    """Return the living processes that a part of this workspace started, itself included; all parts' if None."""
    home, mine, others = str(workspace.home), os.getpid(), []
    for process in psutil.process_iter():
        variables = _environment_of(process)
        name = variables.get(PART_VARIABLE)
        if name and variables.get(HOME_VARIABLE) == home and part in (None, name) and process.pid != mine:
            others.append(process)
    return others


def worked_on(workspace: Workspace) -> set[str]:
    """Return the ids of the flow runs that a living process of the worker was started for."""
    found = (_environment_of(process).get(RUN_VARIABLE) for process in own_processes(workspace, "worker"))
    return {each for each in found if each}


def with_children(pids: Iterable[int]) -> list[psutil.Process]:
    """Return the living processes of some ids, with all that they started."""
    found = []
    for pid in pids:
        try:
            process = psutil.Process(pid)
            found += [process, *process.children(recursive=True)]
        except psutil.NoSuchProcess:
            continue
    return found


def end(processes: Iterable[psutil.Process], seconds: float = ENDING_SECONDS) -> int:
    """End processes, politely first; return how many there were."""
    there = [process for process in processes if process.is_running()]
    for process in there:
        _signal(process, kill=False)
    _, left = psutil.wait_procs(there, timeout=seconds)
    for process in left:
        _signal(process, kill=True)
    psutil.wait_procs(left, timeout=seconds)
    return len(there)


def _signal(process: psutil.Process, *, kill: bool) -> None:
    try:
        process.kill() if kill else process.terminate()
    except psutil.NoSuchProcess:
        return


def _environment_of(process: psutil.Process) -> dict[str, str]:
    try:
        return dict(process.environ())
    except (psutil.Error, OSError):  # another user's, or gone
        return {}
