"""Traffic moves stage by stage while hours go on arriving, and the month shows whether it was right to."""

import json
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from penstock.demo.client import Client
from penstock.demo.rentals import PROJECT
from penstock.demo.scenes.traffic import Asked, mean
from penstock.demo.stage import Stage, run
from penstock.errors import PenstockError

ROLLOUT_SECONDS = 150.0
PACE = 0.08  # seconds between two hours: a trickle that the guard can judge by
LOOK_SECONDS = 10.0  # how often the audit is asked whether the version was taken back
WHOLE = 100.0


@dataclass(frozen=True, slots=True)
class Better:
    """How far off both versions were on the same hours; `low` bounds the mean difference from below (95 %, by day)."""

    hours: int
    old_error: float
    new_error: float
    gain: float
    low: float


def roll_out(stage: Stage, version: str, hours: Iterator[Asked], client: Client) -> list[Asked]:
    """Let hours arrive until a version answers everything, and tell each stage; return the hours.

    Raises
    ------
    PenstockError
        If the version is taken back, or does not answer everything in time.
    """
    began, looked, told, asked = time.monotonic(), time.monotonic(), "", list[Asked]()
    for each in hours:
        asked.append(each)
        state = _state_of(version, client.versions())
        if state != told:
            told = state
            stage.tell(f"{time.monotonic() - began:8.1f} s  version {version}: {state}  ({len(asked)} hours since)")
        if state == "100 %":
            return asked
        if time.monotonic() - looked > LOOK_SECONDS:
            looked = time.monotonic()
            _raise_if_taken_back(stage)
        if time.monotonic() - began > ROLLOUT_SECONDS:
            raise PenstockError(
                f"Version {version} must answer everything after {ROLLOUT_SECONDS:.0f} s, but: {state}."
            )
        time.sleep(PACE)
    raise PenstockError(f"Version {version} must answer everything by the end of the year, but: {told}.")


def compare(asked: Sequence[Asked], old: str, new: str, client: Client) -> Better:
    """Ask both versions for the same hours by name, and compare their errors."""
    rows = [each.row for each in asked]
    said = {version: client.predict(rows, version).predictions for version in (old, new)}
    errors = {
        version: [abs(each.truth - float(one["value"])) for each, one in zip(asked, said[version], strict=True)]
        for version in (old, new)
    }
    gains = [before - after for before, after in zip(errors[old], errors[new], strict=True)]
    days = [each.time[:10] for each in asked]
    gain = mean(gains)
    return Better(len(rows), mean(errors[old]), mean(errors[new]), gain, gain - 1.645 * _error_by_day(gains, days))


def _error_by_day(gains: Sequence[float], days: Sequence[str]) -> float:
    """Return the standard error of a mean whose values of one day hang together."""
    centre, sums = mean(gains), dict.fromkeys(days, 0.0)
    for gain, day in zip(gains, days, strict=True):
        sums[day] += gain - centre
    count = len(sums)
    spread = sum(value * value for value in sums.values()) * count / max(1, count - 1)
    return math.sqrt(spread) / len(gains)


def _state_of(version: str, live: list[dict[str, Any]]) -> str:
    found = next((each for each in live if each["version"] == version), None)
    if found is None:
        return "not live yet"
    if found["weight"] >= WHOLE:
        return "100 %"
    return f"{found['weight']:g} %" if found["weight"] else str(found["state"])


def _raise_if_taken_back(stage: Stage) -> None:
    code, said = run(stage, "audit", PROJECT, "--json")
    entries = json.loads(said)["entries"] if code == 0 else []
    for entry in entries:
        if entry["action"] == "release.rolled_back":
            raise PenstockError(f"The new version must reach 100 %, but was taken back: {entry['reason']}")
