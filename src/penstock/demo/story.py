"""The story that the demo tells: a client that speaks only the command line and HTTP."""

import json
import shlex
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import chain
from typing import Any

from penstock.demo import rentals
from penstock.demo.client import Client
from penstock.demo.rentals import PROJECT, hours_of
from penstock.demo.scenes import first_model, incident, rollout, traffic
from penstock.demo.scenes.traffic import Asked
from penstock.demo.stage import Stage, run

FIRST = "2012-01"
FEWEST = 240  # ten days of hours
LATER = [f"2012-{month:02d}" for month in range(2, 13)]  # months that follow, should a rollout take so long


@dataclass(frozen=True, slots=True)
class Ending:
    """What the demo came to.

    `answer` is what `penstock run --json` printed, with a line for the version that serves now; `held` is why the judge
    held the new version, None if it did not; `figures` are errors in rentals an hour; `links` lead to where it
    is shown.
    """

    answer: dict[str, Any]
    incident: dict[str, Any]
    figures: dict[str, Any]
    links: dict[str, str]
    seconds: dict[str, float]
    held: str | None = None

    @property
    def body(self) -> dict[str, Any]:
        """The same as plain values."""
        return {
            **self.answer,
            "scenes": self.seconds,
            "incident": self.incident,
            "figures": self.figures,
            "links": self.links,
            "held": self.held,
        }


def play(stage: Stage) -> Ending:
    """Tell the story: a model of 2011, the hours of 2012 as traffic, a loss, a better model, better answers.

    Returns
    -------
    Ending
        What it came to, scene by scene.

    Raises
    ------
    PenstockError
        If a command fails, or what follows by itself does not follow in time.
    """
    stage.tell("Penstock: a model of 2011 meets 2012. Everything below happens on this machine.")
    with stage.scene("start the stack"):
        first_model.start(stage)
    with stage.scene("a model of 2011"):
        answer = first_model.make_model(stage)
    figures: dict[str, Any] = {"promised": answer["score"]["value"]}
    with _client(stage, answer) as client:
        with stage.scene("January 2012 arrives"):
            figures["january"] = _january(stage, client, figures["promised"])
        with stage.scene("the monitor looks"):
            opened = incident.watch(stage)
        with stage.scene("event, automation, training, judge"):
            training = incident.follow(stage, opened)
            trickle = rollout.Trickle(_hours(), client)
            found = incident.judged(stage, opened["id"], training)
        held = _held(found)
        if held is None:
            versions = (answer["version"], found["version"])
            with stage.scene("traffic moves, February arrives"), _client(stage, answer) as eye:
                rollout.roll_out(stage, found["version"], trickle, eye)
                trickle.stop()
                found = rollout.tell_stages(stage, opened["id"])
            with stage.scene("the rest of February"):
                figures["february"] = _february(stage, client, (trickle.hours, trickle.asked), versions)
        trickle.stop()
        incident.await_end(stage, training)
        with stage.scene("the incident on one page"):
            _, page = run(stage, "audit", PROJECT, "--incident", found["id"])
            stage.tell(f"$ penstock audit {PROJECT} --incident {found['id']}\n{page}")
    answer = {**answer, "curl": _curl(answer)}
    ending = Ending(answer, found, figures, _links(stage, answer, found), stage.seconds, held)
    _tell_end(stage, ending)
    return ending


def _curl(answer: dict[str, Any]) -> str:
    """Return a line that asks for an hour of February: version 2 needs the year, which is the same in all of 2011."""
    headers = f"Authorization: Bearer {answer['key']}", "Content-Type: application/json"
    asked = json.dumps({"rows": hours_of(LATER[0]).rows[:1]})
    return shlex.join(["curl", "-s", answer["endpoint"], *chain(*(("-H", each) for each in headers)), "-d", asked])


def _client(stage: Stage, answer: dict[str, Any]) -> Client:
    return Client(stage.serving, PROJECT, answer["key"])


def _january(stage: Stage, client: Client, promised: float) -> dict[str, float]:
    asked = traffic.tell_hours(traffic.live(hours_of(FIRST), client), stage.tell)
    seen = traffic.summary(asked)
    stage.tell(
        f"{seen['hours']} hours asked over HTTP, each count labelled an hour later. Said {seen['said']:.0f} rentals an "
        f"hour, were {seen['truth']:.0f}: an error of {seen['error']:.0f}, where {promised:.0f} was promised."
    )
    return seen


def _hours() -> rentals.Hours:
    months = [hours_of(month) for month in LATER]
    return rentals.Hours(
        list(chain.from_iterable(month.times for month in months)),
        list(chain.from_iterable(month.rows for month in months)),
        list(chain.from_iterable(month.counts for month in months)),
    )


def _february(
    stage: Stage, client: Client, hours: tuple[Iterator[Asked], list[Asked]], versions: tuple[str, str]
) -> dict[str, float]:
    """Let the month go on with the new version, and say what the old one would have said of the same hours."""
    rest = traffic.tell_hours(_to_the_end_of_a_month(*hours), stage.tell)
    better = rollout.compare(rest, *versions, client)
    old, new = versions
    stage.tell(
        f"{better.hours} hours answered by version {new}: an error of {better.new_error:.1f} rentals an hour, where "
        f"version {old}, asked for the same hours, is off by {better.old_error:.1f}. Better by {better.gain:.1f}, "
        f"at least {better.low:.1f}."
    )
    return {**asdict(better), "during_rollout": len(hours[1])}


def _to_the_end_of_a_month(hours: Iterator[Asked], before: list[Asked]) -> Iterator[Asked]:
    """Return the hours that are left of the month; of the next one too if they are too few to tell by."""
    month, count = before[-1].time[:7], 0
    for each in hours:
        if each.time[:7] != month and count >= FEWEST:
            return
        month, count = each.time[:7], count + 1
        yield each


def _held(found: dict[str, Any]) -> str | None:
    """Return why the judge did not promote, None if it did."""
    judgements = found["judgements"]
    if judgements and judgements[-1]["verdict"] == "promote":
        return None
    return " ".join(judgements[-1]["reasons"]) if judgements else str(found["outcome"])


def _links(stage: Stage, answer: dict[str, Any], found: dict[str, Any]) -> dict[str, str]:
    reports = [line["link"] for line in found["lines"] if line["link"] and line["link"].endswith(".html")]
    links = {
        "flow runs": f"{stage.prefect}/runs",
        "event feed": f"{stage.prefect}/events",
        "automation": f"{stage.prefect}/automations",
        "versions": f"{stage.mlflow}/#/models/{PROJECT}",
        "endpoint": answer["endpoint"],
        "first report": answer["report"],
    }
    return {**links, **({"new report": reports[-1]} if reports else {})}


def _tell_end(stage: Stage, ending: Ending) -> None:
    stage.tell("\nSeconds:")
    for name, took in ending.seconds.items():
        stage.tell(f"  {name:40}{took:6.1f}")
    stage.tell(f"  {'in all':40}{sum(ending.seconds.values()):6.1f}\n")
    for name, link in ending.links.items():
        stage.tell(f"{name:14}{link}")
    if ending.held is not None:
        stage.tell(f"\nThe judge holds the new version, and the old one goes on answering: {ending.held}")
    stage.tell(f"\n{ending.answer['curl']}\n")
