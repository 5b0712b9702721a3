"""What was seen of a challenger beside its champion, one observation a request."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

MOST_OF_ONE = 100  # observations of one caller that are kept
MOST_KEPT = 20_480  # of all callers: twelve looks of a guard, and no more is learnt by waiting


@dataclass(frozen=True, slots=True)
class Observation:
    """One request that a challenger answered, or failed to: whose it was, and how long both versions took.

    Both times are of the same rows (replay, shadow), or of the answers nearest in time with as many rows (live), so
    that a busy machine slows both.
    """

    caller: str
    failed: bool = False
    champion_ms: float | None = None
    challenger_ms: float | None = None


@dataclass(slots=True)
class Source:
    """Observations of one kind in the order in which they were made; of one caller only the first some count."""

    name: str
    seen: list[Observation] = field(default_factory=list)
    _of_one: Counter[str] = field(default_factory=Counter)

    def add(self, observation: Observation) -> None:
        """Take an observation."""
        if len(self.seen) < MOST_KEPT and self._of_one[observation.caller] < MOST_OF_ONE:
            self._of_one[observation.caller] += 1
            self.seen.append(observation)


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that is known of a challenger: pairs of answers to the same rows, and its answers to callers.

    `broken` says why the challenger cannot answer at all, and is None if it can; `replayed` is whether the replay has
    come to its end.
    """

    paired: Sequence[Observation]
    live: Sequence[Observation]
    replayed: bool = True
    broken: str | None = None


def callers(observations: Sequence[Observation]) -> int:
    """Return how many callers there are: what one caller's requests say may all be the same thing."""
    return len({observation.caller for observation in observations})


def by_caller(observations: Sequence[Observation], flags: Sequence[bool]) -> float:
    """Return how many callers a flag holds for: a caller counts with the share of its requests that are flagged."""
    total, flagged = Counter[str](), Counter[str]()
    for observation, flag in zip(observations, flags, strict=True):
        total[observation.caller] += 1
        flagged[observation.caller] += bool(flag)
    return sum(flagged[caller] / count for caller, count in total.items())
