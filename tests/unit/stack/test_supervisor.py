"""The supervisor's configuration and socket."""

import configparser
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from penstock.domain.workspace import Ports, Workspace
from penstock.errors import PenstockError
from penstock.stack import supervisor
from penstock.stack.parts import PARTS, port_of, url_of, variable_of


def test_every_part_is_kept_with_a_log_in_the_workspace(workspace: Workspace) -> None:
    found = configparser.ConfigParser(interpolation=None)
    found.read_string(supervisor.configuration(workspace))
    for part in PARTS:
        program = found[f"program:{part.name}"]
        assert program["autorestart"] == program["stopasgroup"] == program["killasgroup"] == "true"
        assert program["stdout_logfile"] == str(workspace.logs / f"{part.name}.log")
        assert program["command"].endswith(f"-m penstock.stack.launch {part.name}")


def test_a_percent_sign_in_the_workspaces_path_stays_one(workspace: Workspace) -> None:
    odd = replace(workspace, home=workspace.home.parent / "50%")
    assert "50%%/logs/prefect.log" in supervisor.configuration(odd)


def test_other_ports_make_another_configuration(workspace: Workspace) -> None:
    assert supervisor.configuration(replace(workspace, ports=Ports(1, 2, 3, 4))) != supervisor.configuration(workspace)


def test_the_sockets_path_is_short_however_deep_the_workspace_lies(workspace: Workspace) -> None:
    deep = replace(workspace, home=workspace.home / "/".join(["a-rather-long-folder-name"] * 10))
    assert len(str(supervisor.socket_path(deep))) < supervisor.MAX_SOCKET_PATH
    assert supervisor.socket_path(deep) != supervisor.socket_path(workspace)


def test_the_sockets_folder_is_private_and_one_that_is_not_is_refused(workspace: Workspace) -> None:
    folder = supervisor.socket_folder(workspace)
    try:
        supervisor.make_socket_folder(workspace)
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        folder.chmod(0o755)
        with pytest.raises(PenstockError, match="must be this user's and private"):
            supervisor.make_socket_folder(workspace)
    finally:
        folder.rmdir()


def test_every_server_listens_on_loopback_and_on_the_port_that_its_variable_moves(workspace: Workspace) -> None:
    for part in PARTS:
        port = port_of(part, workspace)
        if port is None:
            continue
        command = part.command(workspace)
        assert command[command.index("--host") + 1] == "127.0.0.1"
        assert command[command.index("--port") + 1] == str(port)
        assert url_of(part, workspace) == f"http://127.0.0.1:{port}"
        assert variable_of(part) == f"PENSTOCK_{part.name.upper()}_PORT"


def test_without_a_supervisor_nobody_speaks_of_the_parts(workspace: Workspace, tmp_path: Path) -> None:
    assert supervisor.part_states(workspace) is None
    assert supervisor.part_states(replace(workspace, home=tmp_path / "nowhere")) is None
