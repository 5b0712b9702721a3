"""What was asked and answered: append-only files, one a process, written before an answer leaves.

A line is one request. It begins with its request id, and ids ascend within a file, so a request is found by binary
search. A process that is killed loses none: what `os.write` returned from is the kernel's. (A machine that loses its
power may lose the last moments.) A torn last line was never answered, and is ignored. `sealing` turns what is written
into tables, and `reading` reads both.
"""

import fcntl
import logging
import mmap
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from penstock.domain.workspace import Workspace
from penstock.serving.journals.request_ids import LENGTH, RequestIds, is_request_id, seconds_of

logger = logging.getLogger(__name__)
Form = TypeVar("Form")

START = b'{"request_id":"'
ROTATE_BYTES = 64 << 20
LATE_SECONDS = 5.0  # a file is looked into if it was last written no earlier than this before a request's time


class Entry(msgspec.Struct, frozen=True):
    """One request as it stands in the journal.

    `rows` hold the contract's columns as they were sent, `unknown` how many rows carried each other column, and
    `others` those columns with their values, row by row (empty if no row had any): one that comes into the contract
    later can be looked up. `id` is the value that kept the caller on a version; `release` numbers the release that
    chose it; `failed` is the version that should have answered, where another had to; `expired` is the one that would
    have, had its weight been renewed.
    """

    request_id: str
    at: datetime
    project: str
    version: str
    rows: list[dict[str, Any]]
    predictions: list[dict[str, Any]]
    latency_ms: float
    release: int = 0
    id: str | int | float | bool | None = None
    pinned: bool = False
    unknown: dict[str, int] = {}
    failed: str | None = None
    expired: str | None = None
    others: list[dict[str, Any]] = []


class Brief(msgspec.Struct, frozen=True):
    """What a label must know of an entry."""

    request_id: str
    version: str
    predictions: list[msgspec.Raw]


