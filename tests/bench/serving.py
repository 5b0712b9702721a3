"""What journal and router cost a request, and what the service answers in a second: ``make bench-serving``.

Figures are of this machine and moment; the ratios between them are what to look at.
"""

import asyncio
import contextlib
import http.client
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import sqlalchemy as sa

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from penstock.domain.workspace import Workspace
from penstock.serving.auth import Keys, project_key
from penstock.serving.http.application import Application, Parts
from penstock.serving.http.shadowing import Shadowing
from penstock.serving.journal import Journal
from penstock.serving.journals.shadow_spool import ShadowSpool
from penstock.serving.router import Router
from penstock.store import database, tables
from penstock.store.schema import migrate
from penstock.store.workspace import inherited_environment, make_folders
from tests.bench.measures import measured
from tests.conftest import ROOT, free_ports
from tests.unit.serving.stand_in import ROW, keep_version, release

CALLS = 5000
ROUNDS = 5
BODY = json.dumps({"rows": [{**ROW, "customer": "c1"}]}).encode()


class Nowhere(Journal):
    """A journal that keeps nothing."""

    def append(self, project: str, request_id: str, rest: bytes) -> None:
        """Keep nothing."""


def seconds_a_call(app: Application, key: str) -> float:
    """Return the CPU seconds of one predict call inside the process, the median of some rounds."""
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/v1/churn/predict",
        "headers": [(b"authorization", f"Bearer {key}".encode())],
    }

    async def receive() -> Any:
        return {"type": "http.request", "body": BODY, "more_body": False}

    async def send(_: Any) -> None:
        pass

    async def ask() -> None:
        for _ in range(CALLS):
            await app(scope, receive, send)

    took = []
    for _ in range(ROUNDS):
        began = time.process_time()
        asyncio.run(ask())
        took.append((time.process_time() - began) / CALLS)
    return statistics.median(took)


async def waits(apps: list[Application], key: str) -> list[tuple[float, float]]:
    """Return p50 and p99 of the microseconds that callers wait for some applications, asked in blocks by turns."""
    authorization = (b"authorization", f"Bearer {key}".encode())
    scope = {"type": "http", "method": "POST", "path": "/v1/churn/predict", "headers": [authorization]}

    async def receive() -> Any:
        return {"type": "http.request", "body": BODY, "more_body": False}

    async def send(_: Any) -> None:
        pass

    took: list[list[float]] = [[] for _ in apps]
    for block in range(20 * len(apps)):
        number = block % len(apps)
        for _ in range(100):
            began = time.perf_counter()
            await apps[number](scope, receive, send)
            took[number].append(time.perf_counter() - began)
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.3)  # for what the shadow has not done yet
    return [(cut[49] * 1e6, cut[98] * 1e6) for cut in (statistics.quantiles(each, n=100) for each in took)]


def tell(title: str, value: float, unit: str, peers: Mapping[str, float] | None = None) -> dict[str, Any]:
    """Print a figure, beside those of its peers, and return it as a measure."""
    beside = "".join(f"   {name} {figure:.1f}" for name, figure in (peers or {}).items())
    print(f"{title:52}{value:8.1f} {unit}{beside}")
    rounded = {name: round(figure, 1) for name, figure in (peers or {}).items()}
    return {title: measured(round(value, 1), unit, peers=rounded)}


