"""A window that shows a loss, and what follows by itself: event, automation, training, judge."""

import json
import time
from typing import Any

from penstock.demo.rentals import PROJECT
from penstock.demo.stage import Stage, answer, run
from penstock.demo.watching import ENDED, Prefect, must_complete, wait_for
from penstock.errors import PenstockError

MONITOR_SECONDS = 90.0
BEGIN_SECONDS = 75.0  # the automation needs less than 1 s; control waits 30 s before it steps in
TRAIN_SECONDS = 240.0
JUDGE_SECONDS = 30.0


def watch(stage: Stage) -> dict[str, Any]:
    """Start the monitor through its deployment, and return the incident that it opens.

    Raises
    ------
    PenstockError
        If the monitor decides otherwise.
    """
    prefect = Prefect(stage.prefect)
    started = prefect.start("monitor", {"project": PROJECT})
    stage.tell(f"The monitor, started through its deployment: {prefect.page(started['id'])}")
    wait_for("The monitor's decision", lambda: _decided(prefect, started["id"]), MONITOR_SECONDS)
    code, said = run(stage, "audit", PROJECT, "--incident", "last", "--json")
    if code != 0:
        entries = answer(stage, "audit", PROJECT)["entries"]
        reason = entries[-1]["reason"] if entries else "nothing"
        raise PenstockError(f"The monitor must decide to retrain after such a January, but said: {reason}")
    incident: dict[str, Any] = json.loads(said)["incident"]
    for line in incident["lines"]:
        if line["who"] in {"monitor", "policy"}:
            stage.tell(f"{line['who']:8} {line['what']}")
    return incident


def follow(stage: Stage, incident: dict[str, Any]) -> str:
    """Watch how the decision becomes a training, and return its flow run once the judge has spoken."""
    prefect, began = Prefect(stage.prefect), time.monotonic()
    taken = wait_for(
        "A flow run of `train` for the decision", lambda: _training_of(incident["id"], prefect), BEGIN_SECONDS
    )
    fired = (taken.get("created_by") or {}).get("type") == "AUTOMATION"
    by = "Prefect's automation" if fired else "control"
    stage.tell(f"event    penstock.drift.detected  {stage.prefect}/events")
    stage.tell(f"by       {by} started the flow `train` with decision {incident['id']}")
    stage.tell(f"run      {prefect.page(taken['id'])}")
    identity = str(taken["id"])
    _tell_tasks(stage, prefect, identity, began)
    return identity


def judged(stage: Stage, incident: str, flow_run: str) -> dict[str, Any]:
    """Tell what the judge said, and return the incident."""
    prefect = Prefect(stage.prefect)

    def look() -> dict[str, Any] | None:
        found: dict[str, Any] = answer(stage, "audit", PROJECT, "--incident", incident)["incident"]
        return found if found["judgements"] or prefect.ended(flow_run) else None

    found = wait_for("The judge's verdict", look, JUDGE_SECONDS)
    training = found["training"] or {}
    stage.tell(f"data     dataset version {training.get('dataset')}, {training.get('rows'):,} rows")
    for judgement in found["judgements"]:
        stage.tell(f"judge    version {judgement['version']}: {judgement['verdict']}. {' '.join(judgement['reasons'])}")
    if found["version"]:
        stage.tell(f"version  {stage.mlflow}/#/models/{PROJECT}/versions/{found['version']}")
    return found


def await_end(stage: Stage, flow_run: str) -> None:
    """Wait until the training has ended well."""
    prefect = Prefect(stage.prefect)
    must_complete(
        wait_for("The training's end", lambda: prefect.ended(flow_run), TRAIN_SECONDS), prefect.page(flow_run)
    )


def _decided(prefect: Prefect, identity: str) -> dict[str, Any] | None:
    """Return the monitor's flow run once its name says what it decided; its report may still be under way."""
    run = prefect.run(identity)
    if run["state_type"] in ENDED:
        must_complete(run, prefect.page(identity))
        return run
    return run if run["name"].startswith(f"{PROJECT}: ") else None


def _training_of(decision: str, prefect: Prefect) -> dict[str, Any] | None:
    """Return the flow run that a decision led to, once it has a process of its own."""
    runs = [run for run in prefect.runs_of("train") if (run.get("parameters") or {}).get("decision") == decision]
    return runs[-1] if runs else None


def _tell_tasks(stage: Stage, prefect: Prefect, identity: str, began: float) -> None:
    """Show the tasks of a flow run as they end, until the judge has spoken."""
    told: list[str] = []

    def look() -> dict[str, Any] | None:
        for name in prefect.finished_tasks(identity):
            if name not in told:
                told.append(name)
                stage.tell(f"{time.monotonic() - began:8.1f} s  {name}")
        run = prefect.run(identity)
        if run["state_type"] in ENDED:
            must_complete(run, prefect.page(identity))
        return run if "judge" in told or run["state_type"] in ENDED else None

    wait_for("The judge's verdict", look, TRAIN_SECONDS, pause=0.5)