class _Spool:
    """The open file of one project, this process's own; locked while it is written, so that none seals it."""

    __slots__ = ("file", "size")

    def __init__(self, folder: Path, name: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.file = _locked(folder / f"{name}.jsonl")
        self.size = 0

    def append(self, line: bytes) -> None:
        """Write a line whole, or raise: half of one is the file's torn end."""
        written = os.write(self.file, line)
        self.size += written
        if written != len(line):
            raise OSError(f"Only {written} of {len(line)} bytes were written.")

    def close(self) -> None:
        """Close the file, which gives its lock back."""
        os.close(self.file)


def _locked(path: Path) -> int:
    """Create a file and lock it; once more if a sealing found it in between, without a writer and empty."""
    while True:
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
        fcntl.flock(file, fcntl.LOCK_EX)
        if os.fstat(file).st_nlink:
            return file
        os.close(file)


class Journal:
    """Writes entries; not for several threads at once."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.ids = RequestIds()
        self._spools: dict[str, _Spool] = {}

    def append(self, project: str, request_id: str, rest: bytes) -> None:
        """Write one entry with one call of the kernel.

        Parameters
        ----------
        project
            A project that exists; it names a folder.
        request_id
            The newest of `ids`.
        rest
            The entry's other members as JSON, without the opening brace.

        Raises
        ------
        OSError
            If the disk takes no whole line, not even in a new file.
        """
        line = b"".join((START, request_id.encode(), b'",', rest, b"\n"))
        spool = self._spools.get(project)
        if spool is None or spool.size > ROTATE_BYTES:
            spool = self._rotate(project, request_id)
        try:
            spool.append(line)
        except OSError:
            self._append_anew(project, request_id, line)

    def close(self) -> None:
        """Close every file."""
        for spool in self._spools.values():
            spool.close()
        self._spools.clear()

    def _append_anew(self, project: str, request_id: str, line: bytes) -> None:
        """Write a line into a new file; one that does not take it is given up, for a line behind a torn one is lost."""
        spool = self._rotate(project, request_id)
        try:
            spool.append(line)
        except OSError:
            self._spools.pop(project).close()
            raise

    def _rotate(self, project: str, request_id: str) -> _Spool:
        old = self._spools.pop(project, None)
        if old is not None:
            old.close()
        folder = spool_folder(project, self.workspace)
        taken = len(list(folder.glob(f"{request_id}*")))
        self._spools[project] = _Spool(folder, f"{request_id}-{taken}" if taken else request_id)
        return self._spools[project]


def spool_folder(project: str, workspace: Workspace) -> Path:
    """Return the folder of a project's spool files."""
    return workspace.journal / project / "spool"


def spool_files(project: str, workspace: Workspace) -> list[Path]:
    """Return a project's spool files, by the time of their first request."""
    return sorted(spool_folder(project, workspace).glob("*.jsonl"))


def find(request_id: str, project: str, workspace: Workspace) -> Entry | None:
    """Return the entry of a request that is not sealed yet, or None if there is none.

    Parameters
    ----------
    request_id
        A UUIDv7; its time says which files may hold it.
    project
        Whose journal is searched.
    workspace
        Where the journal lies.

    Returns
    -------
    Entry or None
    """
    line = find_line(request_id, spool_files(project, workspace))
    return None if line is None else decode_line(line, Entry)


def decode_line(line: bytes, form: type[Form]) -> Form | None:
    """Return what a line holds; None, and a line in the log, if it nests deeper than can be followed."""
    try:
        return msgspec.json.decode(line, type=form)
    except RecursionError:
        logger.exception("A line of the journal cannot be read, and is passed over.")
        return None


def find_line(request_id: str, files: Sequence[Path]) -> bytes | None:
    """Return the JSON line of a request in a project's spool files, or None if none of them holds it."""
    if not is_request_id(request_id):
        return None
    earliest = seconds_of(request_id) - LATE_SECONDS
    for path in reversed(files):
        if path.stem[:LENGTH] > request_id:
            continue
        try:
            line = _search(path, request_id.encode()) if path.stat().st_mtime >= earliest else None
        except FileNotFoundError:  # sealed to its end since it was listed
            continue
        if line is not None:
            return line
    return None


@dataclass(frozen=True, slots=True)
class _Lines:
    """A file of lines that ascend by their ids, in memory by need."""

    content: mmap.mmap | bytes
    end: int

    def start_of(self, place: int) -> int:
        """Return where the line that holds a place begins."""
        return self.content.rfind(b"\n", 0, place) + 1

    def id_at(self, start: int) -> bytes:
        """Return the id of the line that begins at a place."""
        return self.content[start + len(START) : start + len(START) + LENGTH]

    def line_at(self, start: int) -> bytes:
        """Return the line that begins at a place, without its end."""
        return self.content[start : self.content.find(b"\n", start)]


def lines_after(content: bytes, request_id: str) -> bytes:
    """Return the lines of a part of a spool, whole ones alone, whose ids are above a request's."""
    lines, wanted = _Lines(content, len(content)), request_id.encode()
    place = _first_from(lines, wanted)
    if place < lines.end and lines.id_at(place) == wanted:
        place += len(lines.line_at(place)) + 1
    return content[place:]


def _search(path: Path, wanted: bytes) -> bytes | None:
    with path.open("rb") as file:
        if os.fstat(file.fileno()).st_size == 0:
            return None
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            lines = _Lines(content, content.rfind(b"\n") + 1)
            place = _first_from(lines, wanted)
            return lines.line_at(place) if place < lines.end and lines.id_at(place) == wanted else None


def _first_from(lines: _Lines, wanted: bytes) -> int:
    """Return where the first line with an id of at least the one wanted begins."""
    low, high = 0, lines.end
    while low < high:
        start = lines.start_of((low + high) // 2)
        if lines.id_at(start) < wanted:
            low = start + len(lines.line_at(start)) + 1
        else:
            high = start
    return low
