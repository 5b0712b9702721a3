"""S9 for the loop: whatever part is killed while a decision to retrain is on its way, it is done, once."""

import json
import os
import random
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import psutil
import pytest
import yaml

from tests.stranger import Stranger, ask, rows_of

PARTS = ("worker", "control", "prefect", "mlflow")
PATIENCE = 240
ROWS = 400
ROUNDS = 10
NEVER = {"every_minutes": 100_000, "window_rows": ROWS, "min_rows": 100}
SMALL = {"seconds": 15, "trials": 3}
SOON = {"persistence": 1, "cooldown_minutes": 0, "min_new_labels": 100}


@dataclass
class Project:
    """A project of the stranger that serves, with what is known of it."""

    name: str
    stranger: Stranger
    said: dict[str, Any]
    table: pd.DataFrame
    asked: int = 0

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

    def prefect(self, path: str, body: object = None) -> Any:
        """Ask Prefect's server."""
        return ask(f"http://127.0.0.1:{self.stranger.environment['PENSTOCK_PREFECT_PORT']}/api{path}", body)[1]

    def lose(self) -> None:
        """Send customers of whom the opposite of what is expected comes true, with their labels."""
        sent = self.table.sample(ROWS, random_state=self.asked)
        labels = []
        for start in range(0, ROWS, 50):
            part = sent.iloc[start : start + 50]
            status, said = ask(self.said["endpoint"], {"rows": rows_of(part.drop(columns="churned"))}, self.said["key"])
            assert status == 200, said
            labels += [
                {"request_id": said["request_id"], "row": row, "value": "no" if value == "yes" else "yes"}
                for row, value in enumerate(part["churned"])
            ]
        address = self.said["endpoint"].replace("/predict", "/labels")
        status, said = ask(address, {"labels": labels}, self.said["key"])
        assert (status, said["accepted"]) == (200, ROWS), said
        self.asked += ROWS


@pytest.fixture(scope="module")
def project(stranger: Stranger, subscriptions: pd.DataFrame) -> Project:
    """A project that retrains as soon as a loss is measured."""
    table = subscriptions.head(2000)
    table.to_csv(stranger.folder / "loop.csv", index=False)
    stranger.answer("init", "loop", "--data", "loop.csv", "--target", "churned")
    path = stranger.folder / "projects" / "loop.yaml"
    settings = yaml.safe_load(path.read_text())
    settings |= {"monitoring": NEVER, "retrain": SOON, "families": {"include": ["linear"]}, "budget": SMALL}
    path.write_text(yaml.safe_dump(settings))
    said = stranger.answer("run", "loop")
    assert said["endpoint"], said["decision"]
    return Project("loop", stranger, said, table)


def kill(part: str, project: Project) -> None:
    """Kill the process of a part without mercy."""
    record = json.loads((project.home / "parts" / f"{part}.json").read_text())
    with_luck = psutil.pid_exists(record["pid"])
    if with_luck:
        os.kill(record["pid"], signal.SIGKILL)


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
    labels = project.rows("select count(*) from labels where project = ? and newest and known", project.name)
    if labels != [(project.asked,)]:
        yield f"{labels} labels of {project.asked}"


def at_work(project: Project) -> list[str]:
    """Return the flow runs that have not come to an end."""
    types = ["RUNNING", "PENDING", "CANCELLING"]
    found = project.prefect("/flow_runs/filter", {"flow_runs": {"state": {"type": {"any_": types}}}})
    return [f"{run['name']} {run['state_name']}" for run in found]


def play(project: Project, seed: int) -> None:
    """Lose, decide, and kill every part once at a random moment; then everything must be in order."""
    chance = random.Random(seed)  # noqa: S311  not for secrets
    project.lose()
    moments = sorted((chance.uniform(0, 25), part) for part in PARTS)
    watched = project.stranger.answer("monitor", project.name)
    decision = watched["incident"]
    assert watched["decision"]["verdict"] == "retrain", watched["decision"]["reasons"]
    began = time.monotonic()
    for moment, part in moments:
        time.sleep(max(0.0, moment - (time.monotonic() - began)))
        kill(part, project)
    done = "select 1 from claims where decision = ? and ended_at is not null"
    wait_for(lambda: project.rows(done, decision), f"the retraining must come to its end ({moments})")
    wait_for(lambda: not at_work(project), f"no flow run stays at work ({moments})")
    settled = "select 1 from outbox where key = ? and settled_at is not null"
    wait_for(lambda: project.rows(settled, decision), f"the notice must be settled ({moments})")
    wait_for(lambda: not project.rows("select 1 from outbox where emitted_at is null"), "every event must be told")
    assert list(faults(project, decision)) == [], moments
    assert project.stranger.answer("audit-verify") == {"broken": None}


def test_a_decision_is_carried_out_once_whatever_is_killed(project: Project) -> None:
    play(project, seed=0)


@pytest.mark.full
@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", range(1, ROUNDS + 1))
def test_ten_more_rounds(project: Project, seed: int) -> None:
    play(project, seed)
