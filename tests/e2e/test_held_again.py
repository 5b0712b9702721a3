"""Hold is a state: a held challenger is judged again, unasked, when rows to judge by have grown."""

import json

import pandas as pd
import pytest

from tests.e2e.loop import Project, make_project, wait_for
from tests.stranger import Stranger

pytestmark = [pytest.mark.timeout(400), pytest.mark.full]  # in short: tests/unit/rollout/test_held.py


@pytest.fixture
def project(stranger: Stranger, subscriptions: pd.DataFrame) -> Project:
    """A project of this test alone."""
    return make_project("waits", stranger, subscriptions)


def verdicts(project: Project) -> list[dict[str, int | str]]:
    """Return what the judge has said of version 2, look by look."""
    query = "select after from audit where project = ? and action like 'judge.%' order by number"
    told = [json.loads(after) for (after,) in project.rows(query, project.name)]
    return [each for each in told if each["version"] == "2"]


def test_a_held_challenger_is_judged_again_on_the_labels_that_came_since(project: Project) -> None:
    project.go_on()
    said = project.stranger.answer("train", project.name)
    assert said["decision"]["verdict"] == "hold", said["decision"]["reasons"]
    (first,) = verdicts(project)
    assert first["look"] == 1
    project.go_on()
    wait_for(lambda: len(verdicts(project)) > 1, "the challenger must be judged again")
    again = verdicts(project)[1]
    assert again["look"] == 2
    assert int(again["rows"]) > int(first["rows"])
    found = project.prefect("/flow_runs/filter", {"flows": {"name": {"any_": ["judge"]}}})
    assert len([run for run in found if run["parameters"] == {"project": project.name}]) == 1
