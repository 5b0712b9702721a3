"""The real stack on free ports, started once: two `up` at once, kills, flow runs that must not be lost, and the end."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from penstock.domain.workspace import Workspace
from penstock.orchestration import runs
from penstock.orchestration.processes import Identity, own_processes, read_identity
from penstock.orchestration.server import TAG, call, deployment_names, set_state
from penstock.stack.doctor import examine
from penstock.stack.parts import PARTS, SUPERVISOR, port_of, record_of
from penstock.stack.ports import port_owner
from penstock.stack.state import is_up, status
from penstock.stack.supervision import down, up
from penstock.store.workspace import inherited_environment
from tests.conftest import free_ports

ROOT = Path(__file__).resolve().parents[2]
NAP = '''
import time
from pathlib import Path
from prefect import flow
from penstock.orchestration import runs
from penstock.store.workspace import find_workspace

@flow(name="nap")
def nap(seconds: float, diary: str) -> str:
    """Sleep in the first life, and only say so in a second one."""
    with runs.claimed(find_workspace()):
        page = Path(diary)
        second = page.exists()
        with page.open("a") as lines:
            lines.write("begun ")
        time.sleep(0 if second else seconds)
        return "slept"
'''
COMMAND = """
import sys
from penstock.store.workspace import find_workspace
from penstock.orchestration.runs import running_in_process
sys.path.insert(0, sys.argv[1])
from nap import nap
with running_in_process(find_workspace()):
    nap(float(sys.argv[2]), sys.argv[3])
"""
FAILING = """
from penstock.store.workspace import find_workspace
from penstock.errors import Refused
from penstock.orchestration.runs import running_in_process
from prefect import flow
@flow
def refuse():
    raise Refused("No.")
with running_in_process(find_workspace()):
    try:
        refuse()
    except Refused as error:
        print(error.message)
