"""What was seen of a challenger beside its champion, one observation a request."""

from collections import Counter, OrderedDict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

MOST_OF_ONE = 100  # observations of one caller that are kept
MOST_KEPT = 20_480  # of all callers: twelve looks of a guard, and no more is learnt by waiting
LATE_EVERY = 320  # observations: how often the newest are looked at, once some are left out of the first
MOST_ROWS = 10  # of one request whose answers are compared

Said = str | float
Answers = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Observation:
    """One request that a challenger answered, or failed to: whose it was, and how long both versions took.

    Both times are of the same rows (replay, shadow), or of the answers nearest in time with as many rows (live), so
    that a busy machine slows both. `said` is what champion and challenger said of each of its first rows, a class or
    a value; it is empty where only one of them answered them.
    """

    caller: str
    failed: bool = False
    champion_ms: float | None = None
    challenger_ms: float | None = None
    said: tuple[tuple[Said, Said], ...] = ()


@dataclass(frozen=True, slots=True)
class Answered:
    """A request whose labels may come: what champion and challenger said of its first rows, None for who was not asked.

    `rows` are the rows themselves, where they are at hand.
    """

    request_id: str
    caller: str
    champion: Answers | None
    challenger: Answers | None
    rows: Sequence[Mapping[str, Any]] | None = None


@dataclass(frozen=True, slots=True)
class Lost:
    """One labelled row that both versions answered: by how much the challenger was further off than the champion.

    `truth` is the label of a regression, in whose units the loss is; `row` is the row, where it is at hand.
    """

    caller: str
    loss: float
    truth: float | None = None
    row: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Missed:
    """One labelled row that one of the versions answered to a caller, and how far off it was."""

    caller: str
    challenger: bool
    loss: float
    truth: float | None = None


@dataclass(frozen=True, slots=True)
class Late:
    """The newest observations as they were at the newest of some late looks; none before the first."""

    look: int = 0
    seen: Sequence[Observation] = ()


@dataclass(slots=True)
class Source:
    """Observations of one kind in the order in which they were made: of each caller the first some, and the newest.

    `seen` are the first, and stay as they are. Once some are left out of them, `late` are the newest, as they were when
    the number of all observations was last a multiple of `LATE_EVERY`: what comes late is seen too, and what is kept
    has an end.
    """

    name: str
    seen: list[Observation] = field(default_factory=list)
    late: Late = Late()
    _harmless: int = 0  # the newest late look that has shown no harm
    _made: int = 0
    _of_one: Counter[str] = field(default_factory=Counter)
    _newest: OrderedDict[int, Observation] = field(default_factory=OrderedDict)
    _places: dict[str, deque[int]] = field(default_factory=dict)

    def add(self, observation: Observation) -> bool:
        """Take an observation; return whether it is one of the first."""
        first = len(self.seen) < MOST_KEPT and self._of_one[observation.caller] < MOST_OF_ONE
        if first:
            self._of_one[observation.caller] += 1
            self.seen.append(observation)
        self._made += 1
        self._renew(observation)
        if self._made > len(self.seen) and self._made % LATE_EVERY == 0:
            self.late = Late(self.late.look + 1, tuple(self._newest.values()))
        return first

    def unmeasured(self) -> Late:
        """Return the newest observations, none if a look at them has shown no harm already."""
        return self.late if self.late.look > self._harmless else Late()

    def note_harmless(self) -> None:
        """Take note that a look at the newest observations has shown no harm: it would show none again."""
        self._harmless = self.late.look

    def _renew(self, observation: Observation) -> None:
        """Let an observation take the place of the oldest of its caller, or of all, where there is no room."""
        places = self._places.setdefault(observation.caller, deque())
        places.append(self._made)
        self._newest[self._made] = observation
        if len(places) > MOST_OF_ONE:
            del self._newest[places.popleft()]
        elif len(self._newest) > MOST_KEPT:
            _, oldest = self._newest.popitem(last=False)
            self._places[oldest.caller].popleft()
            if not self._places[oldest.caller]:
                del self._places[oldest.caller]


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that is known of a challenger: pairs of answers to the same rows, and its answers to callers.

    `broken` says why the challenger cannot answer at all, and is None if it can; `replayed` is whether the replay has
    come to its end. `judged` is what both versions say of labelled fresh rows that the judge has seen. `lost` and
    `missed` are labelled rows that both versions answered, and that one of them did since the stage began. `asked` is
    how many pairs the replay has brought. `late_paired` and `late_live` are the newest of either kind, once some were
    left out, and until a look at them has shown no harm. The stage has been watched for `lasted` seconds.
    """

    paired: Sequence[Observation]
    live: Sequence[Observation]
    replayed: bool = True
    broken: str | None = None
    judged: Sequence[tuple[Said, Said]] = ()
    lost: Sequence[Lost] = ()
    missed: Sequence[Missed] = ()
    asked: int = 0
    late_paired: Late = Late()
    late_live: Late = Late()
    lasted: float = 0.0


def said_of(champion: Answers, challenger: Answers) -> tuple[tuple[Said, Said], ...]:
    """Return what two versions said of the same rows, the first some of them."""
    return tuple((_said(one), _said(other)) for one, other in zip(champion[:MOST_ROWS], challenger, strict=False))


def _said(answer: Mapping[str, Any]) -> Said:
    if "value" in answer:
        return float(answer["value"])
    label = answer["label"]
    return label if isinstance(label, str) else repr(label)


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
