"""`make demo` tells its whole story by itself: a model of 2011 meets 2012, and a better one takes its place."""

import json
import signal
import subprocess
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from penstock.orchestration.processes import own_processes
from tests.e2e.rollouts import workspace_of
from tests.stranger import check_shape, make_stranger

SECONDS = 400  # on a busy machine; alone it takes less than 100


@pytest.mark.timeout(SECONDS)
def test_the_demo_tells_the_whole_story_and_stays_up_until_ctrl_c(tmp_path_factory: pytest.TempPathFactory) -> None:
    visitor = make_stranger(tmp_path_factory.mktemp("demo"))
    told: list[str] = []
    with visitor.start("demo", "--folder", "play", "--json") as process, ThreadPoolExecutor(1) as reader:
        assert process.stdout is not None
        assert process.stderr is not None
        out = reader.submit(process.stdout.read)  # it says more than a pipe holds
        for line in process.stderr:
            told.append(line)
            if line.startswith("Everything stays up until Ctrl-C."):
                break
        curl = next(line for line in told if line.startswith("curl "))
        answered = subprocess.run(curl, shell=True, capture_output=True, text=True, check=True, timeout=60)
        assert {part["state"] for part in visitor.answer("status")["parts"]} == {"running"}
        process.send_signal(signal.SIGINT)
        told.extend(process.stderr)
    assert process.returncode == 0, "".join(told)[-6000:]
    assert '"predictions"' in answered.stdout
    assert own_processes(workspace_of(visitor)) == []
    assert {part["state"] for part in visitor.answer("status")["parts"]} == {"stopped"}
    assert {"ingest", "search", "release"} <= {line.split()[0] for line in told if line.endswith(" s\n")}
    body = json.loads(out.result())
    check_shape(body, "commands.json", "demo")
    assert_chain(body)
    assert_better_answers(body["figures"])


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
