"""The fast calendar is one and the same in every process of a workspace."""

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from penstock.errors import SpecError
from penstock.store.calendar import find_clock, text_of
from penstock.store.workspace import inherited_environment
from tests.conftest import ROOT

ASKED = "2012-01-01T00:00:00+00:00,86400"
SAY = """
import json
from penstock.store.workspace import environment, find_workspace
workspace = find_workspace()
clock = workspace.clock
print(json.dumps([clock.start.isoformat(), clock.scale, clock.started.isoformat(), workspace.now().isoformat(),
                  environment(workspace)["PENSTOCK_CLOCK"]]))
"""


def said_by_a_process(home: Path) -> list[str]:
    """Return what a process of its own says of the calendar."""
    from penstock.domain.workspace import Workspace

    variables = inherited_environment(Workspace(home=home, app=ROOT)) | {"PENSTOCK_CLOCK": ASKED}
    done = subprocess.run([sys.executable, "-c", SAY], env=variables, capture_output=True, text=True, check=True)
    return list(json.loads(done.stdout))


def test_two_processes_agree_on_the_calendar(tmp_path: Path) -> None:
    first, second = said_by_a_process(tmp_path), said_by_a_process(tmp_path)
    assert first[:3] == second[:3]
    assert second[3] > first[3]
    assert find_clock(first[4], tmp_path) == find_clock(ASKED, tmp_path)


def test_a_calendar_goes_on_from_its_first_start(tmp_path: Path) -> None:
    began = find_clock(ASKED, tmp_path)
    assert find_clock(ASKED, tmp_path) == began
    assert began.start == datetime(2012, 1, 1, tzinfo=UTC)
    assert abs((began.now() - began.start) - (datetime.now(UTC) - began.started) * 86400) < timedelta(hours=6)


def test_another_start_or_scale_begins_a_new_calendar(tmp_path: Path) -> None:
    began = find_clock(ASKED, tmp_path)
    faster = find_clock("2012-01-01T00:00:00+00:00,100000", tmp_path)
    assert faster.started > began.started
    assert find_clock(text_of(faster), tmp_path) == faster


def test_nothing_is_written_where_nothing_may_be_made(tmp_path: Path) -> None:
    find_clock(ASKED, tmp_path / "nowhere", create=False)
    assert not (tmp_path / "nowhere").exists()


def test_a_damaged_file_begins_a_new_calendar(tmp_path: Path) -> None:
    (tmp_path / "clock.json").write_text('{"start": ')
    assert find_clock(ASKED, tmp_path) == find_clock(ASKED, tmp_path)


@pytest.mark.parametrize(
    "text", ["2012-01-01", "soon,10", "2012-01-01,fast", "2012-01-01,0", "2012-01-01,-1", "2012-01-01,inf"]
)
def test_what_is_no_calendar_is_refused(text: str, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="START,SCALE"):
        find_clock(text, tmp_path)
