"""A stream of customers from where the generator's table ends: a client that asks, and later brings what came true."""

import json
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock.demo.client import MOST_LABELS, Client, Row
from penstock.demo.generator import DAYS, START, WEEK, World, frame_of, make_day
from penstock.demo.presets import drifts_of
from penstock.errors import PenstockError, SourceUnavailable

TARGET = "churned"
LEFT, STAYED = "yes", "no"
DAY_SECONDS = 86_400
LAST_TRIES = 5  # to bring labels after the last day, a second apart
SMALLEST = 1e-6  # a probability of 0 must not cost infinitely much

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Plan:
    """What a stream is: days with the generator's weekly cycle, a change at one of them, and labels a while later.

    Day 1 is the one after the table's last; a stream may begin later, at `from_day`. `time_scale` is how many seconds
    of the calendar pass in one of the wall.
    """

    days: int = 30
    from_day: int = 1
    rows_per_day: int = 300
    drift_at: int | None = None
    drift: str = "price-rise"
    label_delay_days: int = 2
    labels: bool = True
    time_scale: float = 2000.0
    seed: int = 7
    rows_per_request: int = 1


@dataclass(frozen=True, slots=True)
class Day:
    """What came of one day's customers, and how good the answers were by the truth, wrong labels set right.

    `log_loss` (lower is better) and `roc_auc` are None where they cannot be measured; `versions` counts rows by the
    version that answered.
    """

    day: int
    date: str
    asked: int
    answered: int
    failed: int
    labelled: int
    drifted: bool
    versions: dict[str, int]
    log_loss: float | None
    roc_auc: float | None


@dataclass(frozen=True, slots=True)
class Streamed:
    """What a stream came to; `waiting` labels were not brought, `unknown` ones the service did not know."""

    asked: int
    answered: int
    failed: int
    labelled: int
    unknown: int
    waiting: int
    seconds: float
    drift: dict[str, Any] | None
    days: tuple[Day, ...]

    @property
    def body(self) -> dict[str, Any]:
        """The same as plain values."""
        return asdict(self)


@dataclass(slots=True)
class _Labels:
    """Labels on their way, each due at the end of a day."""

    waiting: list[tuple[int, Row]] = field(default_factory=list)
    accepted: int = 0
    unknown: int = 0

    def bring(self, day: int, client: Client) -> int:
        """Bring those that are due; what the service does not take now is brought later."""
        due = [label for when, label in self.waiting if when <= day]
        before = self.accepted
        try:
            for start in range(0, len(due), MOST_LABELS):
                part = due[start : start + MOST_LABELS]
                counts = client.label(part)
                self.waiting = self.waiting[len(part) :]
                self.accepted += counts["accepted"]
                self.unknown += counts["unknown"]
        except SourceUnavailable:
            return self.accepted - before
        return self.accepted - before


def stream(plan: Plan, client: Client, tell: Tell) -> Streamed:
    """Send the customers of some days, and their labels after a delay, at the pace of a calendar.

    A request that is not answered is counted as failed and not sent again; labels are brought until they are taken.

    Parameters
    ----------
    plan
        What to send. The same plan sends the same rows.
    client
        The service, and the project that predicts `churned`.
    tell
        Takes one line a day.

    Returns
    -------
    Streamed
        Counts, and by day how good the answers were. Ctrl-C ends a stream early, with what came of it so far.
    """
    began = time.monotonic()
    labels, days = _Labels(), list[Day]()
    try:
        for passed in range(plan.days):
            starts = began + passed * DAY_SECONDS / plan.time_scale
            days.append(_send_day(plan.from_day + passed, starts, plan, client, labels))
            tell(_line(days[-1], plan))
        _wait_until(began + plan.days * DAY_SECONDS / plan.time_scale)
        _bring_the_last(plan.from_day + plan.days - 1, labels, client)
    except KeyboardInterrupt:
        tell("Stopped.")
    return Streamed(
        asked=sum(day.asked for day in days),
        answered=sum(day.answered for day in days),
        failed=sum(day.failed for day in days),
        labelled=labels.accepted,
        unknown=labels.unknown,
        waiting=len(labels.waiting),
        seconds=round(time.monotonic() - began, 3),
        drift=None if plan.drift_at is None else {"name": plan.drift, "day": plan.drift_at},
        days=tuple(days),
    )


