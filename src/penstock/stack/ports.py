"""Who holds the ports of the stack."""

import shlex
from dataclasses import dataclass

import psutil

from penstock.domain.workspace import Workspace
from penstock.errors import SpecError
from penstock.stack.parts import PARTS, port_of, variable_of


@dataclass(frozen=True, slots=True)
class Owner:
    """Who listens on a port; `pid` is None where the system does not tell."""

    pid: int | None
    command: str

    def __str__(self) -> str:
        return f"pid {self.pid} ({self.command})" if self.pid else "a process that the system does not name"


def port_owner(port: int) -> Owner | None:
    """Return who listens on a port, None if nobody does."""
    for connection in psutil.net_connections(kind="tcp"):
        if connection.status == psutil.CONN_LISTEN and connection.laddr and connection.laddr.port == port:
            return Owner(pid=connection.pid, command=_command_of(connection.pid))
    return None


def require_free_ports(workspace: Workspace) -> None:
    """Raise if a stranger holds a port that the stack needs.

    Raises
    ------
    SpecError
        Naming each port's owner and the variable that moves it.
    """
    faults = []
    for part in PARTS:
        port = port_of(part, workspace)
        owner = port_owner(port) if port else None
        if owner is not None:
            faults.append(
                f"Port {port} must be free for {part.name}, but is held by {owner}. "
                f"End that process, or set {variable_of(part)} to another port."
            )
    if faults:
        raise SpecError(" ".join(faults), details=faults if len(faults) > 1 else ())


def _command_of(pid: int | None) -> str:
    if pid is None:
        return "unknown"
    try:
        return shlex.join(psutil.Process(pid).cmdline())[:200] or "unknown"
    except psutil.Error:
        return "unknown"
