"""The kept supervisor: its configuration, its socket, and what it says of the parts."""

import hashlib
import http.client
import json
import os
import shlex
import socket
import stat
import subprocess
import sys
import tempfile
import time
import xmlrpc.client
from importlib.metadata import version
from pathlib import Path
from typing import Any

from penstock.domain.workspace import Workspace
from penstock.errors import PenstockError
from penstock.orchestration.processes import PART_VARIABLE, Identity, read_identity
from penstock.stack.parts import PARTS, SUPERVISOR, log_of, record_of
from penstock.store.workspace import environment, inherited_environment

MAX_SOCKET_PATH = 100  # the system's limit is 108 bytes, and the supervisor makes a draft with a longer name first
CALM_SECONDS = 2  # a part that lives this long has started
RETRIES = 5  # a part that dies at once is started again this often, each time a second later
ANSWER_SECONDS = 30  # stopping a part may take its whole `stopwaitsecs`
ALREADY_STARTED, NOT_RUNNING = 60, 70  # the supervisor's own numbers
HEAD = """\
; Written by `penstock up`. {digest}
[unix_http_server]
file={socket}
chmod=0600
[supervisord]
logfile={log}
logfile_maxbytes=5MB
logfile_backups=2
pidfile={pidfile}
nodaemon=true
silent=true
[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
"""
PROGRAM = """\
[program:{name}]
command={command}
autorestart=true
startsecs={calm}
startretries={retries}
stopsignal={signal}
stopasgroup=true
killasgroup=true
stopwaitsecs={stop}
redirect_stderr=true
stdout_logfile={log}
stdout_logfile_maxbytes=10MB
stdout_logfile_backups=3
"""


def configuration(workspace: Workspace) -> str:
    """Return the supervisor's configuration; it differs when the parts' variables or Penstock's version differ."""
    told = json.dumps([version("penstock"), environment(workspace)], sort_keys=True)
    text = HEAD.format(
        digest=hashlib.sha256(told.encode()).hexdigest(),
        socket=_escaped(socket_path(workspace)),
        log=_escaped(log_of(SUPERVISOR, workspace)),
        pidfile=_escaped(workspace.parts / "supervisord.pid"),
    )
    for part in PARTS:
        text += PROGRAM.format(
            name=part.name,
            command=_escaped(f"{shlex.quote(sys.executable)} -m penstock.stack.launch {part.name}"),
            calm=CALM_SECONDS,
            retries=RETRIES,
            signal=part.stop_signal,
            stop=part.stop_seconds,
            log=_escaped(log_of(part.name, workspace)),
        )
    return text


def _escaped(value: object) -> str:
    return str(value).replace("%", "%%")


def configuration_path(workspace: Workspace) -> Path:
    """Return where the supervisor's configuration lies."""
    return workspace.parts / "supervisor.conf"


def supervisor_command(workspace: Workspace) -> list[str]:
    """Return the supervisor's command."""
    return [sys.executable, "-m", "supervisor.supervisord", "-c", str(configuration_path(workspace))]


def socket_folder(workspace: Workspace) -> Path:
    """Return the private folder of the socket: a short name, for a socket's path may have 108 bytes."""
    name = f"penstock-{os.getuid()}-{hashlib.sha256(str(workspace.home).encode()).hexdigest()[:12]}"
    folder = Path(tempfile.gettempdir()) / name
    return folder if len(str(folder)) < MAX_SOCKET_PATH - 10 else Path("/tmp") / name  # noqa: S108  made private below


def socket_path(workspace: Workspace) -> Path:
    """Return the supervisor's socket."""
    return socket_folder(workspace) / "s.sock"


def make_socket_folder(workspace: Workspace) -> None:
    """Make the socket's folder, readable by its owner alone.

    Raises
    ------
    PenstockError
        If another user made it before.
    """
    folder = socket_folder(workspace)
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise PenstockError(
            f"The folder {folder} must be this user's and private, but is not. Remove it, or set TMPDIR."
        )


def recorded_supervisor(workspace: Workspace) -> Identity | None:
    """Return the living supervisor, None if there is none."""
    found = read_identity(record_of(SUPERVISOR, workspace))
    return found if found is not None and found.lives else None


def begin_supervisor(workspace: Workspace) -> None:
    """Write the configuration and start the supervisor, detached from this process and its terminal."""
    make_socket_folder(workspace)
    configuration_path(workspace).write_text(configuration(workspace))
    with log_of(SUPERVISOR, workspace).open("ab") as log:
        subprocess.run(
            [sys.executable, "-m", "penstock.stack.launch", SUPERVISOR],
            env={**inherited_environment(workspace), PART_VARIABLE: SUPERVISOR},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            check=True,
        )


def part_states(workspace: Workspace) -> dict[str, str] | None:
    """Return the supervisor's word for each part's state, such as ``RUNNING``; None if it does not answer."""
    if recorded_supervisor(workspace) is None:
        return None
    try:
        found: Any = ask(workspace, "getAllProcessInfo")
    except (OSError, xmlrpc.client.Error, http.client.HTTPException):
        return None
    return {str(each["name"]): str(each["statename"]) for each in found}


def ask(workspace: Workspace, method: str, *arguments: object) -> Any:
    """Call a method of the supervisor's XML-RPC and return its answer."""
    transport = _SocketTransport(str(socket_path(workspace)))
    with xmlrpc.client.ServerProxy("http://localhost/RPC2", transport=transport) as proxy:
        return getattr(proxy.supervisor, method)(*arguments)


def start_part(name: str, workspace: Workspace) -> None:
    """Start a part that the supervisor gave up or stopped, and do not wait for it."""
    _unless(ALREADY_STARTED, workspace, "startProcess", name, False)


def stop_part(name: str, workspace: Workspace) -> None:
    """Stop a part and wait for its end."""
    _unless(NOT_RUNNING, workspace, "stopProcess", name)


def _unless(fault: int, workspace: Workspace, method: str, *arguments: object) -> None:
    """Call a method; that there is nothing to do is no error."""
    try:
        ask(workspace, method, *arguments)
    except xmlrpc.client.Fault as error:
        if error.faultCode != fault:
            raise


def wait_for_supervisor(workspace: Workspace, seconds: float = 20) -> None:
    """Wait until the supervisor answers on its socket.

    Raises
    ------
    PenstockError
        If it does not in time, with the end of its log.
    """
    deadline = time.monotonic() + seconds
    while part_states(workspace) is None:
        if time.monotonic() > deadline:
            said = log_of(SUPERVISOR, workspace).read_text(errors="replace")[-1500:]
            raise PenstockError(
                f"The supervisor must answer, but did not for {seconds:.0f} s. Its log ends with:\n{said}"
            )
        time.sleep(0.05)


class _SocketConnection(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=ANSWER_SECONDS)
        self._path = path

    def connect(self) -> None:
        """Connect to the socket."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(ANSWER_SECONDS)
        self.sock.connect(self._path)


class _SocketTransport(xmlrpc.client.Transport):
    """XML-RPC over a unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self._path = path

    def make_connection(self, host: Any) -> http.client.HTTPConnection:
        """Return a connection to the socket, whatever the host, and remember it to close it."""
        connection = _SocketConnection(self._path)
        self._connection = host, connection
        return connection
