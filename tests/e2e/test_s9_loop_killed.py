"""S9 for the loop: whatever part is killed while a decision to retrain is on its way, it is done, once."""

import json
import os
import random
import signal
import time
from contextlib import suppress

import pytest

from tests.e2e.loop import Project, carried_out

PARTS = ("worker", "control", "prefect", "mlflow")
ROUNDS = 10


def kill(part: str, project: Project) -> None:
    """Kill the process of a part without mercy, if it is there."""
    with suppress(FileNotFoundError, ProcessLookupError):
        record = json.loads((project.home / "parts" / f"{part}.json").read_text())
        os.kill(record["pid"], signal.SIGKILL)


def decide(project: Project, chance: random.Random) -> str:
    """Kill a monitor run at a random moment, and run another if no decision was left behind; return the decision."""
    query = "select key from outbox where event = 'penstock.drift.detected' and project = ?"
    before = project.rows(query, project.name)
    killed = project.stranger.start("monitor", project.name, "--json")
    time.sleep(chance.uniform(0, 10))
    killed.kill()
    killed.communicate()
    made = [key for (key,) in project.rows(query, project.name) if (key,) not in before]
    return str(made[0]) if made else project.monitor()


def play(project: Project, seed: int) -> None:
    """Lose, decide, and kill monitor and every part once at a random moment; then everything must be in order."""
    chance = random.Random(seed)  # noqa: S311  not for secrets
    project.lose()
    moments = sorted((round(chance.uniform(0, 25), 1), part) for part in PARTS)
    decision = decide(project, chance)
    began = time.monotonic()
    for moment, part in moments:
        time.sleep(max(0.0, moment - (time.monotonic() - began)))
        kill(part, project)
    carried_out(project, decision, moments)
    assert project.stranger.answer("audit-verify")["broken"] is None


@pytest.mark.timeout(600)
def test_a_decision_is_carried_out_once_whatever_is_killed(loop_project: Project) -> None:
    play(loop_project, seed=0)


@pytest.mark.full
@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", range(1, ROUNDS + 1))
def test_ten_more_rounds(loop_project: Project, seed: int) -> None:
    play(loop_project, seed)
