"""What `control` does tick by tick, its jobs' failures included."""

import logging
import threading
import time
from typing import NoReturn

import pytest

from penstock import control
from penstock.control import Job, Lane
from penstock.domain.workspace import Workspace
from penstock.errors import SourceUnavailable
from penstock.orchestration.heartbeat import control_is_well, read_beat


def fail(_: Workspace) -> NoReturn:
    """Fail with a fault of ours."""
    raise ValueError("a fault")


def refuse(_: Workspace) -> NoReturn:
    """Fail as a server that is away does."""
    raise SourceUnavailable("Prefect must answer, but does not.")


def test_a_job_that_fails_stops_no_other_and_is_logged_once(
    workspace: Workspace, caplog: pytest.LogCaptureFixture
) -> None:
    done: list[str] = []
    lane = Lane((Job("first", fail), Job("away", refuse), Job("last", lambda _: done.append("last"))), workspace)
    for _ in range(3):
        lane.tick()
    assert done == ["last"] * 3
    assert lane.errors == {"first": "ValueError: a fault", "away": "Prefect must answer, but does not."}
    told = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(told) == 2
    assert told[0].exc_info is not None  # where a fault of ours came from
    assert not told[1].exc_info


def test_a_job_that_is_well_again_is_said_to_be(workspace: Workspace) -> None:
    wrong = [True]

    def step(found: Workspace) -> None:
        if wrong.pop() if wrong else False:
            fail(found)

    lane = Lane((Job("one", step),), workspace)
    lane.tick()
    assert lane.errors
    lane.tick()
    assert not lane.errors


def test_a_job_waits_its_seconds_unless_it_failed(workspace: Workspace) -> None:
    done: list[str] = []

    def failing(found: Workspace) -> None:
        done.append("failing")
        fail(found)

    jobs = (Job("rare", lambda _: done.append("rare"), seconds=3600), Job("failing", failing, seconds=3600))
    lane = Lane(jobs, workspace)
    lane.tick()
    lane.tick()
    assert done == ["rare", "failing", "failing"]


def test_a_server_that_does_not_answer_holds_up_its_own_lane_only(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    ending, done, stuck = threading.Event(), threading.Event(), threading.Event()
    lanes = {"stuck": (Job("stuck", lambda _: stuck.wait(30)),), "free": (Job("free", lambda _: done.set()),)}
    monkeypatch.setattr(control, "LANES", lanes)
    began = time.time()
    thread = threading.Thread(target=control.run, args=(workspace, ending))
    thread.start()
    assert done.wait(10)
    while not control_is_well(workspace, began):
        time.sleep(0.05)
    beat = read_beat(workspace)
    assert beat is not None
    assert beat.lanes["stuck"] == 0.0
    stuck.set()
    ending.set()
    thread.join(15)
    assert not thread.is_alive()


def test_an_old_sign_of_life_is_none(workspace: Workspace) -> None:
    from penstock.orchestration.heartbeat import write_beat

    assert not control_is_well(workspace, 0)
    write_beat({}, {"outbox": "away"}, workspace)
    assert control_is_well(workspace, time.time() - 5)
    assert not control_is_well(workspace, time.time() + 5)
