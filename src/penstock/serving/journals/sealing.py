"""Seal the journal: whole lines of spool files become Parquet segments, each line once.

A part of a spool is kept in four acts: its table, its request ids, its place in the index, and, once nobody writes the
spool any more, the end of the file. Whatever is killed between two of them, the next sealing starts at the end that
the index knows.
"""

import fcntl
import io
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import msgspec
import numpy as np

from penstock.domain.journal import Segment
from penstock.domain.workspace import Workspace
from penstock.serving import journal
from penstock.serving.journals.segments import numbers_of
from penstock.serving.nesting import IN_THE_JOURNAL, need_depth
from penstock.store import artifacts
from penstock.store.segments import save_segment, sealed_to

if TYPE_CHECKING:
    import pyarrow as pa

logger = logging.getLogger(__name__)

SEAL_BYTES = 4 << 20  # a living spool is left alone below: each segment costs an index row and two files
PART_BYTES = 16 << 20  # a segment is made of no more: memory is bounded, whatever has waited


class Line(msgspec.Struct, frozen=True):
    """A line of a spool whose rows and predictions stay the JSON text that they are."""

    request_id: str
    at: datetime
    project: str
    version: str
    rows: msgspec.Raw
    predictions: msgspec.Raw
    latency_ms: float
    release: int = 0
    id: msgspec.Raw = msgspec.Raw()
    pinned: bool = False
    unknown: msgspec.Raw = msgspec.Raw()
    failed: str | None = None
    expired: str | None = None
    others: msgspec.Raw = msgspec.Raw()


def seal(project: str, workspace: Workspace) -> int:
    """Seal every whole line of every spool file of a project, those that are still written included.

    May run in several processes at once, and again after a kill: nothing is lost or doubled. A spool that nobody
    writes any more is deleted once it is sealed to its end; a torn last line was never answered, and does not count.

    Parameters
    ----------
    project
        Whose journal is sealed.
    workspace
        Where journal, artifacts and index lie.

    Returns
    -------
    int
        How many requests were sealed now.

    Raises
    ------
    OSError
        If a spool cannot be read or an artifact cannot be written; what is not sealed stays in its spool.
    """
    return sum(_seal_spool(path, project, workspace) for path in journal.spool_files(project, workspace))


def seal_waiting(workspace: Workspace) -> int:
    """Seal what has waited long enough, of every project; called every few seconds, so cheap when nothing has.

    A project is sealed when 4 MB of its spools are unsealed, or when a spool has no writer any more. A project that
    cannot be sealed does not keep the others waiting.

    Parameters
    ----------
    workspace
        Where journal, artifacts and index lie.

    Returns
    -------
    int
        How many requests were sealed now.

    Raises
    ------
    OSError, PenstockError
        If a project cannot be sealed, and is tried again at the next call; the others were.
    """
    sealed, failed = 0, []
    for project in sorted(folder.parent.name for folder in workspace.journal.glob("*/spool")):
        try:
            sealed += seal(project, workspace) if _waits(project, workspace) else 0
        except Exception as error:  # noqa: BLE001  one project's journal holds up no other
            failed.append(error)
    if failed:
        raise failed[0]
    return sealed


def read_lines(content: bytes) -> list[Line]:
    """Return the entries of whole lines.

    A line that a fault of the disk left unreadable, or that nests deeper than readers can follow, is logged and passed
    over.
    """
    decoder = msgspec.json.Decoder(Line)
    lines = []
    for number, text in enumerate(content.split(b"\n")[:-1]):
        try:
            need_depth(text, IN_THE_JOURNAL)
            lines.append(decoder.decode(text))
        except (msgspec.MsgspecError, RecursionError):
            logger.exception("Line %d of a part of the journal is unreadable, and is passed over.", number)
    return lines


