"""`make demo` tells its whole story by itself: a model of 2011 meets 2012, and a better one takes its place."""

from typing import Any

import pytest

from tests.stranger import check_shape, make_stranger

SECONDS = 400  # on a busy machine; alone it takes less than 180


@pytest.mark.timeout(SECONDS)
def test_the_demo_tells_the_whole_story(tmp_path_factory: pytest.TempPathFactory) -> None:
    visitor = make_stranger(tmp_path_factory.mktemp("demo"))
    said = visitor.penstock("demo", "--folder", "play", "--exit", "--json")
    assert said.code == 0, said.out[-2000:] + said.err[-6000:]
    body = said.body
    check_shape(body, "commands.json", "demo")
    assert_chain(body)
    assert_better_answers(body["figures"])
    assert {part["state"] for part in visitor.answer("status")["parts"]} == {"stopped"}


def assert_chain(body: dict[str, Any]) -> None:
    """Hold the incident against what must have followed by itself."""
    incident = body["incident"]
    assert incident["decision"]["verdict"] == "retrain"
    assert incident["performance"]["loss_low"] > 0
    drift = next(event for event in incident["events"] if event["event"] == "penstock.drift.detected")
    assert drift["emitted_at"] is not None
    assert incident["flow_run"] is not None
    assert incident["training"]["dataset"] == 2
    assert incident["training"]["rows"] > 8645  # the hours of 2011, and January's with their labels
    assert (body["version"], incident["version"]) == ("1", "2")
    judgement = incident["judgements"][-1]
    assert judgement["verdict"] == "promote"
    assert judgement["champion"] == "1"
    assert judgement["low"] > 0
    assert body["held"] is None


def assert_better_answers(figures: dict[str, Any]) -> None:
    """Hold the errors of January and February against what a new version is for."""
    january, february = figures["january"], figures["february"]
    assert january["error"] > 1.2 * figures["promised"]
    assert february["hours"] >= 240
    assert february["new_error"] < february["old_error"]
    assert february["low"] > 0
