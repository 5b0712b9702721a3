"""Bring `prefect.yaml` to Prefect's server, by Prefect's own command, when it or a flow changed.

The command runs in a process of its own (``python -m penstock.orchestration.deploying``), which imports while the
server still starts.
"""

import hashlib
import json
import os
import subprocess
import sys
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

from penstock.collecting import collect_rarely
from penstock.domain.workspace import Workspace
from penstock.errors import PenstockError
from penstock.orchestration.prefect_command import run_prefect
from penstock.orchestration.processes import PART_VARIABLE
from penstock.orchestration.server import deployment_names, make_pool, wait_for_prefect
from penstock.store.workspace import find_workspace, inherited_environment

LOG = "deploy.log"
NICENESS = 5  # the servers that it waits for come first


def digest(workspace: Workspace) -> str:
    """Return what the deployments are made of, as one digest: `prefect.yaml`, the flows, where they lie."""
    found = hashlib.sha256(f"{workspace.app} {version('prefect')}".encode())
    for path in [workspace.app / "prefect.yaml", *sorted((workspace.app / "flows").glob("*.py"))]:
        found.update(path.name.encode() + b"\0" + path.read_bytes())
    return found.hexdigest()


def is_deployed(workspace: Workspace) -> bool:
    """Return whether Prefect has the deployments of `prefect.yaml` as it is; without a server, what was last done."""
    try:
        last = json.loads(_record(workspace).read_text())
    except (FileNotFoundError, ValueError):
        return False
    return bool(last["digest"] == digest(workspace))


def are_there(workspace: Workspace) -> bool:
    """Return whether the server knows every deployment that was last made: its database may be a new one."""
    last = json.loads(_record(workspace).read_text())
    return set(last["deployments"]) <= deployment_names(workspace)


def begin_deploy(workspace: Workspace) -> subprocess.Popen[bytes]:
    """Start the deployment in a process of its own; it waits for Prefect's server."""
    with (workspace.logs / LOG).open("wb") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "penstock.orchestration.deploying"],
            cwd=workspace.app,
            env={**inherited_environment(workspace), PART_VARIABLE: "deploy"},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )


def end_deploy(process: subprocess.Popen[bytes], workspace: Workspace, seconds: float = 120) -> None:
    """Wait for a deployment that was started, and remember it.

    Raises
    ------
    PenstockError
        If it failed, with what Prefect's command said.
    """
    try:
        code = process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        code = process.wait()
    if code != 0:
        said = (workspace.logs / LOG).read_text(errors="replace").strip()[-1500:]
        raise PenstockError(
            f"`prefect.yaml` must be deployed, but Prefect's command ended with {code} and said:\n{said}"
        )
    made = sorted(name for name in deployment_names(workspace))
    _record(workspace).write_text(json.dumps({"digest": digest(workspace), "deployments": made}))


def deploy(workspace: Workspace) -> None:
    """Deploy `prefect.yaml` and wait for it; the server must be up or come up."""
    end_deploy(begin_deploy(workspace), workspace)


def _record(workspace: Workspace) -> Path:
    return workspace.parts / "deployed"


def main() -> None:
    """Import what takes seconds, wait for the server, and run `prefect deploy --all`."""
    os.nice(NICENESS)
    collect_rarely()
    from prefect.cli.deploy import _core  # noqa: F401  imported here, while the server starts

    workspace = find_workspace()
    for flow in sorted((workspace.app / "flows").glob("[a-z]*.py")):
        import_module(f"flows.{flow.stem}")
    wait_for_prefect(workspace)
    make_pool(workspace)
    run_prefect("--no-prompt", "deploy", "--all", "--prefect-file", str(workspace.app / "prefect.yaml"))


if __name__ == "__main__":
    main()
