"""Requests of the past, answered again by champion and challenger before and while the first stage lasts."""

import logging
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from penstock.data.decoding import RowErrors
from penstock.domain.features import InputColumn
from penstock.domain.models import Signature
from penstock.domain.releases import Release
from penstock.domain.workspace import Workspace
from penstock.errors import NotFound, PenstockError
from penstock.rollout.observations import Observation
from penstock.serving.request_ids import first_id_at
from penstock.store import artifacts, records
from penstock.store.segments import list_segments

if TYPE_CHECKING:
    from penstock.serving.session import LoadedBundle

logger = logging.getLogger(__name__)

REQUESTS = 1300  # callers: three looks at whether failures are rarer than 1 % need 1,284 observations
REPLAY_SECONDS = 1.5  # of one tick
QUICK_MS = 50.0  # what is quicker is timed twice, and the better time counts: a busy machine is no harm
MOST_ROWS = 100  # of one request
KIND = "replay_rows"


class Kept(msgspec.Struct, frozen=True):
    """Rows of a version's dataset, to be asked where too few requests were journalled: the digest of their JSON."""

    digest: str


@dataclass(frozen=True, slots=True)
class Asked:
    """A request to be answered again: whose it was, and its rows."""

    caller: str
    rows: list[dict[str, Any]]


class Replay:
    """The newest requests before a rollout, and where they are few, rows of the challenger's dataset.

    It goes on where it stopped; what it asks depends on the release alone, so that a process that was killed asks the
    same again.
    """

    def __init__(self, release: Release, workspace: Workspace) -> None:
        """Load both bundles; `broken` says why the challenger's cannot be loaded."""
        self.release = release
        self.workspace = workspace
        self.broken: str | None = None
        self.ended = False
        self._asked: Iterator[Asked] | None = None
        self._bundles: tuple[LoadedBundle, LoadedBundle] | None = None
        self._turn = 0

    def go_on(self) -> list[Observation]:
        """Answer requests for some seconds, and return what was seen."""
        if self.ended or self.broken is not None or not self._load():
            return []
        if self._asked is None:
            self._asked = iter(requests_before(self.release, self.workspace))
        seen, deadline = [], time.monotonic() + REPLAY_SECONDS
        while time.monotonic() < deadline:
            asked = next(self._asked, None)
            if asked is None:
                self.ended, self._bundles = True, None
                break
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

    def _observe(self, asked: Asked) -> Observation | None:
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
        if after is not None and max(before, after) < QUICK_MS:
            after = min(after, timed(challenger, asked.rows) or after)
            before = min(before, timed(champion, asked.rows) or before)
        return Observation(asked.caller, after is None, before if after is not None else None, after)


def timed(bundle: "LoadedBundle", rows: list[dict[str, Any]]) -> float | None:
    """Return how many milliseconds a bundle takes to answer rows, None if it fails."""
    began = time.perf_counter()
    try:
        bundle.predict_rows(rows)
    except Exception:  # noqa: BLE001  every kind of failure counts against the version
        return None
    return (time.perf_counter() - began) * 1000


def requests_before(release: Release, workspace: Workspace) -> Iterator[Asked]:
    """Give the newest requests before a rollout began, newest last, and then rows of the challenger's dataset."""
    from penstock.serving.reading import read_entries

    until = first_id_at(release.opened_at.timestamp())
    newest: deque[Asked] = deque(maxlen=REQUESTS)
    for entry in read_entries(release.project, workspace, after=_start(release.project, until, workspace)):
        if entry.request_id >= until:
            break
        newest.append(Asked(entry.request_id if entry.id is None else str(entry.id), entry.rows[:MOST_ROWS]))
    yield from newest
    rows = kept_rows(release.project, release.version, workspace)
    for number, row in enumerate(rows[: REQUESTS - len({asked.caller for asked in newest})]):
        yield Asked(f"row {number}", [row])


def keep_rows(project: str, champion: str, challenger: str, workspace: Workspace) -> None:
    """Keep rows of a challenger's dataset as a client would send them, for its replay; called in the workshop.

    Parameters
    ----------
    project, champion, challenger
        The project, and its two versions, each of which may need other columns.
    workspace
        Where tables and bundles are.
    """
    from penstock.serving.rows import rows_of_frame
    from penstock.store import frames

    columns: dict[str, InputColumn] = {}
    for version in (champion, challenger):
        signature = _signature(project, version, workspace)
        columns |= {column.name: column for column in signature.decoding.columns}
    table = frames.load_table(records.find_version(project, challenger, workspace).dataset, workspace)
    rows = rows_of_frame(table.tail(REQUESTS), tuple(columns.values()))
    kept = Kept(artifacts.put_bytes(msgspec.json.encode(rows), workspace))
    records.save_record(KIND, challenger, project, kept, workspace)


def kept_rows(project: str, challenger: str, workspace: Workspace) -> list[dict[str, Any]]:
    """Return the rows that were kept for a challenger's replay, none if there are none."""
    kept = records.find_record(KIND, challenger, project, Kept, workspace)
    if kept is None:
        return []
    rows: list[dict[str, Any]] = msgspec.json.decode(artifacts.read_bytes(kept.digest, workspace))
    return rows


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


def _signature(project: str, version: str, workspace: Workspace) -> Signature:
    folder = artifacts.local_folder(records.find_version(project, version, workspace).bundle, workspace)
    path = folder / "signature.json"
    if not path.exists():
        raise NotFound(f"The bundle of version {version} of {project!r} must have a signature, but has none.")
    return msgspec.json.decode(path.read_bytes(), type=Signature)
