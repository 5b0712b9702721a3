"""What each part of the stack is: its command, its variables, its port, and where it says that it is well."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from penstock.domain.workspace import Workspace
from penstock.orchestration.heartbeat import control_is_well
from penstock.orchestration.server import POOL, worker_is_online
from penstock.store.tracking import ARTIFACT_ROOT
from penstock.store.workspace import mlflow_database_url

WORKER = "penstock-worker"
SUPERVISOR = "supervisor"
APPLICATION = "penstock.store.tracking:make_application"  # MLflow's


@dataclass(frozen=True, slots=True)
class Part:
    """One process of the stack that the supervisor keeps.

    `port` is the name of its port in `Ports`, `health` the path that answers 200 when it is well; a part without a
    port says by `ready`, given since when it runs, whether it is.
    """

    name: str
    command: Callable[[Workspace], list[str]]
    environment: Callable[[Workspace], dict[str, str]] = lambda _: {}
    port: str | None = None
    health: str = "/"
    ready: Callable[[Workspace, float], bool] | None = None
    stop_signal: str = "TERM"
    stop_seconds: int = 10


def port_of(part: Part, workspace: Workspace) -> int | None:
    """Return the port that a part listens on, None if it has none."""
    return None if part.port is None else int(getattr(workspace.ports, part.port))


def variable_of(part: Part) -> str:
    """Return the variable that moves a part's port."""
    return f"PENSTOCK_{str(part.port).upper()}_PORT"


def url_of(part: Part, workspace: Workspace) -> str | None:
    """Return where a part answers, None if it listens on no port."""
    port = port_of(part, workspace)
    return None if port is None else f"http://127.0.0.1:{port}"


def find_part(name: str) -> Part:
    """Return the part of a name."""
    return next(part for part in PARTS if part.name == name)


def _prefect(workspace: Workspace) -> list[str]:
    port = str(workspace.ports.prefect)
    return [sys.executable, "-m", "penstock.orchestration.prefect_server", "--host", "127.0.0.1", "--port", port]


def _worker(_: Workspace) -> list[str]:
    pool = ["--pool", POOL, "--type", "process", "--name", WORKER]
    command = ["penstock.orchestration.prefect_command", "worker", "start", *pool, "--install-policy", "never"]
    return [sys.executable, "-m", *command]


def _mlflow(workspace: Workspace) -> list[str]:
    """Start MLflow's application as `mlflow server` does, without the launcher that costs 2 s and 0.2 GB."""
    address = ["--host", "127.0.0.1", "--port", str(workspace.ports.mlflow), "--workers", "1"]
    return [sys.executable, "-m", "uvicorn", *address, "--log-level", "warning", "--factory", APPLICATION]


def _mlflow_environment(workspace: Workspace) -> dict[str, str]:
    """Return what `mlflow server` tells the application."""
    database = mlflow_database_url(workspace)
    return {
        "_MLFLOW_SERVER_FILE_STORE": database,
        "_MLFLOW_SERVER_REGISTRY_STORE": database,
        "_MLFLOW_SERVER_ARTIFACT_ROOT": ARTIFACT_ROOT,
        "_MLFLOW_SERVER_ARTIFACT_DESTINATION": str(workspace.home / "mlflow"),
        "_MLFLOW_SERVER_SERVE_ARTIFACTS": "true",
        "_MLFLOW_SGI_NAME": "uvicorn",
        "_MLFLOW_IN_JOB_EXECUTOR": "false",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    }


def _serving(workspace: Workspace) -> list[str]:
    address = ["--host", "127.0.0.1", "--port", str(workspace.ports.serving)]
    return [sys.executable, "-m", "bentoml", "serve", "penstock.serving.service:Inference", *address]


def _control(_: Workspace) -> list[str]:
    return [sys.executable, "-m", "penstock.control"]


PARTS = (
    Part("prefect", _prefect, port="prefect", health="/api/health"),
    Part("worker", _worker, ready=worker_is_online, stop_signal="KILL"),  # politely it takes 2 s, and says no more
    Part(
        "mlflow", _mlflow, _mlflow_environment, port="mlflow", health="/api/2.0/mlflow/experiments/search?max_results=1"
    ),
    Part("serving", _serving, port="serving", health="/livez"),
    Part("control", _control, ready=control_is_well),
)


def record_of(name: str, workspace: Workspace) -> Path:
    """Return the file in which a part leaves its pid and start time."""
    return workspace.parts / f"{name}.json"


def log_of(name: str, workspace: Workspace) -> Path:
    """Return the file that a part writes its output to."""
    return workspace.logs / f"{name}.log"
