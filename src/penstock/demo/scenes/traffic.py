"""Hours as live traffic: a prediction beforehand, and the true count as a label an hour later."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from penstock.demo.client import Client, Row
from penstock.demo.rentals import Hours
from penstock.demo.stage import Tell

SHOWN_HOURS = 77  # every third day, at another hour each time


@dataclass(frozen=True, slots=True)
class Asked:
    """One hour: what was said beforehand by which version, and what came true."""

    time: str
    row: Row
    truth: float
    said: float
    low: float
    high: float
    version: str

    @property
    def error(self) -> float:
        """How far off it was, in rentals."""
        return abs(self.truth - self.said)


def live(hours: Hours, client: Client) -> Iterator[Asked]:
    """Ask for each hour as it comes, and bring the count of the hour before."""
    label: Row | None = None
    for moment, row, truth in zip(hours.times, hours.rows, hours.counts, strict=True):
        answered = client.predict([row])
        if label is not None:
            client.label([label])
        label = {"request_id": answered.request_id, "row": 0, "value": truth}
        said = answered.predictions[0]
        yield Asked(moment, row, truth, said["value"], said["low"], said["high"], answered.version)
    if label is not None:
        client.label([label])


def tell_hours(hours: Iterator[Asked], tell: Tell) -> list[Asked]:
    """Show an hour now and then, prediction beside truth, and return all."""
    tell(f"{'hour':18}{'rentals':>8}{'said':>8}{'90 % interval':>16}   version")
    asked = []
    for number, each in enumerate(hours):
        asked.append(each)
        if number % SHOWN_HOURS == SHOWN_HOURS // 4:
            tell_hour(each, tell)
    return asked


def tell_hour(each: Asked, tell: Tell) -> None:
    """Show one hour."""
    interval = f"{each.low:.0f} to {each.high:.0f}"
    off = "" if each.low <= each.truth <= each.high else "   outside"
    tell(f"{each.time:18}{each.truth:8.0f}{each.said:8.0f}{interval:>16}   {each.version}{off}")


def mean(values: Sequence[float]) -> float:
    """Return the mean."""
    return sum(values) / len(values)


def summary(asked: Sequence[Asked]) -> dict[str, float]:
    """Return the mean error, what was said and what came true, in rentals an hour."""
    return {
        "hours": len(asked),
        "error": round(mean([each.error for each in asked]), 2),
        "said": round(mean([each.said for each in asked]), 2),
        "truth": round(mean([each.truth for each in asked]), 2),
    }
