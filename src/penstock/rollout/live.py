"""What a challenger did to callers since its stage began, and to shadowed rows since its rollout began."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import msgspec

from penstock.domain.workspace import Workspace
from penstock.rollout.observations import MOST_ROWS, Answered, Observation, said_of
from penstock.serving.journal import Entry
from penstock.serving.journals.request_ids import first_id_at, seconds_of
from penstock.serving.journals.shadow_spool import Shadowed, shadow_folder

LATE_SECONDS = 2.0  # a request's line may follow those of later ones of another process
NEAR_SECONDS = 5.0  # answers further apart are not compared: the machine may have been another one
MOST_WAITING = 50

Seen = tuple[Observation | None, Answered | None]


@dataclass(slots=True)
class LiveAnswers:
    """Reads the journal from the time when a stage began; each line once."""

    project: str
    challenger: str
    since: datetime
    _after: str = ""
    _known: set[str] = field(default_factory=set)
    _champions: dict[int, deque[Entry]] = field(default_factory=dict)

    def read(self, workspace: Workspace) -> Iterator[Seen]:
        """Give what is new: of the challenger, paired with the champion's answers nearest before it, and of labels.

        Answers of a version that the caller chose are left out: no champion answers for a challenger that fails there,
        so that the journal has its successes alone.
        """
        from penstock.serving.journals.reading import read_entries

        self._after = self._after or first_id_at(self.since.timestamp())
        newest = self._after
        for entry in read_entries(self.project, workspace, after=self._after):
            if entry.request_id in self._known:
                continue
            self._known.add(entry.request_id)
            newest = max(newest, entry.request_id)
            if not entry.pinned:
                yield self._observe(entry), self._answered(entry)
        if newest > self._after:
            self._after = max(self._after, first_id_at(seconds_of(newest) - LATE_SECONDS))
            self._known = {known for known in self._known if known > self._after}

    def _observe(self, entry: Entry) -> Observation | None:
        caller = _caller(entry)
        if entry.failed == self.challenger:
            return Observation(caller, failed=True)
        waiting = self._champions.setdefault(len(entry.rows).bit_length(), deque(maxlen=MOST_WAITING))
        if entry.version != self.challenger:
            if entry.failed is None:
                waiting.append(entry)
            return None
        champion = waiting.pop() if waiting else None
        if champion is None or seconds_of(entry.request_id) - seconds_of(champion.request_id) > NEAR_SECONDS:
            return Observation(caller)
        return Observation(caller, False, champion.latency_ms, entry.latency_ms)

    def _answered(self, entry: Entry) -> Answered | None:
        """Return what may be labelled: not what the champion said for the challenger."""
        if entry.failed is not None:
            return None
        said = entry.predictions[:MOST_ROWS]
        ours = entry.version == self.challenger
        return Answered(entry.request_id, _caller(entry), None if ours else said, said if ours else None)


@dataclass(slots=True)
class ShadowPairs:
    """Reads what the service wrote of a challenger shadowed beside its champion; each line once."""

    project: str
    challenger: str
    champion: str
    since: datetime
    _read: dict[Path, int] = field(default_factory=dict)

    def read(self, workspace: Workspace) -> Iterator[Seen]:
        """Give what is new, and what was said of it, whose labels may come."""
        decoder, first = msgspec.json.Decoder(Shadowed), first_id_at(self.since.timestamp())
        for path in sorted(shadow_folder(self.project, workspace).glob("*.jsonl")):
            for line in self._lines(path):
                shadowed = decoder.decode(line)
                ours = (shadowed.version, shadowed.champion) == (self.challenger, self.champion)
                if ours and shadowed.request_id >= first:
                    yield _pair(shadowed)

    def _lines(self, path: Path) -> list[bytes]:
        try:
            with path.open("rb") as file:
                file.seek(self._read.get(path, 0))
                content = file.read()
        except FileNotFoundError:  # the oldest file makes way for the newest
            return []
        whole = content[: content.rfind(b"\n") + 1]
        self._read[path] = self._read.get(path, 0) + len(whole)
        return whole.splitlines()


def _pair(shadowed: Shadowed) -> Seen:
    caller = shadowed.request_id if shadowed.id is None else str(shadowed.id)
    if shadowed.error is not None:
        return Observation(caller, failed=True), None
    before, after = shadowed.champion_predictions or [], shadowed.predictions or []
    seen = Observation(caller, False, shadowed.champion_ms, shadowed.latency_ms, said_of(before, after))
    if not before or not after:  # a line of an earlier version of Penstock
        return seen, None
    return seen, Answered(shadowed.request_id, caller, before[:MOST_ROWS], after[:MOST_ROWS])


def _caller(entry: Entry) -> str:
    return entry.request_id if entry.id is None else str(entry.id)
