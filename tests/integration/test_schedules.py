"""One schedule in Prefect for each project that is monitored, and control for what the schedules miss."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from penstock.domain.workspace import Clock, Workspace
from penstock.orchestration import schedules
from penstock.orchestration.server import active_runs_of, call, runs_of_flow, set_state
from penstock.store import records, tables
from penstock.store.database import connect

LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def project(prefect: Workspace, tmp_path: Path) -> Iterator[Path]:
    """The file of a project with a release, monitored every 15 minutes; gone after the test."""
    path = tmp_path / "churn.yaml"
    write(path, 15)
    records.register_project("churn", path, prefect)
    release("churn", datetime.now(UTC), prefect)
    yield path
    path.unlink(missing_ok=True)
    schedules.keep_schedules(prefect)
    with connect(prefect).begin() as connection:
        connection.execute(sa.delete(tables.releases))
        connection.execute(sa.delete(tables.projects))


def write(path: Path, minutes: float) -> None:
    """Write a project file."""
    path.write_text(
        f"name: churn\nsource: {{kind: csv_file, path: churn.csv}}\ntarget: churned\n"
        f"monitoring: {{every_minutes: {minutes}}}\n"
    )


def release(name: str, at: datetime, workspace: Workspace) -> None:
    """Let version 1 of a project answer since a time."""
    values = {
        "project": name,
        "version": "1",
        "state": "serving",
        "weights": {"1": 100.0},
        "opened_at": at,
        "actor": "policy",
        "reason": "",
    }
    with connect(workspace).begin() as connection:
        connection.execute(sa.delete(tables.releases).where(tables.releases.c.project == name))
        connection.execute(sa.insert(tables.releases).values(values))


def kept(workspace: Workspace) -> dict[str, dict[str, Any]]:
    """Return the schedules of the deployment `monitor`, by slug."""
    deployment = call("GET", "/deployments/name/monitor/monitor", workspace)
    return {each["slug"]: each for each in deployment["schedules"]}


def test_a_project_has_one_schedule_that_follows_its_file(prefect: Workspace, project: Path) -> None:
    assert schedules.keep_schedules(prefect) == ["monitor-churn"]
    assert schedules.keep_schedules(prefect) == []
    found = kept(prefect)["monitor-churn"]
    assert found["parameters"] == {"project": "churn"}
    assert (found["active"], found["schedule"]["interval"]) == (True, 900.0)
    write(project, 5)
    assert schedules.keep_schedules(prefect) == ["monitor-churn"]
    assert kept(prefect)["monitor-churn"]["schedule"]["interval"] == 300.0
    project.write_text("name: churn\n  broken")
    schedules.keep_schedules(prefect)
    assert kept(prefect) == {}
    write(project, 5)
    schedules.keep_schedules(prefect)
    project.unlink()
    schedules.keep_schedules(prefect)
    assert kept(prefect) == {}


@pytest.mark.usefixtures("project")
def test_a_project_without_a_release_is_not_monitored(prefect: Workspace) -> None:
    with connect(prefect).begin() as connection:
        connection.execute(sa.delete(tables.releases))
    assert schedules.keep_schedules(prefect) == []
    assert schedules.start_overdue_monitors(prefect) == []


@pytest.mark.usefixtures("project")
def test_with_a_fast_calendar_control_alone_starts_monitors_one_at_a_time(
    prefect: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    began = datetime.now(UTC) - timedelta(seconds=2)
    fast = replace(prefect, clock=Clock(LONG_AGO, 86_400.0, began))
    assert schedules.keep_schedules(fast) == []
    (run,) = schedules.start_overdue_monitors(fast)
    assert schedules.start_overdue_monitors(fast) == []
    assert [each["parameters"]["project"] for each in active_runs_of("monitor", fast)] == ["churn"]
    set_state(run, {"type": "COMPLETED", "name": "Completed"}, fast)
    assert schedules.start_overdue_monitors(fast) == []  # the machine is to have a rest
    monkeypatch.setattr(schedules, "REST", timedelta(0))
    (another,) = schedules.start_overdue_monitors(fast)  # no window was taken, and the next one is due
    assert another != run
    set_state(another, {"type": "COMPLETED", "name": "Completed"}, fast)


def test_a_monitor_that_the_schedule_did_not_start_is_started_once(prefect: Workspace, project: Path) -> None:
    assert schedules.start_overdue_monitors(prefect) == []  # its release is new
    release("churn", LONG_AGO, prefect)
    write(project, 0.5)
    before = [each["id"] for each in runs_of_flow("monitor", LONG_AGO, prefect)]
    for each in before:
        call("DELETE", f"/flow_runs/{each}", prefect)
    (run,) = schedules.start_overdue_monitors(prefect)
    assert schedules.start_overdue_monitors(prefect) == []
    set_state(run, {"type": "COMPLETED", "name": "Completed"}, prefect)
    assert schedules.start_overdue_monitors(prefect) == []  # it found nothing to look at, and took no window
