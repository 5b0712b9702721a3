"""What the doctor finds."""

import socket
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa

from penstock.domain.workspace import Workspace
from penstock.stack.checks import Check
from penstock.stack.doctor import examine
from penstock.store import tables
from penstock.store.database import connect
from penstock.store.leases import try_lease


def _found(workspace: Workspace) -> dict[str, Check]:
    return {check.name: check for check in examine(workspace)}


def test_a_fresh_workspace_is_well(workspace: Workspace) -> None:
    found = _found(workspace)
    assert not [check for check in found.values() if check.state == "failed"]
    assert {"python", "library sqlalchemy", "disk", "memory", "cores", "gpus", "database", "orphans"} <= set(found)
    assert found["database"].state == found["leases"].state == "ok"


def test_a_workspace_that_is_not_there_is_examined_and_not_made(workspace: Workspace, tmp_path: Path) -> None:
    nowhere = replace(workspace, home=tmp_path / "nowhere")
    assert _found(nowhere)["workspace"].state == "ok"
    assert not nowhere.home.exists()


def test_a_port_held_by_a_stranger_is_told_with_the_variable_that_moves_it(workspace: Workspace) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", workspace.ports.serving))
        held.listen()
        check = _found(workspace)[f"port {workspace.ports.serving} (serving)"]
    assert check.state == "warning"
    assert "held by pid" in check.found
    assert "PENSTOCK_SERVING_PORT" in check.advice


def test_keys_that_others_may_read_fail(workspace: Workspace) -> None:
    workspace.secrets.chmod(0o755)
    check = _found(workspace)["workspace"]
    assert (check.state, check.advice) == ("failed", f"chmod 700 {workspace.secrets}")


def test_a_lease_whose_holder_is_gone_is_told(workspace: Workspace) -> None:
    lease = {"name": "train:churn", "pid": 2**22 + 1, "started": 1.0, "host": socket.gethostname()}
    with connect(workspace).begin() as connection:
        connection.execute(sa.insert(tables.leases).values(**lease, taken_at=datetime.now(UTC)))
    check = _found(workspace)["leases"]
    assert check.state == "warning"
    assert "train:churn" in check.found


def test_a_dead_holders_lease_is_taken_over_as_the_doctor_says_also_under_another_host_name(
    workspace: Workspace,
) -> None:
    lease = {"name": "train:churn", "pid": 2**22 + 1, "started": 1.0, "host": "a-container-of-yesterday"}
    with connect(workspace).begin() as connection:
        connection.execute(sa.insert(tables.leases).values(**lease, taken_at=datetime.now(UTC)))
    assert "whoever wants one takes it over" in _found(workspace)["leases"].advice
    assert try_lease("train:churn", workspace)
    assert _found(workspace)["leases"].state == "ok"
