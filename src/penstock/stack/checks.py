"""One check of the doctor: what was looked at, what was found, what to do."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Check:
    """What was found; `state` is `ok`, `warning` or `failed`, `advice` empty where nothing is to do."""

    name: str
    state: str
    found: str
    advice: str = ""


def judged(name: str, found: str, *, good: bool, advice: str, otherwise: str = "warning") -> Check:
    """Return a check that is `ok` when `good`, else `otherwise` with advice."""
    return Check(name, "ok", found) if good else Check(name, otherwise, found, advice)
