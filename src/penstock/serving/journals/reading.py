"""Read the journal: its sealed segments and what is not sealed yet, each request once, also while sealing goes on.

The inference service does not import this: it needs pyarrow, and for tables pandas.
"""

import heapq
import logging
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, BinaryIO

import msgspec

from penstock.domain.journal import Segment
from penstock.domain.workspace import Workspace
from penstock.serving import journal
from penstock.serving.journal import Entry
from penstock.serving.journals.sealing import Line, read_lines, table_of, whole_lines
from penstock.store import artifacts
from penstock.store.segments import list_segments, sealed_to, segments_between

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

logger = logging.getLogger(__name__)

BATCH = 1024  # requests that are decoded at a time
COLUMNS = ("request_id", "at", "version", "rows", "predictions")
JSON_TEXTS = ("rows", "predictions", "id", "unknown", "others")

Lines = Iterator[Line]


@dataclass(frozen=True, slots=True)
class _Rest:
    """An open spool, whose part from byte `start` on was not sealed when it was looked at."""

    file: BinaryIO
    start: int
    after: str | None

    def lines(self) -> list[Line]:
        """Return its entries."""
        content = whole_lines(self.file, self.start)
        return read_lines(content if self.after is None else journal.lines_after(content, self.after))


@dataclass(frozen=True, slots=True)
class _Span:
    """Which requests are asked for: `since <= at < until`, with an id above `after`."""

    after: str | None
    since: datetime | None = None
    until: datetime | None = None

    def holds(self, line: Line) -> bool:
        """Return whether a request is asked for."""
        later = self.after is None or line.request_id > self.after
        return later and (self.since is None or line.at >= self.since) and (self.until is None or line.at < self.until)

    def meets(self, segment: Segment) -> bool:
        """Return whether a segment may hold what is asked for."""
        return (self.since is None or segment.to_at >= self.since) and (
            self.until is None or segment.from_at < self.until
        )


