"""Requests of the past, answered again by champion and challenger before and while the first stage lasts."""

import logging
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from penstock.data.decoding import RowErrors
from penstock.domain.releases import Release
from penstock.domain.workspace import Workspace
from penstock.errors import PenstockError
from penstock.rollout.kept import REQUESTS, judged_rows, kept_rows
from penstock.rollout.observations import MOST_ROWS as MOST_SAID
from penstock.rollout.observations import Answered, Observation, Said, said_of
from penstock.serving.journals.request_ids import first_id_at
from penstock.store import artifacts, records
from penstock.store.segments import list_segments

if TYPE_CHECKING:
    from penstock.serving.session import Answer, LoadedBundle

Timed = tuple[float, "list[Answer]"]
Seen = tuple[Observation, Answered | None]

logger = logging.getLogger(__name__)

REPLAY_SECONDS = 1.5  # of one tick
QUICK_MS = 50.0  # what is quicker is timed twice, and the better time counts: a busy machine is no harm
MOST_ROWS = 100  # of one request


@dataclass(frozen=True, slots=True)
class Asked:
    """A request to be answered again: whose it was, and its rows; its id if it was journalled."""

    caller: str
    rows: list[dict[str, Any]]
    request_id: str | None = None


class Replay:
    """The newest requests before a rollout, and where they are few, rows of the challenger's dataset.

    At the end both versions answer the rows that the judge has seen, which are no evidence: `judged` is what they say.
    It goes on where it stopped; what it asks depends on the release alone, so that a process that was killed asks the
    same again.
    """

    def __init__(self, release: Release, workspace: Workspace) -> None:
        """Load both bundles; `broken` says why the challenger's cannot be loaded."""
        self.release = release
        self.workspace = workspace
        self.broken: str | None = None
        self.ended = False
        self.judged: list[tuple[Said, Said]] = []
        self._asked: Iterator[Asked] | None = None
        self._judged: Iterator[list[dict[str, Any]]] = iter(())
        self._bundles: tuple[LoadedBundle, LoadedBundle] | None = None
        self._turn = 0

    def go_on(self) -> list[Seen]:
        """Answer requests for some seconds, and return what was seen, and what was said of requests with labels."""
        if self.ended or self.broken is not None or not self._load():
            return []
        if self._asked is None:
            self._asked = iter(requests_before(self.release, self.workspace))
            self._judged = judged_rows(self.release, self.workspace)
        seen, deadline = [], time.monotonic() + REPLAY_SECONDS
        while time.monotonic() < deadline and not self.ended:
            asked = next(self._asked, None)
            if asked is None:
                self._answer_judged()
                continue
            found = self._observe(asked)
            if found is not None:
                seen.append(found)
        return seen

    def _load(self) -> bool:
        if self._bundles is None:
            champion = _open(self.release.project, self.release.champion, self.workspace)
            try:
                challenger = _open(self.release.project, self.release.version, self.workspace)
            except Exception as error:  # noqa: BLE001  whatever is wrong with it, it cannot answer
                self.broken = error.message if isinstance(error, PenstockError) else f"{type(error).__name__}: {error}"
                return False
            self._bundles = champion, challenger
        return True

    def _observe(self, asked: Asked) -> Seen | None:
        """Answer a request with both versions, by turns first; None if the champion cannot answer it."""
        assert self._bundles is not None  # noqa: S101  loaded by the caller
        champion, challenger = self._bundles
        self._turn += 1
        try:
            if self._turn % 2:
                before, after = (timed(bundle, asked.rows) for bundle in (champion, challenger))
            else:
                after, before = (timed(bundle, asked.rows) for bundle in (challenger, champion))
        except RowErrors:
            return None
        if before is None:
            return None
        if after is None:
            return Observation(asked.caller, failed=True), None
        if max(before[0], after[0]) < QUICK_MS:
            after, before = (
                _quicker(after, timed(challenger, asked.rows)),
                _quicker(before, timed(champion, asked.rows)),
            )
        said = said_of(before[1], after[1])
        return Observation(asked.caller, False, before[0], after[0], said), _answered(asked, before, after)

    def _answer_judged(self) -> None:
        """Let both versions answer some rows that the judge has seen; the end of the replay comes after the last."""
        assert self._bundles is not None  # noqa: S101  loaded by the caller
        rows = next(self._judged, None)
        if rows is None:
            self.ended, self._bundles = True, None
            return
        before, after = (timed(bundle, rows) for bundle in self._bundles)
        if before is not None and after is not None:
            for start in range(0, len(rows), MOST_SAID):
                part = slice(start, start + MOST_SAID)
                self.judged += said_of(before[1][part], after[1][part])


def timed(bundle: "LoadedBundle", rows: list[dict[str, Any]]) -> Timed | None:
    """Return how many milliseconds a bundle takes to answer rows, and its answers; None if it fails."""
    began = time.perf_counter()
    try:
        answers = bundle.predict_rows(rows)
    except Exception:  # noqa: BLE001  every kind of failure counts against the version
        return None
    return (time.perf_counter() - began) * 1000, answers


def _quicker(once: Timed, again: Timed | None) -> Timed:
    return once if again is None or once[0] <= again[0] else again


def _answered(asked: Asked, before: Timed, after: Timed) -> Answered | None:
    if asked.request_id is None:
        return None
    said = before[1][:MOST_SAID], after[1][:MOST_SAID]
    return Answered(asked.request_id, asked.caller, *said, asked.rows[:MOST_SAID])


def requests_before(release: Release, workspace: Workspace) -> Iterator[Asked]:
    """Give the newest requests before a rollout began, newest last, and then rows of the challenger's dataset."""
    from penstock.serving.journals.reading import read_entries

    until = first_id_at(release.opened_at.timestamp())
    newest: deque[Asked] = deque(maxlen=REQUESTS)
    for entry in read_entries(release.project, workspace, after=_start(release.project, until, workspace)):
        if entry.request_id >= until:
            break
        caller = entry.request_id if entry.id is None else str(entry.id)
        newest.append(Asked(caller, entry.rows[:MOST_ROWS], entry.request_id))
    yield from newest
    rows = kept_rows(release.project, release.version, workspace)
    for number, row in enumerate(rows[: REQUESTS - len({asked.caller for asked in newest})]):
        yield Asked(f"row {number}", [row])


def _start(project: str, until: str, workspace: Workspace) -> str | None:
    """Return an id after which there are enough requests, without reading the whole journal; None for the first."""
    requests = 0
    for segment in sorted(list_segments(project, workspace), key=lambda segment: segment.last_id, reverse=True):
        if segment.first_id < until:
            requests += segment.requests
        if requests >= REQUESTS * 2:
            return segment.first_id
    return None


def _open(project: str, version: str, workspace: Workspace) -> "LoadedBundle":
    from penstock.serving.router import warm
    from penstock.serving.session import LoadedBundle

    digest = records.find_version(project, version, workspace).bundle
    bundle = LoadedBundle.open(artifacts.local_folder(digest, workspace))
    warm(bundle)  # as the service does, which serves no version that fails at this
    return bundle