def table_of(lines: Iterable[Line]) -> "pa.Table":
    """Return entries as a table with one row a request; rows, predictions, id and the other columns as JSON text."""
    import pyarrow as pa

    kept = list(lines)
    columns: dict[str, tuple[pa.DataType, Callable[[Line], object]]] = {
        "request_id": (pa.string(), lambda line: line.request_id),
        "at": (pa.timestamp("us", tz="UTC"), lambda line: line.at.astimezone(UTC)),
        "project": (pa.string(), lambda line: line.project),
        "version": (pa.string(), lambda line: line.version),
        "release": (pa.int64(), lambda line: line.release),
        "latency_ms": (pa.float64(), lambda line: line.latency_ms),
        "id": (pa.string(), lambda line: _text(line.id)),
        "pinned": (pa.bool_(), lambda line: line.pinned),
        "failed": (pa.string(), lambda line: line.failed),
        "expired": (pa.string(), lambda line: line.expired),
        "unknown": (pa.string(), lambda line: _text(line.unknown)),
        "others": (pa.string(), lambda line: _text(line.others)),
        "rows": (pa.string(), lambda line: _text(line.rows)),
        "predictions": (pa.string(), lambda line: _text(line.predictions)),
    }
    return pa.table({name: pa.array(map(value, kept), form) for name, (form, value) in columns.items()})


@dataclass(frozen=True, slots=True)
class _Part:
    """Whole lines of a spool, from byte `start` on."""

    spool: str
    start: int
    content: bytes

    @property
    def end(self) -> int:
        """The byte after the last line."""
        return self.start + len(self.content)


def _seal_spool(path: Path, project: str, workspace: Workspace) -> int:
    try:
        file = path.open("rb")
    except FileNotFoundError:  # another process sealed it to its end
        return 0
    with file:
        unwritten = not _is_written(file)  # from here on locked by us
        sealed, size = 0, file.seek(0, io.SEEK_END)
        while (start := sealed_to(project, workspace, [path.name]).get(path.name, 0)) < size:
            part = _Part(path.name, start, whole_lines(file, start, PART_BYTES))
            if not part.content:
                break
            sealed += _keep(part, project, workspace)
        if unwritten:
            path.unlink(missing_ok=True)
        return sealed


def whole_lines(file: BinaryIO, start: int, most: int = -1) -> bytes:
    """Return what stands in a spool from a byte on, up to about `most` bytes, without a torn last line."""
    file.seek(start)
    content = file.read(most) + file.readline()
    return content[: content.rfind(b"\n") + 1]


def _keep(part: _Part, project: str, workspace: Workspace) -> int:
    """Keep a part as a segment; return how many requests that sealed, 0 if another process was quicker."""
    lines = read_lines(part.content)
    ids = np.zeros(len(lines), dtype=[("high", "<u8"), ("low", "<u8"), ("rows", "<u4")])
    ids["high"], ids["low"] = numbers_of([line.request_id for line in lines])
    ids["rows"] = [len(msgspec.json.decode(line.predictions, type=list[msgspec.Raw])) for line in lines]
    segment = Segment(
        project=project,
        spool=part.spool,
        start=part.start,
        end=part.end,
        digest=artifacts.put_bytes(_parquet(lines), workspace),
        ids=artifacts.put_bytes(_npy(np.sort(ids, order=("high", "low"))), workspace),
        requests=len(lines),
        rows=int(ids["rows"].sum()),
        first_id=min((line.request_id for line in lines), default=""),
        last_id=max((line.request_id for line in lines), default=""),
        from_at=min((line.at for line in lines), default=workspace.now()),
        to_at=max((line.at for line in lines), default=workspace.now()),
        sealed_at=datetime.now(UTC),
    )
    return len(lines) if save_segment(segment, workspace) else 0


def _parquet(lines: Iterable[Line]) -> bytes:
    import pyarrow.parquet as pq

    sink = io.BytesIO()
    pq.write_table(table_of(lines), sink, compression="zstd")
    return sink.getvalue()


def _npy(array: np.ndarray) -> bytes:
    sink = io.BytesIO()
    np.save(sink, array, allow_pickle=False)
    return sink.getvalue()


def _text(raw: msgspec.Raw) -> str | None:
    return bytes(raw).decode() or None


def _is_written(file: BinaryIO) -> bool:
    """Return whether a process holds a spool to write it; if none does, we hold it until the file is closed."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False


def _waits(project: str, workspace: Workspace) -> bool:
    sizes: dict[str, int] = {}
    for path in journal.spool_files(project, workspace):
        try:
            with path.open("rb") as file:
                if not _is_written(file):
                    return True
                sizes[path.name] = file.seek(0, io.SEEK_END)
        except FileNotFoundError:  # another process sealed it to its end
            continue
    if sum(sizes.values()) < SEAL_BYTES:
        return False
    return sum(sizes.values()) - sum(sealed_to(project, workspace, list(sizes)).values()) >= SEAL_BYTES