def read_entries(
    project: str,
    workspace: Workspace,
    after: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> Iterator[Entry]:
    """Give a project's entries, ascending by request id, each once, whether it is sealed, not yet, or just now.

    Parameters
    ----------
    project
        Whose journal is read.
    workspace
        Where the journal lies.
    after
        Only requests with a larger id.
    since, until
        Only entries with `since <= at < until`, in the calendar.

    Yields
    ------
    Entry
    """
    span = _Span(after, since, until)
    with _looked_at(project, workspace, after) as (segments, rests):
        parts: list[tuple[str, Callable[[], Lines]]] = [
            (segment.first_id, lambda segment=segment: _lines_of(segment, workspace, after))  # type: ignore[misc]
            for segment in segments
            if span.meets(segment)
        ]
        for rest in rests:
            lines = rest.lines()
            if lines:
                parts.append((lines[0].request_id, lambda lines=lines: iter(lines)))  # type: ignore[misc]
        for line in _in_order(parts):
            entry = _entry_of(line) if span.holds(line) else None
            if entry is not None:
                yield entry


def read_rows(
    project: str,
    workspace: Workspace,
    after: str | None = None,
    columns: Sequence[str] = COLUMNS,
    only: Collection[str] | None = None,
) -> "pd.DataFrame":
    """Return a project's requests as a table, ascending by request id; nothing of their rows is decoded.

    Parameters
    ----------
    project
        Whose journal is read.
    workspace
        Where the journal lies.
    after
        Only requests with a larger id.
    columns
        Of those of `sealing.table_of`. `rows`, `predictions`, `id`, `unknown` and `others` are JSON text.
    only
        Only these requests; a segment's others are let go before the next is read.

    Returns
    -------
    DataFrame
        Shape (n_requests, n_columns); times with the zone UTC.
    """
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    wanted = list(dict.fromkeys(["request_id", *columns]))
    with _looked_at(project, workspace, after) as (segments, rests):
        paths = [artifacts.local_path(each.digest, workspace) for each in segments]
        tables = [_chosen(pq.read_table(path, columns=wanted), only) for path in paths]
        tables += [_chosen(table_of(rest.lines()).select(wanted), only) for rest in rests]
    table: pa.Table = pa.concat_tables([table_of(()).select(wanted), *tables])
    if after is not None:
        table = table.filter(pc.greater(table["request_id"], after))
    frame: pd.DataFrame = table.sort_by("request_id").select(list(columns)).to_pandas()
    return frame


def _chosen(table: "pa.Table", only: Collection[str] | None) -> "pa.Table":
    import pyarrow as pa
    import pyarrow.compute as pc

    if only is None:
        return table
    return table.filter(pc.is_in(table["request_id"], value_set=pa.array(sorted(only), pa.string())))


def find_entry(request_id: str, project: str, workspace: Workspace) -> Entry | None:
    """Return the entry of a request, sealed or not, or None if it was not answered."""
    import pyarrow.parquet as pq

    entry = journal.find(request_id, project, workspace)
    if entry is not None:
        return entry
    for segment in segments_between(request_id, request_id, project, workspace):
        path = artifacts.local_path(segment.digest, workspace)
        for values in pq.read_table(path, filters=[("request_id", "=", request_id)]).to_pylist():
            return _entry_of(_line_of(values))
    return None


@contextmanager
def _looked_at(project: str, workspace: Workspace, after: str | None) -> Iterator[tuple[list[Segment], list[_Rest]]]:
    """Give segments and open spools that together hold each request once.

    Spools are opened before the index is read, so what is sealed and deleted in between is in the index; what is sealed
    of an open spool later is read from the spool.
    """
    with ExitStack() as opened:
        files: dict[str, BinaryIO] = {}
        for path in journal.spool_files(project, workspace):
            try:
                files[path.name] = opened.enter_context(path.open("rb"))
            except FileNotFoundError:  # sealed to its end since it was listed
                continue
        sealed = sealed_to(project, workspace, list(files))
        segments = [
            each
            for each in list_segments(project, workspace, after)
            if each.spool not in files or each.end <= sealed.get(each.spool, 0)
        ]
        yield segments, [_Rest(file, sealed.get(name, 0), after) for name, file in files.items()]


def _in_order(parts: list[tuple[str, Callable[[], Lines]]]) -> Lines:
    """Merge parts by request id; a part, ascending in itself, is opened when the first of its ids is due."""
    waiting = sorted(enumerate(parts), key=lambda part: part[1][0], reverse=True)
    heap: list[tuple[str, int, Line, Lines]] = []
    while heap or waiting:
        if waiting and (not heap or waiting[-1][1][0] <= heap[0][0]):
            number, (_, opens) = waiting.pop()
            _push(heap, number, opens())
            continue
        _, number, line, rest = heapq.heappop(heap)
        yield line
        _push(heap, number, rest)


def _push(heap: list[tuple[str, int, Line, Lines]], number: int, lines: Lines) -> None:
    line = next(lines, None)
    if line is not None:
        heapq.heappush(heap, (line.request_id, number, line, lines))


def _lines_of(segment: Segment, workspace: Workspace, after: str | None) -> Lines:
    """Give the lines of a segment, or those of requests after one."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    path = artifacts.local_path(segment.digest, workspace)
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=BATCH):
            later = batch if after is None else batch.filter(pc.greater(batch["request_id"], after))
            yield from map(_line_of, later.to_pylist())


def _line_of(values: dict[str, Any]) -> Line:
    raw = {name: msgspec.Raw((values.get(name) or "").encode()) for name in JSON_TEXTS}  # older segments lack some
    return Line(**{**values, **raw, "at": values["at"].astimezone(UTC)})


def _entry_of(line: Line) -> Entry | None:
    """Return the entry of a line; None, and a line in the log, if it nests deeper than can be followed."""
    plain = {name: getattr(line, name) for name in Line.__struct_fields__}
    texts = {name: plain.pop(name) for name in JSON_TEXTS}
    try:
        decoded = {name: msgspec.json.decode(raw) for name, raw in texts.items() if raw}
    except RecursionError:
        logger.exception("Request %s cannot be read, and is passed over.", line.request_id)
        return None
    return Entry(**plain, **decoded)
