"""Find the workspace, and set up what processes must be told; alone reads the environment."""

import os
from pathlib import Path
from urllib.parse import SplitResult, parse_qsl, urlencode, urlsplit

import penstock
from penstock.domain.workspace import Clock, Ports, Workspace
from penstock.errors import NotFound, SpecError
from penstock.store.calendar import find_clock, text_of

FOLDERS = ("journal", "logs", "parts", "searches", "artifacts", "prefect", "bentoml")
DEFAULT_PORTS = {"prefect": 4200, "mlflow": 5000, "serving": 3000, "console": 8080}
POSTGRES = ("postgresql", "postgres")
BOTH_TAKE = ("host", "passfile", "password", "sslmode", "target_session_attrs", "user")  # psycopg, and asyncpg too


def find_workspace(*, create: bool = True, folder: Path = Path()) -> Workspace:
    """Return the workspace that the environment names, `./.penstock` by default.

    Parameters
    ----------
    create
        Make the folders that are missing.
    folder
        Where `.penstock` lies if the environment names no workspace.

    Raises
    ------
    SpecError
        If a variable says something it must not.
    """
    home = Path(os.environ.get("PENSTOCK_HOME") or folder / ".penstock").resolve()
    workspace = Workspace(
        home=home,
        app=_app_folder(),
        ports=Ports(**{name: _port(name, default) for name, default in DEFAULT_PORTS.items()}),
        database_server=_server(),
        artifacts_url=os.environ.get("PENSTOCK_ARTIFACTS_URL") or None,
        clock=_clock(home, create=create),
    )
    if create:
        make_folders(workspace)
    return workspace


def home_folder() -> Path:
    """Return the folder of the workspace, `./.penstock` by default."""
    return Path(os.environ.get("PENSTOCK_HOME") or ".penstock").resolve()


def make_folders(workspace: Workspace) -> None:
    """Make the workspace's folders; the keys' folder is for its owner only."""
    for name in FOLDERS:
        (workspace.home / name).mkdir(parents=True, exist_ok=True)
    workspace.secrets.mkdir(mode=0o700, exist_ok=True)


def environment(workspace: Workspace) -> dict[str, str]:
    """Return the variables of every process of this workspace: where things are, and no telemetry."""
    home = workspace.home
    return {
        **_own_variables(workspace),
        **_no_telemetry(),
        "PREFECT_HOME": str(home / "prefect"),
        "PREFECT_API_URL": f"{workspace.prefect_url}/api",
        "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "false",
        "PREFECT_SERVER_UI_API_URL": f"{workspace.prefect_url}/api",
        "PREFECT_SERVER_DATABASE_CONNECTION_URL": _database(
            workspace, "prefect", "sqlite+aiosqlite", "postgresql+asyncpg"
        ),
        "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect.server.concurrency.lease_storage.filesystem",
        "PREFECT_CLI_PROMPT": "false",
        "PREFECT_LOGGING_EXTRA_LOGGERS": "penstock",
        "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",  # lines of threads that a step starts
        "PREFECT_WORKER_QUERY_SECONDS": "1",
        "MLFLOW_TRACKING_URI": workspace.mlflow_url,
        "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_DISABLE_ENV_MANAGER_CONDA_WARNING": "true",
        "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "3",
        "GIT_PYTHON_REFRESH": "quiet",
        "BENTOML_HOME": str(home / "bentoml"),
        "MPLBACKEND": "Agg",
        "NO_PROXY": "127.0.0.1,localhost",
        "no_proxy": "127.0.0.1,localhost",
        "PYTHONPATH": os.pathsep.join(_python_path(workspace)),
        "PYTHONDONTWRITEBYTECODE": "",
    }


def use_environment(workspace: Workspace) -> None:
    """Put the workspace's variables into this process, before any library reads them."""
    os.environ.update(environment(workspace))


def inherited_environment(workspace: Workspace) -> dict[str, str]:
    """Return this process's variables with the workspace's own: what a child process is started with."""
    return {**os.environ, **environment(workspace)}


def secret(reference: str) -> str:
    """Return a secret that a project file names as `env:NAME`; any other text is returned as it is.

    Raises
    ------
    SpecError
        If the variable is not set.
    """
    if not reference.startswith("env:"):
        return reference
    name = reference.removeprefix("env:")
    value = os.environ.get(name)
    if not value:
        raise SpecError(
            f"The environment variable {name!r} must hold the secret that the project file names, but is not set."
        )
    return value


def api_key() -> str | None:
    """Return the key of `PENSTOCK_API_KEY`, with which commands call the service."""
    return os.environ.get("PENSTOCK_API_KEY") or None


def actor() -> str:
    """Return who is at work: the login of this process's user."""
    return os.environ.get("PENSTOCK_ACTOR") or os.environ.get("USER") or f"uid {os.getuid()}"


def visible_gpus() -> str | None:
    """Return the GPUs that this process may use, as `CUDA_VISIBLE_DEVICES` says; None for all there are."""
    return os.environ.get("CUDA_VISIBLE_DEVICES")


def demo_exits() -> bool:
    """Return whether `DEMO_EXIT` asks the demo to end by itself."""
    return os.environ.get("DEMO_EXIT", "") not in ("", "0")


