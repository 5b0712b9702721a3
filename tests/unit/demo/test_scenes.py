"""The scenes of the demo's story, against a service that stands in for the real one."""

from typing import Any

import pytest

from penstock.demo.client import Client
from penstock.demo.rentals import Hours
from penstock.demo.scenes.rollout import compare
from penstock.demo.scenes.traffic import Asked, live, summary, tell_hours
from penstock.demo.watching import must_complete, wait_for
from penstock.errors import PenstockError
from tests.unit.demo.stand_in import service

HOURS = Hours(
    times=[f"2012-02-{1 + hour // 24:02d} {hour % 24:02d}:00" for hour in range(240)],
    rows=[{"hr": hour % 24} for hour in range(240)],
    counts=[100.0 + hour % 24 for hour in range(240)],
)


def ninety(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Say 90 of every hour."""
    return [{"value": 90.0, "low": 80.0, "high": 104.0} for _ in rows]


def test_every_hour_is_asked_for_and_labelled_an_hour_later() -> None:
    told: list[str] = []
    came: list[Asked] = []
    with service(ninety) as heard, Client(heard.url, "bikes", "key") as client:
        for each in live(HOURS, client):
            came.append(each)
            assert len(heard.labels) == len(came) - 1
    shown = tell_hours(iter(came), told.append)
    assert [label["value"] for label in heard.labels] == HOURS.counts
    assert [label["request_id"] for label in heard.labels] == [f"request-{number}" for number in range(240)]
    assert summary(shown) == {"hours": 240, "error": 21.5, "said": 90.0, "truth": 111.5}
    assert len(told) == 4
    assert told[-1].endswith("outside")


def test_both_versions_are_compared_on_the_same_hours() -> None:
    asked = [Asked(time, row, truth, 0, 0, 0, "2") for time, row, truth in zip(*as_lists(), strict=True)]
    with (
        service(lambda rows: [{"value": 100.0 + row["hr"]} for row in rows]) as heard,
        Client(heard.url, "bikes", "key") as client,
    ):
        better = compare(asked, "1", "2", client)
    assert (better.hours, better.old_error, better.new_error, better.gain, better.low) == (240, 0, 0, 0, 0)
    assert len(heard.rows) == 480


def as_lists() -> tuple[list[str], list[dict[str, Any]], list[float]]:
    """Return what the hours hold."""
    return HOURS.times, HOURS.rows, HOURS.counts


def test_what_does_not_come_in_time_is_an_error_that_names_it() -> None:
    assert wait_for("A number", iter([None, None, 7]).__next__, 5, pause=0) == 7
    with pytest.raises(PenstockError, match="A flow run must be there"):
        wait_for("A flow run", lambda: None, 0.01, pause=0)


def test_a_flow_run_that_failed_says_why() -> None:
    must_complete({"name": "bikes", "state_type": "COMPLETED"}, "page")
    with pytest.raises(PenstockError, match="too few rows"):
        must_complete({"name": "bikes", "state_type": "FAILED", "state": {"message": "too few rows"}}, "page")