def make_rows(number: int, plan: Plan) -> tuple[list[Row], NDArray[np.bool_], NDArray[np.bool_]]:
    """Return a day's customers as rows for a request, whether each has left in truth, and what its label will say."""
    day = DAYS + number - 1
    count = max(1, round(plan.rows_per_day * float(WEEK[day % len(WEEK)])))
    drifts = () if plan.drift_at is None else drifts_of(plan.drift, DAYS + plan.drift_at - 1)
    columns = make_day(day, count, World(plan.seed, drifts=drifts))
    rows = json.loads(frame_of(columns).drop(columns=TARGET).to_json(orient="records", date_format="iso"))
    truth = np.asarray(columns["truth"], dtype=bool)
    return rows, truth, truth ^ columns["wrong"]


def _send_day(number: int, starts: float, plan: Plan, client: Client, labels: _Labels) -> Day:
    rows, truth, said_later = make_rows(number, plan)
    scores, versions = np.full(len(rows), np.nan), Counter[str]()
    pace = DAY_SECONDS / plan.time_scale / len(rows)
    for start in range(0, len(rows), plan.rows_per_request):
        _wait_until(starts + start * pace)
        part = rows[start : start + plan.rows_per_request]
        try:
            said = client.predict(part)
        except SourceUnavailable:
            continue
        versions[said.version] += len(part)
        for row, prediction in enumerate(said.predictions):
            place = start + row
            scores[place] = _score(prediction)
            label = {"request_id": said.request_id, "row": row, "value": LEFT if said_later[place] else STAYED}
            if plan.labels:
                labels.waiting.append((number + plan.label_delay_days, label))
    brought = labels.bring(number, client)
    answered = ~np.isnan(scores)
    return Day(
        day=number,
        date=(START + timedelta(days=DAYS + number - 1)).date().isoformat(),
        asked=len(rows),
        answered=int(answered.sum()),
        failed=int((~answered).sum()),
        labelled=brought,
        drifted=plan.drift_at is not None and number >= plan.drift_at,
        versions=dict(sorted(versions.items())),
        log_loss=log_loss(truth[answered], scores[answered]),
        roc_auc=roc_auc(truth[answered], scores[answered]),
    )


def _score(prediction: Row) -> float:
    chances = prediction.get("probabilities", {})
    if LEFT not in chances:
        raise PenstockError(
            f"The stream asks for a project that predicts {TARGET!r} as {LEFT!r} or {STAYED!r}, but was answered "
            f"{prediction!r}. `penstock demo data FILE` writes a table for one."
        )
    return float(chances[LEFT])


def _bring_the_last(day: int, labels: _Labels, client: Client) -> None:
    """Bring what is due after the last day too, so that no label is lost to a service that was away for a moment."""
    for _ in range(LAST_TRIES):
        labels.bring(day, client)
        if not any(when <= day for when, _ in labels.waiting):
            return
        time.sleep(1)


def _wait_until(moment: float) -> None:
    time.sleep(max(0.0, moment - time.monotonic()))


def _line(day: Day, plan: Plan) -> str:
    weekday = time.strftime("%a", time.strptime(day.date, "%Y-%m-%d"))
    shares = ", ".join(f"version {name} {rows / day.answered:.0%}" for name, rows in day.versions.items())
    quality = "" if day.log_loss is None else f"  log loss {day.log_loss:.3f}"
    quality += "" if day.roc_auc is None else f"  AUC {day.roc_auc:.3f}"
    begins = f"  <- {plan.drift} begins" if day.day == plan.drift_at else ""
    counts = f"{day.answered:5d} answered {day.failed:4d} failed {day.labelled:5d} labelled"
    return f"day {day.day:3d}  {weekday} {day.date} {counts}{quality}  {shares}{begins}"


def log_loss(truth: NDArray[np.bool_], chances: NDArray[np.float64]) -> float | None:
    """Return the mean log loss of chances beside the truth; None without a row."""
    if len(truth) == 0:
        return None
    kept = np.clip(np.where(truth, chances, 1 - chances), SMALLEST, 1.0)
    return round(float(-np.log(kept).mean()), 4)


def roc_auc(truth: NDArray[np.bool_], chances: NDArray[np.float64]) -> float | None:
    """Return the share of pairs of one who left and one who stayed that the chances order; None without a pair.

    >>> roc_auc(np.array([False, True, True]), np.array([0.2, 0.2, 0.9]))
    0.75
    """
    left, stayed = chances[truth], np.sort(chances[~truth])
    if len(left) == 0 or len(stayed) == 0:
        return None
    below, upto = np.searchsorted(stayed, left, side="left"), np.searchsorted(stayed, left, side="right")
    return round(float((below + upto).mean() / 2 / len(stayed)), 4)
