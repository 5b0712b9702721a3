"""The workspace's fast calendar: begun once, and the same in every process."""

import fcntl
import json
from datetime import UTC, datetime
from pathlib import Path

from penstock.domain.workspace import Clock
from penstock.errors import SpecError

FILE = "clock.json"


def find_clock(text: str, home: Path, *, create: bool = True) -> Clock:
    """Return the calendar of START,SCALE, as the first process of the workspace that was told of it began it.

    Parameters
    ----------
    text
        Start of the calendar (ISO 8601), and how many times faster than the wall it runs. Another START,SCALE than
        the last one begins a new calendar.
    home
        The workspace's folder, in which the calendar's begin is kept.
    create
        Keep the begin; otherwise a calendar that nobody began yet starts now, for this process alone.

    Raises
    ------
    SpecError
        If the text is no START,SCALE.
    """
    asked = _read(text)
    found = _kept(asked, home)
    if found is not None or not create:
        return found or asked
    home.mkdir(parents=True, exist_ok=True)
    with (home / f"{FILE}.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        found = _kept(asked, home)
        if found is None:
            draft = home / f"{FILE}.draft"
            draft.write_text(json.dumps({name: getattr(asked, name) for name in asked.__slots__}, default=str))
            draft.replace(home / FILE)
    return found or asked


def text_of(clock: Clock) -> str:
    """Return START,SCALE of a calendar."""
    return f"{clock.start.isoformat()},{clock.scale}"


def _read(text: str) -> Clock:
    try:
        start, scale = text.rsplit(",", 1)
        moment = datetime.fromisoformat(start)
        factor = float(scale)
    except ValueError as error:
        raise _fault(text) from error
    if not 0 < factor < float("inf"):
        raise _fault(text)
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return Clock(start=moment, scale=factor, started=datetime.now(UTC))


def _fault(text: str) -> SpecError:
    return SpecError(f"PENSTOCK_CLOCK must be START,SCALE such as '2026-01-01T00:00:00+00:00,1000', but is {text!r}.")


def _kept(asked: Clock, home: Path) -> Clock | None:
    try:
        body = json.loads((home / FILE).read_text())
        start, started = (datetime.fromisoformat(body[name]) for name in ("start", "started"))
        kept = Clock(start, float(body["scale"]), started)
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None
    return kept if (kept.start, kept.scale) == (asked.start, asked.scale) else None
