"""The address of everything that lasts."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

# A name never becomes a path or an address before it is one; that of a Bento must end in a letter or digit.
PROJECT_NAME = r"[a-z]([a-z0-9-]{0,46}[a-z0-9])?"


@dataclass(frozen=True, slots=True)
class Clock:
    """A calendar that runs faster than the wall: `started` on the wall is `start` in the calendar."""

    start: datetime
    scale: float
    started: datetime

    def now(self) -> datetime:
        """Return the calendar's time, UTC."""
        return self.start + timedelta(seconds=(datetime.now(UTC) - self.started).total_seconds() * self.scale)


@dataclass(frozen=True, slots=True)
class Ports:
    """The loopback ports of the embedded stack."""

    prefect: int = 4200
    mlflow: int = 5000
    serving: int = 3000
    console: int = 8080


@dataclass(frozen=True, slots=True)
class Workspace:
    """The folder, ports and database of one installation: an address, not a connection.

    `app` is the folder that holds `flows/`, `tasks/` and `prefect.yaml`, checkout or installed.
    """

    home: Path
    app: Path
    ports: Ports = Ports()
    database_server: str | None = None
    artifacts_url: str | None = None
    clock: Clock | None = None

    def now(self) -> datetime:
        """Return the time that policies, windows and cool-downs read, UTC."""
        return self.clock.now() if self.clock else datetime.now(UTC)

    @property
    def prefect_url(self) -> str:
        """Where Prefect's server answers."""
        return f"http://127.0.0.1:{self.ports.prefect}"

    @property
    def mlflow_url(self) -> str:
        """Where MLflow's server answers."""
        return f"http://127.0.0.1:{self.ports.mlflow}"

    @property
    def serving_url(self) -> str:
        """Where the inference service answers."""
        return f"http://127.0.0.1:{self.ports.serving}"

    @property
    def journal(self) -> Path:
        """The folder of what was asked and answered."""
        return self.home / "journal"

    @property
    def logs(self) -> Path:
        """The folder of the parts' logs."""
        return self.home / "logs"

    @property
    def parts(self) -> Path:
        """The folder in which each part leaves its pid and start time."""
        return self.home / "parts"

    @property
    def secrets(self) -> Path:
        """The folder of the workspace's own keys (mode 700)."""
        return self.home / "secrets"

    @property
    def searches(self) -> Path:
        """The folder of studies and encoded folds."""
        return self.home / "searches"

    def endpoint(self, project: str) -> str:
        """Return the full URL of a project's predict call."""
        return f"{self.serving_url}/v1/{project}/predict"