"""
UP = """
import sys
from penstock.store.workspace import find_workspace
from penstock.stack.supervision import up
up(find_workspace(), lambda line: print(line, file=sys.stderr))
"""


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return Workspace(home=tmp_path_factory.mktemp("stack") / "work space", app=ROOT, ports=free_ports())


@pytest.fixture(scope="module")
def stack(workspace: Workspace) -> Iterator[Workspace]:
    """Start the stack by two commands at once, and end it."""
    quick = pytest.MonkeyPatch()
    quick.setenv("PREFECT_SERVER_SERVICES_SCHEDULER_LOOP_SECONDS", "2")  # 60 s otherwise
    commands = [
        subprocess.Popen([sys.executable, "-c", UP], env=inherited_environment(workspace), cwd=ROOT) for _ in range(2)
    ]
    try:
        assert [command.wait(timeout=200) for command in commands] == [0, 0]
        _deploy_nap(workspace)
        yield workspace
    finally:
        for command in commands:
            command.kill()
        down(workspace, print)
        quick.undo()


def test_two_commands_at_once_start_one_stack(stack: Workspace) -> None:
    assert [part.state for part in status(stack)] == ["running"] * len(PARTS)
    supervisors = [each for each in own_processes(stack) if "supervisor.supervisord" in " ".join(each.cmdline())]
    assert len(supervisors) == 1


def test_the_flows_of_the_project_are_deployed_to_the_worker(stack: Workspace) -> None:
    wanted = {"ingest", "train", "release", "score"}
    assert {f"{name}/{name}" for name in wanted} <= deployment_names(stack)
    found = call("GET", "/deployments/name/train/train", stack)
    assert found["entrypoint"] == "flows/train.py:train"
    assert found["pull_steps"] == [{"prefect.deployments.steps.set_working_directory": {"directory": str(ROOT)}}]
    assert [schedule["active"] for schedule in found["schedules"]] == [False]


def test_up_again_changes_no_process(stack: Workspace) -> None:
    before = {part.name: _identity(part.name, stack) for part in PARTS}
    up(stack, print)
    assert {part.name: _identity(part.name, stack) for part in PARTS} == before


def test_doctor_finds_nothing_failed(stack: Workspace) -> None:
    found = {check.name: check for check in examine(stack)}
    assert not [check for check in found.values() if check.state == "failed"]
    assert found["stack"].state == found["orphans"].state == "ok"


def test_an_active_schedule_makes_flow_runs(stack: Workspace) -> None:
    nap = call("GET", "/deployments/name/nap/nap", stack)["id"]
    schedule = {"active": True, "schedule": {"interval": 86400, "anchor_date": "2026-01-01T00:00:00Z"}}
    made = call("POST", f"/deployments/{nap}/schedules", stack, [schedule])[0]["id"]
    _wait_for(lambda: {check.name: check.found for check in examine(stack)}["schedules"] == "1 active")
    call("DELETE", f"/deployments/{nap}/schedules/{made}", stack)


def test_a_killed_command_leaves_a_crashed_run_and_a_living_one_goes_on(stack: Workspace, tmp_path: Path) -> None:
    with _command(stack, 60, tmp_path / "killed") as killed, _command(stack, 60, tmp_path / "living") as living:
        _wait_for(lambda: (tmp_path / "killed").exists() and (tmp_path / "living").exists())
        assert len(_running(stack)) == 2
        killed.send_signal(signal.SIGKILL)
        killed.wait()
        assert len(runs.close_orphaned_runs(stack)) == 1
        assert len(_running(stack)) == 1
        crashed = call("POST", "/flow_runs/filter", stack, {"flow_runs": {"state": {"type": {"any_": ["CRASHED"]}}}})
        assert [run["state"]["message"] for run in crashed] == ["Its process is gone."]
        living.send_signal(signal.SIGKILL)
        living.wait()
    assert len(runs.close_orphaned_runs(stack)) == 1


def test_a_command_hears_of_a_refusal_once_and_without_a_stack_trace(stack: Workspace) -> None:
    command = [sys.executable, "-c", FAILING]
    found = subprocess.run(
        command, env=inherited_environment(stack), cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert (found.stdout, found.stderr) == ("No.\n", "")


def test_killed_parts_come_back_and_a_killed_workers_run_goes_on(stack: Workspace, tmp_path: Path) -> None:
    run = _start_nap(stack, tmp_path / "diary")
    before = {name: _identity(name, stack) for name in ("worker", "mlflow", "serving")}
    crashed = {"type": "CRASHED", "name": "Crashed", "message": "As control or the dying process may say."}
    set_state(run, crashed, stack)
    for identity in before.values():
        os.kill(identity.pid, signal.SIGKILL)
    _wait_for(lambda: all(_identity(name, stack) != old for name, old in before.items()) and is_up(stack))
    _wait_for(lambda: _state(run, stack) == "COMPLETED")
    assert (tmp_path / "diary").read_text() == "begun begun "


def test_a_killed_prefect_comes_back_and_knows_whose_turn_had_come(stack: Workspace, tmp_path: Path) -> None:
    _wait_for(lambda: not _engines(stack))  # those of earlier flow runs take a moment to end
    run = _begin_nap(stack, tmp_path / "diary", seconds=0)
    _wait_for(lambda: bool(_engines(stack)), pause=0.05)
    engines = _engines(stack)
    for engine in engines:
        engine.suspend()  # it has its turn, and is about to say that it runs
    try:
        assert _state(run, stack) == "PENDING"
        before = _identity("prefect", stack)
        os.kill(before.pid, signal.SIGKILL)
        _wait_for(lambda: _identity("prefect", stack) != before and is_up(stack))
    finally:
        for engine in engines:
            engine.resume()
    _wait_for(lambda: _state(run, stack) in {"COMPLETED", "CANCELLED", "CRASHED"})
    assert _state(run, stack) == "COMPLETED"


def test_up_after_a_killed_supervisor_replaces_its_orphans_and_hands_their_runs_back(
    stack: Workspace, tmp_path: Path
) -> None:
    run = _start_nap(stack, tmp_path / "diary")
    orphans = own_processes(stack)
    os.kill(_identity(SUPERVISOR, stack).pid, signal.SIGKILL)
    up(stack, print)
    assert is_up(stack)
    assert not [process for process in orphans if process.is_running()]
    _wait_for(lambda: _state(run, stack) == "COMPLETED")


def test_down_after_a_killed_supervisor_leaves_no_process_and_no_port(stack: Workspace) -> None:
    os.kill(_identity(SUPERVISOR, stack).pid, signal.SIGKILL)
    down(stack, print)
    assert [part.state for part in status(stack)] == ["stopped"] * len(PARTS)
    assert not own_processes(stack)
    assert not [process for process in psutil.process_iter(["cmdline"]) if _names(process, stack)]
    assert not [port for part in PARTS if (port := port_of(part, stack)) and port_owner(port)]


def _names(process: psutil.Process, workspace: Workspace) -> bool:
    return str(workspace.home) in " ".join(process.info["cmdline"] or ())


def _identity(name: str, workspace: Workspace) -> Identity:
    found = read_identity(record_of(name, workspace))
    assert found is not None
    return found


def _deploy_nap(workspace: Workspace) -> None:
    folder = workspace.home / "naps"
    folder.mkdir(exist_ok=True)
    (folder / "nap.py").write_text(NAP)
    flow = call("POST", "/flows/", workspace, {"name": "nap"})
    deployment = {
        "name": "nap",
        "flow_id": flow["id"],
        "entrypoint": "nap.py:nap",
        "work_pool_name": "penstock",
        "tags": [TAG],
        "pull_steps": [{"prefect.deployments.steps.set_working_directory": {"directory": str(folder)}}],
        "enforce_parameter_schema": False,
        "concurrency_limit": 1,
        "concurrency_options": {"collision_strategy": "ENQUEUE"},
    }
    call("POST", "/deployments/", workspace, deployment)


def _start_nap(workspace: Workspace, diary: Path) -> str:
    run = _begin_nap(workspace, diary, seconds=120)
    assert _begin_nap(workspace, diary, seconds=120) == run
    _wait_for(diary.exists)
    return run


def _begin_nap(workspace: Workspace, diary: Path, seconds: float) -> str:
    return runs.start_run("nap", {"seconds": seconds, "diary": str(diary)}, workspace, key=str(diary))


def _engines(workspace: Workspace) -> list[psutil.Process]:
    """Return the processes that the worker has started for flow runs."""
    found = []
    for each in own_processes(workspace):
        with suppress(psutil.Error):
            found += [each] if "prefect.engine" in each.cmdline() else []
    return found


def _command(workspace: Workspace, seconds: float, diary: Path) -> subprocess.Popen[bytes]:
    folder = str(workspace.home / "naps")
    arguments = [sys.executable, "-c", COMMAND, folder, str(seconds), str(diary)]
    return subprocess.Popen(arguments, env=inherited_environment(workspace), cwd=ROOT)


def _running(workspace: Workspace) -> list[dict[str, Any]]:
    return [run for run in runs.active_runs(workspace) if run["state_type"] == "RUNNING"]


def _state(run: str, workspace: Workspace) -> str:
    return str(call("GET", f"/flow_runs/{run}", workspace)["state_type"])


def _wait_for(holds: Callable[[], bool], seconds: float = 100, pause: float = 0.4) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "what the test waits for did not come"
        time.sleep(pause)  # what is asked takes the servers' time, and they may have to start meanwhile
