"""A project of the stranger that serves and retrains as soon as a loss is measured, and what must hold of it."""

import json
import random
import sqlite3
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from tests.stranger import Stranger, ask, check_shape, rows_of

PATIENCE = 240
TRAINED_ON = 2000
ROWS = 400
SETTINGS = {
    "families": {"include": ["linear"]},
    "budget": {"seconds": 15, "trials": 3},
    "rollout": {"stages": [100]},
    "monitoring": {"every_minutes": 100_000, "window_rows": ROWS, "min_rows": 100},
    "retrain": {"persistence": 1, "cooldown_minutes": 0, "min_new_labels": 100},
}


@dataclass
class Project:
    """A project of the stranger that serves, with what is known of it."""

    name: str
    stranger: Stranger
    said: dict[str, Any]
    table: pd.DataFrame
    asked: int = 0

    def monitor(self) -> str:
        """Watch a window that shows a loss; return the decision's id."""
        watched = self.stranger.answer("monitor", self.name)
        assert watched["decision"]["verdict"] == "retrain", watched["decision"]["reasons"]
        return str(watched["incident"])

    @property
    def home(self) -> Path:
        """The workspace."""
        return Path(self.stranger.environment["PENSTOCK_HOME"])

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Ask Penstock's own database."""
        connection = sqlite3.connect(self.home / "penstock.db", timeout=30)
        try:
            return connection.execute(query, values).fetchall()
        finally:
            connection.close()

    def prefect(self, path: str, body: object, method: str = "POST") -> Any:
        """Ask Prefect's server."""
        address = f"http://127.0.0.1:{self.stranger.environment['PENSTOCK_PREFECT_PORT']}/api{path}"
        asked = urllib.request.Request(
            address, json.dumps(body).encode(), {"Content-Type": "application/json"}, method=method
        )
        with urllib.request.urlopen(asked, timeout=30) as response:
            return json.loads(response.read() or b"null")

    def lose(self) -> None:
        """Send customers of whom anything may come true, whatever is known of them, with their labels."""
        chance = random.Random(self.asked)  # noqa: S311  not for secrets
        self._send(lambda _: chance.choice(("no", "yes")))

    def go_on(self) -> None:
        """Send customers with what came true of them."""
        self._send(str)

    def _send(self, label_of: Callable[[object], str]) -> None:
        sent = self.table.iloc[TRAINED_ON + self.asked :].head(ROWS)
        labels: list[dict[str, Any]] = []
        for start in range(0, ROWS, 50):
            part = sent.iloc[start : start + 50]
            status, said = ask(self.said["endpoint"], {"rows": rows_of(part.drop(columns="churned"))}, self.said["key"])
            assert status == 200, said
            labels += [
                {"request_id": said["request_id"], "row": row, "value": label_of(churned)}
                for row, churned in enumerate(part["churned"])
            ]
        address = self.said["endpoint"].replace("/predict", "/labels")
        status, said = ask(address, {"labels": labels}, self.said["key"])
        assert (status, said["accepted"]) == (200, ROWS), said
        self.asked += ROWS


def make_project(name: str, stranger: Stranger, table: pd.DataFrame) -> Project:
    """Train and release a first version of a project on the first rows of a table."""
    table.head(TRAINED_ON).to_csv(stranger.folder / f"{name}.csv", index=False)
    stranger.answer("init", name, "--data", f"{name}.csv", "--target", "churned")
    path = stranger.folder / "projects" / f"{name}.yaml"
    settings = yaml.safe_load(path.read_text())
    settings |= SETTINGS
    path.write_text(yaml.safe_dump(settings))
    said = stranger.answer("run", name)
    assert said["endpoint"], said["decision"]
    return Project(name, stranger, said, table)


def wait_for(holds: Callable[[], object], what: str, seconds: float = PATIENCE) -> None:
    """Wait until something is so; servers may be away meanwhile."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            if holds():
                return
        except (OSError, TypeError, KeyError):  # a server that is away
            pass
        assert time.monotonic() < deadline, f"{what}, but not within {seconds} s"
        time.sleep(0.5)


def carried_out(project: Project, decision: str, told: object = "") -> None:
    """Wait until a decision is carried out, and everything is at rest; then everything must be in order."""
    ended = "select 1 from claims where decision = ? and ended_at is not null"
    wait_for(lambda: project.rows(ended, decision), f"the retraining must come to its end {told}")
    wait_for(lambda: not at_work(project), f"no flow run stays at work {told}")
    settled = "select 1 from outbox where key = ? and settled_at is not null"
    wait_for(lambda: project.rows(settled, decision), f"the notice must be settled {told}")
    wait_for(lambda: not project.rows("select 1 from outbox where emitted_at is null"), f"all must be told {told}")
    assert list(faults(project, decision)) == [], told


def faults(project: Project, decision: str) -> Iterator[str]:
    """Say what was lost, doubled or left behind."""
    trainings = project.rows("select id from trainings where incident = ? and state = 'ended'", decision)
    if len(trainings) != 1:
        yield f"{len(trainings)} trainings came to an end"
    made = project.rows(
        "select version from versions join trainings on training = trainings.id where incident = ?", decision
    )
    if len(made) != 1:
        yield f"{len(made)} versions were made"
    if project.rows("select id from trainings where state = 'open'"):
        yield "a training is still open"
    if project.rows("select decision from claims where ended_at is null"):
        yield "a claim is still open"
    if project.rows("select name from leases"):
        yield "a lease is still held"
    judged = project.rows("select action from audit where incident = ? and action like 'judge.%'", decision)
    if len(judged) != 1:
        yield f"the judge has said {judged}"
    told = project.rows("select settled_at, flow_run from outbox where key = ?", decision)
    if len(told) != 1 or None in told[0]:
        yield f"the notice says {told}"
    decided = project.rows("select count(*), count(distinct decision) from windows where project = ?", project.name)
    if decided[0][0] != decided[0][1]:
        yield "a window has two decisions"
    yield from _lost_rows(project)


def _lost_rows(project: Project) -> Iterator[str]:
    labels = project.rows("select count(*) from labels where project = ? and newest and known", project.name)
    if labels != [(project.asked,)]:
        yield f"{labels} labels of {project.asked}"
    datasets = project.rows("select body from datasets where project = ? order by number desc", project.name)
    rows = json.loads(datasets[0][0])["rows"]
    if rows != TRAINED_ON + project.asked:
        yield f"{rows} rows of {TRAINED_ON} and {project.asked}"
    for event, payload in project.rows("select event, payload from outbox where project = ?", project.name):
        check_shape({"project": project.name, "incident": None, **json.loads(payload)}, "events.json", event)


def at_work(project: Project) -> list[str]:
    """Return the flow runs that have not come to an end."""
    types = ["RUNNING", "PENDING", "CANCELLING"]
    found = project.prefect("/flow_runs/filter", {"flow_runs": {"state": {"type": {"any_": types}}}})
    return [f"{run['name']} {run['state_name']}" for run in found]
