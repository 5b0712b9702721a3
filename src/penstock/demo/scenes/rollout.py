"""Traffic moves stage by stage while hours go on arriving, and the month shows whether it was right to."""

import json
import math
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from penstock.demo.client import Client
from penstock.demo.rentals import PROJECT, Hours
from penstock.demo.scenes.traffic import Asked, live, mean
from penstock.demo.stage import Stage, answer, run
from penstock.errors import PenstockError

ROLLOUT_SECONDS = 150.0
PACE = 0.08  # seconds between two hours: a trickle that the guard can judge by
LOOK_SECONDS = 10.0  # how often the audit is asked whether the version was taken back
WHOLE = 100.0
EVERYTHING = "100 %"


@dataclass(frozen=True, slots=True)
class Better:
    """How far off both versions were on the same hours; `low` bounds the mean difference from below (95 %, by day)."""

    hours: int
    old_error: float
    new_error: float
    gain: float
    low: float


class Trickle:
    """Hours that go on arriving, in a thread of their own, until they are stopped."""

    def __init__(self, hours: Hours, client: Client) -> None:
        self.hours = live(hours, client)
        self.asked: list[Asked] = []
        self._stopped = threading.Event()
        self._error: PenstockError | None = None
        self._thread = threading.Thread(target=self._go_on, name="penstock-demo-traffic", daemon=True)
        self._thread.start()

    def stop(self) -> list[Asked]:
        """Let no more hours arrive, and return those that have.

        Raises
        ------
        PenstockError
            If the service has not answered one of them.
        """
        self._stopped.set()
        self._thread.join()
        if self._error is not None:
            raise self._error
        return self.asked

    def _go_on(self) -> None:
        try:
            while not self._stopped.wait(PACE):
                self.asked.append(next(self.hours))
        except PenstockError as error:
            self._error = error
        except StopIteration:  # the year has ended
            return


def roll_out(stage: Stage, version: str, trickle: Trickle, client: Client) -> None:
    """Tell each stage until a version answers everything.

    Raises
    ------
    PenstockError
        If the version is taken back, or does not answer everything in time.
    """
    began, looked, told = time.monotonic(), time.monotonic(), ""
    while told != EVERYTHING:
        state = _state_of(version, client.versions())
        if state != told:
            told, passed = state, time.monotonic() - began
            stage.tell(f"{passed:8.1f} s  version {version}: {state}  ({len(trickle.asked)} hours since)")
        if time.monotonic() - looked > LOOK_SECONDS:
            looked = time.monotonic()
            _raise_if_taken_back(stage)
        if time.monotonic() - began > ROLLOUT_SECONDS:
            raise PenstockError(
                f"Version {version} must answer everything after {ROLLOUT_SECONDS:.0f} s, but its state is: {state}."
            )
        time.sleep(PACE)


def tell_stages(stage: Stage, incident: str) -> dict[str, Any]:
    """Tell why each stage has ended, and return the incident."""
    found: dict[str, Any] = answer(stage, "audit", PROJECT, "--incident", incident)["incident"]
    for line in found["lines"]:
        if line["what"].startswith("Release"):
            stage.tell(f"{line['who']:8} {line['what']}")
    return found


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
        return EVERYTHING
    return f"{found['weight']:g} %" if found["weight"] else str(found["state"])


def _raise_if_taken_back(stage: Stage) -> None:
    code, said = run(stage, "audit", PROJECT, "--json")
    entries = json.loads(said)["entries"] if code == 0 else []
    for entry in entries:
        if entry["action"] == "release.rolled_back":
            raise PenstockError(f"The new version must reach 100 %, but was taken back: {entry['reason']}")
