"""Labels that come while a rollout lasts, beside what champion and challenger said of their rows."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from penstock.domain.releases import Label, Release
from penstock.domain.workspace import Workspace
from penstock.rollout.observations import MOST_KEPT, Answered, Lost, Missed
from penstock.rollout.quality import distance
from penstock.store.labels import labels_of, labels_since, newest_number

MOST_WAITING = 4096  # requests of either kind whose labels are waited for; later ones are not
BOTH = 2


@dataclass(slots=True)
class Labelled:
    """Matches labels with answers; each row once.

    Labels from before the rollout are left out: the judge had them, and the challenger may have learnt from them. Those
    that a model picked are too.
    """

    project: str
    opened: datetime
    lost: list[Lost] = field(default_factory=list)
    missed: list[Missed] = field(default_factory=list)
    _number: int | None = None
    _pairs: dict[str, Answered] = field(default_factory=dict)
    _alone: dict[str, Answered] = field(default_factory=dict)
    _new: list[str] = field(default_factory=list)
    _taken: set[tuple[str, int]] = field(default_factory=set)

    @classmethod
    def begin(cls, release: Release, workspace: Workspace) -> "Labelled":
        """Begin to wait for labels of a rollout."""
        return cls(release.project, in_calendar(release.opened_at, workspace))

    def wait_for(self, answered: Answered) -> None:
        """Wait for the labels of a request."""
        waiting = self._pairs if answered.champion and answered.challenger else self._alone
        if len(waiting) < MOST_WAITING and answered.request_id not in waiting:
            waiting[answered.request_id] = answered
            self._new.append(answered.request_id)

    def begin_stage(self) -> None:
        """Forget answers to callers: those of one stage alone are compared with each other."""
        self.missed, self._alone = [], {}

    def read(self, workspace: Workspace) -> None:
        """Take the labels that have come."""
        if self._number is None:
            self._number = newest_number(self.project, workspace)
        came = labels_since(self.project, self._number, workspace)  # before those of new requests: none falls between
        self._number = max((number for number, _ in came), default=self._number)
        for _, label in [*came, *labels_of(self.project, self._new, workspace)]:
            self._take(label)
        self._new = []

    def _take(self, label: Label) -> None:
        answered = self._pairs.get(label.request_id) or self._alone.get(label.request_id)
        place = (label.request_id, label.row)
        if answered is None or label.picked or place in self._taken or label.received_at < self.opened:
            return
        self._taken.add(place)
        sides = [each for each in (answered.champion, answered.challenger) if each]
        if any(label.row >= len(each) for each in sides):  # only the first rows of a request are kept
            return
        said = [each[label.row] for each in sides]
        off = [distance(answer, label.value) for answer in said]
        truth = float(label.value) if "value" in said[0] else None
        if len(said) == BOTH and len(self.lost) < MOST_KEPT:
            row = answered.rows[label.row] if answered.rows else None
            self.lost.append(Lost(answered.caller, off[1] - off[0], truth, row))
        elif len(said) < BOTH and len(self.missed) < MOST_KEPT:
            self.missed.append(Missed(answered.caller, bool(answered.challenger), off[0], truth))


def in_calendar(moment: datetime, workspace: Workspace) -> datetime:
    """Return what the calendar said at a moment of the wall."""
    clock = workspace.clock
    if clock is None:
        return moment
    return clock.start + timedelta(seconds=(moment - clock.started).total_seconds() * clock.scale)
