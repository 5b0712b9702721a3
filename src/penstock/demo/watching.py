"""What a stranger can see of flow runs: Prefect's HTTP interface, asked again and again."""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any, TypeVar

from penstock.errors import PenstockError

PAUSE = 0.25
ENDED = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}

T = TypeVar("T")


def wait_for(what: str, look: Callable[[], T | None], seconds: float, pause: float = PAUSE) -> T:
    """Look until something is there.

    Raises
    ------
    PenstockError
        If it is not there in time; `what` must be there.
    """
    deadline = time.monotonic() + seconds
    while (found := look()) is None:
        if time.monotonic() > deadline:
            raise PenstockError(f"{what} must be there after {seconds:.0f} s, but is not. Look into the logs.")
        time.sleep(pause)
    return found


class Prefect:
    """Flow runs, as Prefect's page sees them."""

    def __init__(self, url: str) -> None:
        self.url = url

    def start(self, flow: str, parameters: dict[str, Any]) -> dict[str, Any]:
        """Start a flow's deployment, and return the flow run."""
        deployment = self._ask(f"/deployments/name/{flow}/{flow}")
        run: dict[str, Any] = self._ask(f"/deployments/{deployment['id']}/create_flow_run", {"parameters": parameters})
        return run

    def run(self, identity: str) -> dict[str, Any]:
        """Return a flow run."""
        run: dict[str, Any] = self._ask(f"/flow_runs/{identity}")
        return run

    def runs_of(self, flow: str) -> list[dict[str, Any]]:
        """Return the newest flow runs of a flow."""
        question = {"flows": {"name": {"any_": [flow]}}, "sort": "EXPECTED_START_TIME_DESC", "limit": 20}
        runs: list[dict[str, Any]] = self._ask("/flow_runs/filter", question)
        return runs

    def finished_tasks(self, identity: str) -> list[str]:
        """Return the names of a flow run's tasks that have ended, in order."""
        question = {
            "task_runs": {"flow_run_id": {"any_": [identity]}, "state": {"type": {"any_": ["COMPLETED"]}}},
            "sort": "END_TIME_DESC",
        }
        return [str(run["name"]).rsplit("-", 1)[0] for run in reversed(self._ask("/task_runs/filter", question))]

    def ended(self, identity: str) -> dict[str, Any] | None:
        """Return a flow run if it has ended."""
        run = self.run(identity)
        return run if run["state_type"] in ENDED else None

    def page(self, identity: str) -> str:
        """Return the page of a flow run."""
        return f"{self.url}/runs/flow-run/{identity}"

    def _ask(self, path: str, body: object = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(  # noqa: S310  our own server on loopback
            f"{self.url}/api{path}", data, {"Content-Type": "application/json"}
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as response:  # noqa: S310
                return json.load(response)
        except urllib.error.HTTPError as error:
            raise PenstockError(
                f"Prefect must answer {path}, but said {error.code}: {error.read()[:300]!r}."
            ) from error


def must_complete(run: dict[str, Any], page: str) -> None:
    """Raise unless a flow run has completed."""
    if run["state_type"] != "COMPLETED":
        said = (run.get("state") or {}).get("message") or ""
        raise PenstockError(
            f"The flow run {run['name']!r} must complete, but is {run['state_type']}: {said} See {page}."
        )