def inside(workspace: Workspace) -> dict[str, Any]:
    """Print and return what the parts of a predict call cost."""
    router, keys = Router(workspace), Keys(workspace)
    router.refresh()
    keys.refresh()
    key = project_key("churn", workspace)
    one = router.current
    release("2", workspace, previous="1", state="partial", weights={"1": 75.0, "2": 25.0})
    router.refresh()
    two = router.current
    bundle = one.routes["churn"].live["1"].bundle
    with database.connect(workspace).begin() as connection:
        connection.execute(sa.update(tables.releases).values(state="superseded"))
    until = datetime.now(UTC) + timedelta(hours=1)
    release("2", workspace, previous="1", state="shadow", weights={"1": 100.0, "2": 0.0}, valid_until=until)
    router.refresh()
    shadowed = router.current

    def app(routing: Any, journal: Journal) -> float:
        return seconds_a_call(Application(Parts(lambda: routing, keys, journal, workspace.now)), key)

    floor = app(one, Nowhere(workspace))
    began = time.process_time()
    for _ in range(CALLS):
        bundle.predict_rows([ROW])
    graph = {"decode, graph and answer": (time.process_time() - began) / CALLS * 1e6}
    found = tell("the whole call, without a journal", floor * 1e6, "us", graph)
    whole = {"the whole call": floor * 1e6}
    found |= tell("the journal adds", (app(one, Journal(workspace)) - floor) * 1e6, "us", whole)
    found |= tell("a second version (the router) adds", (app(two, Nowhere(workspace)) - floor) * 1e6, "us", whole)
    shadowing = Shadowing(ShadowSpool(workspace))
    shadowing.start()
    served = partial(Parts, doors=keys, journal=Journal(workspace), now=workspace.now, shadowing=shadowing)
    apps = [Application(served(lambda: one)), Application(served(lambda: shadowed))]
    alone, beside = asyncio.run(waits(apps, key))
    shadowing.stop()
    for name, slow, fast in zip(("p50", "p99"), beside, alone, strict=True):
        found |= tell(f"100 calls a second beside a shadow, {name}", slow, "us", {"without one": fast})
    return found | tell("calls that the shadow left out", sum(shadowing.dropped.values()), "calls")


def outside(workspace: Workspace) -> dict[str, Any]:
    """Print and return what the running service answers to one client, beside an empty call."""
    key = project_key("churn", workspace)
    address = ["--host", "127.0.0.1", "--port", str(workspace.ports.serving)]
    process = subprocess.Popen(
        [sys.executable, "-m", "bentoml", "serve", "penstock.serving.service:Inference", *address],
        env=inherited_environment(workspace),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        connection = http.client.HTTPConnection("127.0.0.1", workspace.ports.serving, timeout=10)
        _wait(workspace.ports.serving)
        _ask(connection, "GET", "/readyz", b"", key)  # the port is open before the process behind it is ready
        empty = _measure(connection, process.pid, ("GET", "/livez", b"", key))
        asked = _measure(connection, process.pid, ("POST", "/v1/churn/predict", BODY, key))
        found: dict[str, Any] = {}
        for (name, unit), value in asked.items():
            found |= tell(f"predict, one row: {name}", value, unit, {"an empty call": empty[name, unit]})
        return found
    finally:
        connection.close()
        os.killpg(process.pid, signal.SIGTERM)
        process.wait()


def _measure(
    connection: http.client.HTTPConnection, pid: int, call: tuple[str, str, bytes, str]
) -> dict[tuple[str, str], float]:
    """Return what was measured of many calls, by its name and unit."""
    workers = psutil.Process(pid).children(recursive=True)
    before = sum(sum(worker.cpu_times()[:2]) for worker in workers)
    took = []
    for _ in range(CALLS):
        began = time.perf_counter()
        _ask(connection, *call)
        took.append(time.perf_counter() - began)
    cpu = sum(sum(worker.cpu_times()[:2]) for worker in workers) - before
    took.sort()
    return {
        ("answers a second", "1/s"): CALLS / sum(took),
        ("p50", "us"): took[CALLS // 2] * 1e6,
        ("p99", "us"): took[CALLS * 99 // 100] * 1e6,
        ("the server's processor time", "us"): cpu / CALLS * 1e6,
    }


def _ask(connection: http.client.HTTPConnection, method: str, path: str, body: bytes, key: str) -> int:
    connection.request(method, path, body or None, {"Authorization": f"Bearer {key}"})
    answer = connection.getresponse()
    answer.read()
    return answer.status


def _wait(port: int) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise SystemExit("The service must listen within 60 s, but did not.")


def main() -> None:
    """Measure."""
    with tempfile.TemporaryDirectory() as made:
        workspace = Workspace(home=Path(made), app=ROOT, ports=free_ports())
        make_folders(workspace)
        migrate(workspace)
        for version in ("1", "2"):
            keep_version(version, workspace, Path(made) / version)
        release("1", workspace)
        found = inside(workspace)
        release("1", workspace)
        print(json.dumps(found | outside(workspace)))


if __name__ == "__main__":
    main()
