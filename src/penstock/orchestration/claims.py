"""Which process works on a flow run: a file a run in the workspace, with pid and start time."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from penstock.domain.workspace import Workspace
from penstock.orchestration.processes import Identity, read_identity, write_identity

BEGINNING = "beginning-"  # a process that is about to begin a flow run, and cannot know its id


def claim_run(flow_run_id: str, workspace: Workspace) -> None:
    """Say that this process works on a flow run."""
    write_identity(os.getpid(), _path(flow_run_id, workspace))


def find_claim(flow_run_id: str, workspace: Workspace) -> Identity | None:
    """Return which process works, or worked, on a flow run; None if none said so."""
    return read_identity(_path(flow_run_id, workspace))


def drop_claim(flow_run_id: str, workspace: Workspace) -> None:
    """Forget who worked on a flow run."""
    _path(flow_run_id, workspace).unlink(missing_ok=True)


@contextmanager
def beginning(workspace: Workspace) -> Iterator[None]:
    """Say that this process begins flow runs while the block runs."""
    name = f"{BEGINNING}{os.getpid()}"
    claim_run(name, workspace)
    try:
        yield
    finally:
        drop_claim(name, workspace)


def living_claims(workspace: Workspace) -> dict[str, Identity]:
    """Return who works on which flow run, and who begins one, as far as the process lives; drop the others."""
    found = {}
    for path in sorted(_folder(workspace).glob("*.json")):
        identity = read_identity(path)
        if identity is not None and identity.lives:
            found[path.stem] = identity
        elif path.stem.startswith(BEGINNING):
            path.unlink(missing_ok=True)
    return found


def somebody_begins(workspace: Workspace) -> bool:
    """Return whether a living process begins a flow run and has not said yet which."""
    claims = living_claims(workspace)
    busy = {identity.pid for name, identity in claims.items() if not name.startswith(BEGINNING)}
    return any(name.startswith(BEGINNING) and identity.pid not in busy for name, identity in claims.items())


def _folder(workspace: Workspace) -> Path:
    return workspace.parts / "flow-runs"


def _path(name: str, workspace: Workspace) -> Path:
    return _folder(workspace) / f"{name}.json"
