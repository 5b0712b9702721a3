"""Trainings beside each other, and an event that does not come through."""

import json
from collections.abc import Iterator
from datetime import datetime
from itertools import pairwise

import pandas as pd
import pytest

from tests.e2e.loop import Project, carried_out, make_project
from tests.stranger import Stranger

pytestmark = [pytest.mark.timeout(600), pytest.mark.full]  # in short: tests/integration/test_events.py


@pytest.fixture(scope="module")
def other_project(stranger: Stranger, subscriptions: pd.DataFrame) -> Project:
    """A second project."""
    return make_project("loop-two", stranger, subscriptions)


def trainings(project: Project) -> list[tuple[datetime, datetime]]:
    """Return when each training of a project began and ended, in order."""
    found = project.rows(
        "select started_at, ended_at from trainings where project = ? and state = 'ended' order by started_at",
        project.name,
    )
    return [(datetime.fromisoformat(began), datetime.fromisoformat(ended)) for began, ended in found]


def test_two_projects_that_drift_are_both_retrained_and_a_training_by_hand_waits(
    loop_project: Project, other_project: Project
) -> None:
    projects = (loop_project, other_project)
    before = len(trainings(loop_project))
    for project in projects:
        project.lose()
    decisions = [project.monitor() for project in projects]
    by_hand = loop_project.stranger.start("train", loop_project.name, "--json")
    said, errors = by_hand.communicate(timeout=500)
    assert by_hand.returncode == 0, errors[-3000:]
    assert json.loads(said)["decision"]["verdict"] in {"promote", "hold"}
    for project, decision in zip(projects, decisions, strict=True):
        carried_out(project, decision)
    found = trainings(loop_project)
    assert len(found) == before + 2  # the decision's, and the person's
    for (_, ended), (began, _) in pairwise(found):
        assert ended <= began, "two trainings of one project were at work at the same time"


@pytest.fixture
def suppressed(loop_project: Project) -> Iterator[Project]:
    """The project while Prefect's automation is switched off."""
    (automation,) = loop_project.prefect("/automations/filter", {})
    path = f"/automations/{automation['id']}"
    loop_project.prefect(path, {"enabled": False}, method="PATCH")
    yield loop_project
    loop_project.prefect(path, {"enabled": True}, method="PATCH")


def test_control_starts_the_training_once_where_the_event_starts_none(suppressed: Project) -> None:
    suppressed.lose()
    decision = suppressed.monitor()
    carried_out(suppressed, decision)
    ((note,),) = suppressed.rows("select note from outbox where key = ?", decision)
    assert note == "The automation did not start it: control did."
    runs = suppressed.prefect("/flow_runs/filter", {"flows": {"name": {"any_": ["train"]}}, "limit": 200})
    assert len([run for run in runs if run["parameters"].get("decision") == decision]) == 1
