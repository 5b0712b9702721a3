"""The page that Evidently makes, in a process of its own."""

import re
from datetime import timedelta
from pathlib import Path

import pytest

from penstock.domain.evaluation import Decision
from penstock.domain.monitoring import Monitored, Seen
from penstock.domain.workspace import Workspace
from penstock.monitoring import report
from penstock.monitoring.drift import measure_drift
from penstock.monitoring.performance import measure_performance
from penstock.monitoring.policy import decide
from penstock.monitoring.report import write_drift_report
from penstock.monitoring.windows import take_window
from penstock.store import artifacts
from penstock.store.windows import find_window
from tests.unit.monitoring.world import DAYS, START, Shift, World, make_world

LATER = START + timedelta(days=DAYS)


def watched(world: World) -> Monitored:
    """Return a window in which a column moved, and another has hardly a value."""
    world.ask(LATER, 400, Shift({"age": 1.5}, missing={"load": 1.0}))
    window = take_window(world.spec, world.workspace)
    drift = measure_drift(window, world.spec, world.workspace)
    performance = measure_performance(window, world.spec, world.workspace)
    return decide(Seen(window, drift, performance), world.spec, "", world.workspace)


def test_a_page_shows_every_column_and_reaches_no_other_host(
    workspace: Workspace, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    world = make_world(workspace, tmp_path, rows=2000)
    monitored = write_drift_report(watched(world), world.spec, workspace)
    world.journal.close()
    assert monitored.report is not None
    page = artifacts.read_bytes(monitored.report, workspace).decode()
    for name in ("age", "idle", "plan", "paid", "note"):
        assert f'"{name}"' in page or f"for {name}" in page or name in page
    assert "Content-Security-Policy" in page
    assert not re.search(r"<(script|link|img|iframe)\b[^>]*(src|href)=[\"']?https?:", page)
    assert "'load' is not in the drift report: it has hardly a value" in caplog.text
    assert "Evidently left it out" not in caplog.text
    assert find_window(monitored.decision.id, workspace) == monitored
    assert write_drift_report(monitored, world.spec, workspace) == monitored


def test_a_page_that_cannot_be_made_is_told_and_stops_nothing(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    world = make_world(workspace, tmp_path, rows=2000)
    monitored = watched(world)
    world.journal.close()
    monkeypatch.setattr(report, "SECONDS", 0.05)
    assert write_drift_report(monitored, world.spec, workspace) == monitored
    assert "was not made" in caplog.text
    assert isinstance(monitored.decision, Decision)
