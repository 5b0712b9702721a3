"""When each project is monitored: a schedule of Prefect for each, and `control` for what the schedules miss."""

import logging
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from penstock.domain.workspace import Workspace
from penstock.errors import PenstockError
from penstock.orchestration.runs import start_run
from penstock.orchestration.server import active_runs_of, call, runs_of_flow
from penstock.spec import ProjectSpec
from penstock.store.projects import open_project
from penstock.store.records import newest_releases, project_path
from penstock.store.windows import newest_window

FLOW = "monitor"
SLUG = "monitor-"
ANCHOR = "2026-01-01T00:00:00+00:00"
GRACE = timedelta(seconds=60)  # Prefect needs up to 60 s to make the first flow run of a new schedule
REST = timedelta(seconds=5)  # by the wall between two flow runs that a fast calendar asks for
ENDED = {"COMPLETED", "FAILED"}  # a crashed flow run is started again

log = logging.getLogger("penstock.orchestration")


@dataclass(frozen=True, slots=True)
class Due:
    """A project to monitor: how often in the calendar, and since when it has something to monitor."""

    project: str
    every: timedelta
    since: datetime


_read: dict[Path, tuple[tuple[int, int], ProjectSpec | None]] = {}  # a project file is read again when it changed


def monitored_projects(workspace: Workspace) -> list[Due]:
    """Return every project with a release whose file can be read: what is to be monitored, and how often."""
    found = []
    for release in newest_releases(workspace):
        spec = _spec_of(release.project, workspace)
        if spec is not None:
            every = timedelta(minutes=spec.monitoring.every_minutes)
            found.append(Due(release.project, every, release.opened_at))
    return found


def keep_schedules(workspace: Workspace) -> list[str]:
    """Give each monitored project one schedule in Prefect, as its file says; return what was changed.

    A schedule of a project that is gone, or whose file cannot be read, is taken away. With a calendar faster than the
    wall there are none: Prefect's schedules follow the wall, and `start_overdue_monitors` starts what is due.

    Raises
    ------
    SourceUnavailable
        If Prefect does not answer.
    NotFound
        If the deployment is not made yet.
    """
    deployment = call("GET", f"/deployments/name/{FLOW}/{FLOW}", workspace)
    wanted = {} if workspace.clock else {f"{SLUG}{due.project}": due for due in monitored_projects(workspace)}
    there = {each["slug"]: each for each in deployment["schedules"] if str(each["slug"]).startswith(SLUG)}
    path, changed = f"/deployments/{deployment['id']}/schedules", []
    for slug, due in wanted.items():
        if slug not in there:
            call("POST", path, workspace, [{"slug": slug, "active": True, **_schedule(due)}])
        elif there[slug]["schedule"].get("interval") != due.every.total_seconds():
            call("PATCH", f"{path}/{there[slug]['id']}", workspace, _schedule(due))
        else:
            continue
        changed.append(slug)
    for slug in there.keys() - wanted.keys():
        call("DELETE", f"{path}/{there[slug]['id']}", workspace)
        changed.append(slug)
    return changed


def start_overdue_monitors(workspace: Workspace) -> list[str]:
    """Start a monitor run of each project whose last one is too long ago and none is coming; return the flow runs.

    On the wall a project is overdue after two intervals and a minute: its schedule has failed. With a fast calendar
    it is due after one interval, and `control` alone starts monitors.

    Raises
    ------
    SourceUnavailable
        If Prefect does not answer.
    """
    late = [due for due in monitored_projects(workspace) if _is_late(due, workspace)]
    if not late:
        return []
    busy = {run["parameters"].get("project") for run in active_runs_of(FLOW, workspace)}
    started = []
    for due in late:
        if due.project in busy or _ran_lately(due, workspace):
            continue
        key = f"overdue:{due.project}:{_slot(due, workspace)}"
        started.append(start_run(FLOW, {"project": due.project}, workspace, key=key))
    return started


def _spec_of(project: str, workspace: Workspace) -> ProjectSpec | None:
    """Return a project's spec; None, said once for each change of the file, if it cannot be read."""
    path = project_path(project, workspace)
    try:
        found = path.stat()
    except OSError:
        _read.pop(path, None)
        return None
    stamp = (found.st_mtime_ns, found.st_size)
    if path not in _read or _read[path][0] != stamp:
        try:
            _read[path] = stamp, open_project(project, workspace)
        except PenstockError as error:
            log.warning("Project %s is not monitored: %s", project, error.message)
            _read[path] = stamp, None
    return _read[path][1]


def _schedule(due: Due) -> dict[str, Any]:
    every = {"interval": due.every.total_seconds(), "anchor_date": ANCHOR}
    return {"schedule": every, "parameters": {"project": due.project}}


def _is_late(due: Due, workspace: Workspace) -> bool:
    """Return whether no window was taken for longer than there should be."""
    last = newest_window(due.project, workspace)
    allowed = due.every if workspace.clock else 2 * due.every + GRACE
    return workspace.now() - (last.decision.at if last else _began(due, workspace)) >= allowed


def _began(due: Due, workspace: Workspace) -> datetime:
    """Return when a project's first interval began, in the calendar that policies read."""
    clock = workspace.clock
    if clock is None:
        return due.since
    return clock.start + (due.since - clock.started) * clock.scale


def _slot(due: Due, workspace: Workspace) -> int:
    """Return the number of the interval that is now."""
    return int(workspace.now().timestamp() // due.every.total_seconds())


def _ran_lately(due: Due, workspace: Workspace) -> bool:
    """Return whether a monitor run came to an end lately by the wall, though it took no window."""
    clock = workspace.clock
    lately = 2 * due.every + GRACE if clock is None else max(REST, due.every / clock.scale)
    runs = runs_of_flow(FLOW, datetime.now(UTC) - lately, workspace)
    return any(run["parameters"].get("project") == due.project and run["state_type"] in ENDED for run in runs)