def database_url(workspace: Workspace) -> str:
    """Return the SQLAlchemy URL of Penstock's own database."""
    return _database(workspace, "penstock", "sqlite", "postgresql+psycopg")


def mlflow_database_url(workspace: Workspace) -> str:
    """Return the SQLAlchemy URL of MLflow's database."""
    return _database(workspace, "mlflow", "sqlite", "postgresql+psycopg")


def _database(workspace: Workspace, name: str, sqlite: str, postgres: str) -> str:
    if workspace.database_server is None:
        return f"{sqlite}:///{workspace.home / name}.db"
    server = _parts_of(workspace.database_server)
    options = _for_asyncpg(server.query) if postgres.endswith("asyncpg") else server.query
    return f"{postgres}://{server.netloc}/{name}" + (f"?{options}" if options else "")


def _server() -> str | None:
    address = os.environ.get("PENSTOCK_DATABASE_URL") or None
    if address is not None:
        _for_asyncpg(_parts_of(address).query)  # refused here, and not by the first part that connects
    return address


def _parts_of(address: str) -> SplitResult:
    """Return the parts of the database server's address; one that is refused is not shown: it may hold a password."""
    try:
        server = urlsplit(address)
        fault = _fault_of(server)
    except ValueError:  # its own words show the address
        fault = "has a host or a port that cannot be read"
    if fault is not None:
        raise SpecError(
            "`PENSTOCK_DATABASE_URL` must be the address of a PostgreSQL server, such as "
            f"postgresql://user:password@host:5432, but {fault}. "
            "In a user's name or a password write / as %2F, ? as %3F, # as %23 and @ as %40."
        )
    return server


def _fault_of(server: SplitResult) -> str | None:
    if server.scheme.partition("+")[0] not in POSTGRES:
        return f"has the scheme {server.scheme!r}"
    if server.netloc.count("@") > 1 or "@" in server.path + server.query + server.fragment:
        return "has an '@' elsewhere than before the host"
    if "/" in server.path.strip("/") or server.fragment:
        return "has more than a database's name and options behind the host"
    if server.port == 0 or not (server.hostname or "host" in dict(parse_qsl(server.query))):
        return "has no host, or port 0"
    return None


def _for_asyncpg(options: str) -> str:
    """Return options of libpq as SQLAlchemy hands them to asyncpg, by which Prefect connects."""
    pairs = parse_qsl(options)
    unknown = sorted({name for name, _ in pairs if name not in BOTH_TAKE})
    if unknown:
        raise SpecError(
            f"The options of `PENSTOCK_DATABASE_URL` must be some of {', '.join(BOTH_TAKE)}, which every database "
            f"driver takes, but there are {', '.join(map(repr, unknown))}. Leave these out; certificates are named by "
            "the variables PGSSLROOTCERT, PGSSLCERT and PGSSLKEY, which every driver reads."
        )
    return urlencode([("ssl" if name == "sslmode" else name, value) for name, value in pairs])


def _own_variables(workspace: Workspace) -> dict[str, str]:
    ports = workspace.ports
    values = {
        "PENSTOCK_HOME": str(workspace.home),
        "PENSTOCK_APP": str(workspace.app),
        "PENSTOCK_PREFECT_PORT": str(ports.prefect),
        "PENSTOCK_MLFLOW_PORT": str(ports.mlflow),
        "PENSTOCK_SERVING_PORT": str(ports.serving),
        "PENSTOCK_CONSOLE_PORT": str(ports.console),
    }
    if workspace.database_server:
        values["PENSTOCK_DATABASE_URL"] = workspace.database_server
    if workspace.artifacts_url:
        values["PENSTOCK_ARTIFACTS_URL"] = workspace.artifacts_url
    if workspace.clock:
        values["PENSTOCK_CLOCK"] = text_of(workspace.clock)
    return values


def _no_telemetry() -> dict[str, str]:
    return {
        "DO_NOT_TRACK": "true",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "BENTOML_DO_NOT_TRACK": "true",
        "GX_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
        "OTEL_SDK_DISABLED": "true",
    }


def _python_path(workspace: Workspace) -> list[str]:
    source = str(Path(penstock.__file__).resolve().parents[1])
    inherited = [part for part in os.environ.get("PYTHONPATH", "").split(os.pathsep) if part]
    first = [str(workspace.app)] if "site-packages" in source else [str(workspace.app), source]
    return first + [part for part in inherited if part not in first]


def _app_folder() -> Path:
    package = Path(penstock.__file__).resolve().parent
    installed = package / "app"
    folder = installed if installed.is_dir() else package.parents[1]
    if not (folder / "flows").is_dir():
        raise NotFound(f"The application's flows must lie in {folder}, but are not there. Install Penstock again.")
    return folder


def _port(name: str, default: int) -> int:
    variable = f"PENSTOCK_{name.upper()}_PORT"
    text = os.environ.get(variable)
    if not text:
        return default
    if not text.isdigit() or not 0 < int(text) < 65536:  # noqa: PLR2004  the range of ports
        raise SpecError(f"{variable} must be a port from 1 to 65535, but is {text!r}.")
    return int(text)


def _clock(home: Path, *, create: bool) -> Clock | None:
    text = os.environ.get("PENSTOCK_CLOCK")
    return find_clock(text, home, create=create) if text else None
