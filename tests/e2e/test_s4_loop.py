"""S4: data drift, and the loop closes by itself: loss, event, retraining, judge, traffic, better answers."""

import json
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import pytest
import yaml

from tests.stranger import Stranger, ask, check_shape, make_stranger

DAY = 3.0  # seconds of the wall
SCALE = 86_400 / DAY
START = "2026-01-05T00:00:00+00:00"
ROWS = 1000  # a day: of some 4,000 new rows half are learnt from, beside 8,000 of the time before the drift
DRIFT_DAY = 3  # early, as only the older half of what arrives since then is trained on
PATIENCE = 600.0
QUIET_SECONDS = 60.0
MARGIN = 0.1  # of ROC AUC: the new version has learnt from days, where the old one had a year
WON_BACK = 0.15

SETTINGS: dict[str, Any] = {
    "budget": {"seconds": 60, "trials": 6},
    "families": {"include": ["linear", "lightgbm"]},
    "monitoring": {"every_minutes": 2880, "window_rows": 2000, "min_rows": 200},  # each second day: 6 s
    "retrain": {"persistence": 2, "cooldown_minutes": 100_000, "min_new_labels": 200},
    "rollout": {"stages": [0, 25, 100]},
}

pytestmark = [pytest.mark.timeout(1500), pytest.mark.full]  # make test tells the demo's story: the same loop
T = TypeVar("T")


@dataclass
class Running:
    """A stream at work, and what it came to once it was ended."""

    body: dict[str, Any] = field(default_factory=dict)


@pytest.fixture(scope="module")
def fast(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stranger]:
    """Somebody with a stack whose calendar makes a day of three seconds."""
    found = make_stranger(tmp_path_factory.mktemp("fast"))
    found.environment["PENSTOCK_CLOCK"] = f"{START},{SCALE}"
    found.answer("up")
    found.answer("demo", "data", "table.csv", "--seed", "11")
    yield found
    found.answer("down")


def make_project(fast: Stranger, name: str, changes: dict[str, Any] | None = None) -> None:
    """Make a served project of the generator's table."""
    fast.answer("init", name, "--data", "table.csv", "--target", "churned")
    change(fast, name, SETTINGS)
    change(fast, name, changes or {})
    said = fast.answer("run", name)
    assert said["release"]["state"] == "serving", said["decision"]


def change(fast: Stranger, name: str, settings: dict[str, Any]) -> None:
    """Change sections of a project's file."""
    path = fast.folder / "projects" / f"{name}.yaml"
    spec = yaml.safe_load(path.read_text())
    for section, values in settings.items():
        spec[section] = {**spec[section], **values}
    path.write_text(yaml.safe_dump(spec))


@contextmanager
def streaming(fast: Stranger, name: str, *options: object) -> Iterator[Running]:
    """Stream customers while the block runs, and then read what came of it."""
    running = Running()
    process = fast.start(
        *("demo", "stream", "--project", name, "--seed", 11, "--days", 400, "--rows-per-day", ROWS),
        *("--rows-per-request", 10, "--label-delay-days", 1, "--drift-at", f"day-{DRIFT_DAY}"),
        *("--time-scale", SCALE, "--json", *options),
    )
    try:
        yield running
    finally:
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err[-3000:]
    running.body = json.loads(out)
    check_shape(running.body, "commands.json", "demo stream")
    change(fast, name, {"monitoring": {"every_minutes": 1_000_000}})  # each six seconds of everyone would be too much


def wait_for(what: str, look: Callable[[], T | None], seconds: float = PATIENCE) -> T:
    """Look until something is there."""
    deadline = time.monotonic() + seconds
    while (found := look()) is None:
        assert time.monotonic() < deadline, f"{what} is not there after {seconds} s"
        time.sleep(2)
    return found


def incident_of(fast: Stranger, name: str) -> dict[str, Any] | None:
    """Return the newest incident of a project, None before the first."""
    said = fast.penstock("audit", name, "--incident", "last", "--json")
    if said.code != 0:
        return None
    check_shape(said.body, "commands.json", "audit --incident")
    found: dict[str, Any] = said.body["incident"]
    return found


def ended_incident(fast: Stranger, name: str) -> dict[str, Any] | None:
    """Return the newest incident once a version of it answers everything, or was refused."""
    found = incident_of(fast, name)
    if found is None or not found["judgements"]:
        return None
    held = found["judgements"][-1]["verdict"] != "promote"
    served = found["release"] is not None and found["release"]["state"] == "serving"
    return found if held or served else None


def mean_auc(days: list[dict[str, Any]]) -> float:
    """Return the mean ROC AUC of days against the truth."""
    assert days
    return float(sum(day["roc_auc"] for day in days) / len(days))


def assert_in_order(incident: dict[str, Any]) -> None:
    """Hold the story's lines against the order in which things must have come."""
    told = [(line["at"], line["what"], line["link"]) for line in incident["lines"]]
    assert [at for at, _, _ in told] == sorted(at for at, _, _ in told)
    text = "\n".join(what for _, what, _ in told)
    words = (
        "Drifted:",
        "Decided to retrain",
        "penstock.drift.detected",
        "took the decision up",
        "Began to train on dataset version 2",
        "Registered version 2",
        "The challenger is better",
    )
    places = [text.index(word) for word in words]
    assert places == sorted(places), text
    links = " ".join(link or "" for _, _, link in told)
    for part in ("/runs/flow-run/", "/events/event/", "/#/models/"):
        assert part in links


def test_a_drift_is_found_answered_and_over(fast: Stranger) -> None:
    make_project(fast, "loop")
    with streaming(fast, "loop") as running:
        wait_for("An incident", lambda: incident_of(fast, "loop"))
        wait_for("The end of the rollout", lambda: ended_incident(fast, "loop"))
        time.sleep(6 * DAY)  # some days with the new version alone
    incident = incident_of(fast, "loop")
    assert incident is not None
    assert_in_order(incident)
    assert "monthly_fee" in incident["drifted"]
    assert incident["performance"]["loss_low"] > 0
    drift = next(event for event in incident["events"] if event["event"] == "penstock.drift.detected")
    assert drift["note"] == "The automation started it."
    assert incident["training"]["dataset"] == 2
    assert incident["training"]["rows"] > 10_000 + 200
    judgement = incident["judgements"][-1]
    assert (judgement["verdict"], judgement["champion"]) == ("promote", "1")
    assert judgement["low"] > 0
    assert all(judgement["gates"].values())
    assert incident["release"]["weights"] == {"2": 100.0}
    assert_back(running.body)


def assert_back(body: dict[str, Any]) -> None:
    """Hold the served quality, by the generator's truth, against what it was before the drift."""
    assert body["failed"] == 0
    before = mean_auc([day for day in body["days"] if day["day"] < DRIFT_DAY])
    hurt = mean_auc([day for day in body["days"] if day["drifted"] and set(day["versions"]) == {"1"}])
    after = mean_auc([day for day in body["days"] if set(day["versions"]) == {"2"}])
    figures = f"ROC AUC {before:.3f} before, {hurt:.3f} hurt, {after:.3f} after"
    assert hurt < before - 0.1, figures
    assert after > hurt + WON_BACK, figures
    assert after > before - MARGIN, figures


def test_with_labels_withheld_it_says_that_it_needs_them(fast: Stranger) -> None:
    make_project(fast, "unlabelled")
    with streaming(fast, "unlabelled", "--no-labels"):
        time.sleep(QUIET_SECONDS)
    assert incident_of(fast, "unlabelled") is None
    entries = fast.answer("audit", "unlabelled")["entries"]
    reasons = [entry["reason"] for entry in entries if entry["action"] == "monitor.no_action"]
    assert reasons
    assert "label" in reasons[-1], reasons
    assert "monthly_fee" in reasons[-1] or "drift" in reasons[-1], reasons


def test_with_a_detector_that_sees_nothing_the_story_names_no_column(fast: Stranger) -> None:
    make_project(fast, "blind", {"drift": {"psi": 1e9, "missing": 1e9, "levels": 1e9}})
    with streaming(fast, "blind"):
        incident = wait_for("An incident", lambda: incident_of(fast, "blind"))
    assert incident["drifted"] == []  # what the main line asserts is red
    assert incident["decision"]["verdict"] == "retrain"  # as loss is measured from labels


def test_with_the_newest_rows_left_out_the_same_model_is_held(fast: Stranger) -> None:
    make_project(fast, "stale", {"source": {"journal": False}})
    with streaming(fast, "stale"):
        incident = wait_for("The judge's verdict", lambda: ended_incident(fast, "stale"))
    assert incident["training"]["dataset"] == 1
    assert incident["judgements"][-1]["verdict"] == "hold"
    status = next(each for each in fast.answer("status")["projects"] if each["name"] == "stale")
    assert status["champion"] == "1"


def test_with_the_automation_gone_control_starts_the_training_once(fast: Stranger) -> None:
    make_project(fast, "unheard")
    api = f"http://127.0.0.1:{fast.environment['PENSTOCK_PREFECT_PORT']}/api"
    _, automations = ask(f"{api}/automations/filter", {})
    for automation in automations:
        forget(f"{api}/automations/{automation['id']}")
    with streaming(fast, "unheard"):
        incident = wait_for("The end of the rollout", lambda: ended_incident(fast, "unheard"))
    drift = next(event for event in incident["events"] if event["event"] == "penstock.drift.detected")
    assert drift["note"] == "The automation did not start it: control did."
    _, runs = ask(f"{api}/flow_runs/filter", {"flows": {"name": {"any_": ["train"]}}, "limit": 100})
    asked = [run for run in runs if (run["parameters"] or {}).get("decision") == incident["id"]]
    assert len(asked) == 1


def forget(url: str) -> None:
    """Delete something over HTTP."""
    import urllib.request

    with urllib.request.urlopen(urllib.request.Request(url, method="DELETE"), timeout=30) as response:
        assert response.status == 204
