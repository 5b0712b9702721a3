"""The newest window of the journal: rows that no earlier window held, as a table."""

import re
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd

from penstock.data.contract_file import load_contract
from penstock.data.types.cells import double_of
from penstock.domain.datasets import ColumnType, Contract
from penstock.domain.models import ModelVersion, Signature, class_name
from penstock.domain.monitoring import Window
from penstock.domain.workspace import Workspace
from penstock.errors import NotFound
from penstock.serving.journal import Entry
from penstock.serving.journals.reading import read_entries
from penstock.serving.registry import model_of
from penstock.spec import ProjectSpec
from penstock.store import frames, records
from penstock.store.windows import newest_window

CHUNK_ROWS = 20_000  # rows that are Python objects at once
OWN_NAME = re.compile(r"request_id|row|at|version|latency_ms|failed|prediction|p\d+")


@dataclass(slots=True)
class Tail:
    """The newest rows of a journal, in chunks of canonical columns; what is older is dropped and counted."""

    rows: int
    chunks: deque[pd.DataFrame] = field(default_factory=deque)
    seen: int = 0
    held: int = 0

    def add(self, chunk: pd.DataFrame) -> None:
        """Take rows that are newer than all before."""
        self.chunks.append(chunk)
        self.seen += len(chunk)
        self.held += len(chunk)
        while self.held - len(self.chunks[0]) >= self.rows:
            self.held -= len(self.chunks.popleft())

    def table(self) -> pd.DataFrame:
        """Return the newest rows."""
        return pd.concat(self.chunks, ignore_index=True).tail(self.rows).reset_index(drop=True)


def take_window(spec: ProjectSpec, workspace: Workspace) -> Window:
    """Take the newest answered rows that no earlier window held.

    Parameters
    ----------
    spec
        The project; its `monitoring.window_rows` newest rows are taken, and older new ones are counted as skipped.
        With fewer than `monitoring.min_rows` nothing is taken, and the next window begins where this one did.
    workspace
        Where journal and windows are.

    Returns
    -------
    Window
        `table` is None where there are too few rows; `rows` says how many there are.

    Raises
    ------
    NotFound
        If no version of the project has been released, or it has no contract.
    """
    release = records.newest_release(spec.name, workspace)
    if release is None:
        raise NotFound(f"Project {spec.name!r} has no released version to watch. `penstock run {spec.name}` makes one.")
    version = records.find_version(spec.name, release.champion, workspace)
    before = newest_window(spec.name, workspace)
    number, after = (before.window.number + 1, before.window.last_id) if before else (1, "")
    tail = read_tail(spec, after, version, workspace)
    if tail.seen < spec.monitoring.min_rows:
        return Window(spec.name, number, tail.seen, None, None, None, after, version.version)
    table = tail.table()
    return Window(
        project=spec.name,
        number=number,
        rows=len(table),
        table=frames.save_table(table, workspace),
        from_at=_moment(table["at"].min()),
        to_at=_moment(table["at"].max()),
        last_id=str(table["request_id"].max()),
        version=version.version,
        skipped=tail.seen - len(table),
    )


def read_tail(spec: ProjectSpec, after: str, version: ModelVersion, workspace: Workspace) -> Tail:
    """Return the newest `monitoring.window_rows` rows after a request, in the form of a window's table."""
    contract, signature = load_contract(spec), model_of(version, workspace).signature
    tail = Tail(spec.monitoring.window_rows)
    for entries in _in_chunks(read_entries(spec.name, workspace, after=after)):
        tail.add(table_of(entries, contract, signature))
    return tail


def table_of(entries: list[Entry], contract: Contract, signature: Signature) -> pd.DataFrame:
    """Return the rows of journal entries in the form of a window's table.

    Parameters
    ----------
    entries
        In the order of their ids.
    contract
        Whose columns are taken, in its types; a value that is not of its column's type is missing.
    signature
        Of the champion, which gives the order of the classes.

    Returns
    -------
    DataFrame
        As `Window` describes it.
    """
    rows = [row for entry in entries for row in entry.rows]
    places = np.repeat(np.arange(len(entries)), [len(entry.rows) for entry in entries])
    kept = pd.DataFrame(
        {
            "request_id": pd.Series([entry.request_id for entry in entries], dtype="str"),
            "row": np.zeros(len(entries), np.int64),
            "at": pd.to_datetime([entry.at for entry in entries], utc=True).tz_localize(None).astype("datetime64[us]"),
            "version": pd.Series([entry.version for entry in entries], dtype="str"),
            "latency_ms": np.array([entry.latency_ms for entry in entries], np.float64),
            "failed": np.array([entry.failed is not None for entry in entries], bool),
        }
    ).iloc[places]
    kept["row"] = np.concatenate([np.arange(len(entry.rows)) for entry in entries]) if entries else kept["row"]
    answers = [answer for entry in entries for answer in entry.predictions]
    parts = [kept.reset_index(drop=True), _answered(answers, signature), _canonical(rows, contract)]
    return pd.concat(parts, axis=1)


def _answered(answers: list[dict[str, Any]], signature: Signature) -> pd.DataFrame:
    if signature.problem == "regression":
        return pd.DataFrame({"prediction": np.array([answer["value"] for answer in answers], np.float64)})
    names = [class_name(value) for value in signature.classes]
    shares = [[answer["probabilities"].get(name, 0.0) for name in names] for answer in answers]
    matrix = np.array(shares, np.float64).reshape(len(answers), len(names))
    return pd.DataFrame(matrix, columns=[f"p{place}" for place in range(len(names))])


def _canonical(rows: list[dict[str, Any]], contract: Contract) -> pd.DataFrame:
    """Return the contract's columns of rows as they came out of JSON, with the same dtypes whatever the rows are."""
    columns = [column for column in contract.columns if column.name != contract.target]
    return pd.DataFrame(
        {stored_name(each.name): _column([row.get(each.name) for row in rows], each.type) for each in columns}
    )


def _column(values: list[Any], kind: ColumnType) -> pd.Series:
    """Return values in a canonical type, as the decoder reads them; one that is not of the type is missing."""
    if kind == "number":
        found = np.array([double_of(value) if type(value) in {int, float} else None for value in values], np.float64)
        return pd.Series(np.where(np.isfinite(found), found, np.nan))
    if kind == "boolean":
        return pd.Series([_truth(value) for value in values], dtype=object)
    if kind == "date":
        return pd.Series(np.array([_moment_of(value) for value in values], "datetime64[us]"))
    return pd.Series([value if isinstance(value, str) and value else None for value in values], dtype="str")


def _truth(value: Any) -> bool | None:
    return bool(value) if isinstance(value, (bool, int, float)) and value in {0, 1} else None


def _moment_of(value: Any) -> np.datetime64:
    """Return a time in UTC without a zone, as the decoder reads ISO 8601 text."""
    if not isinstance(value, str):
        return np.datetime64("NaT")
    try:
        moment = datetime.fromisoformat(value)
        return np.datetime64(moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment, "us")
    except (ValueError, OverflowError):
        return np.datetime64("NaT")


def stored_name(column: str) -> str:
    """Return the name of a contract's column in a window's table, where it may not be one of the table's own."""
    return f"column {column}" if OWN_NAME.fullmatch(column) else column


def _plain(value: Any) -> Any:
    return None if isinstance(value, (list, dict)) or value == "" else value


def _settled(values: pd.Series, kind: ColumnType) -> pd.Series:
    """Return a column in the one dtype of its type, so that chunks fit together."""
    if kind == "number":
        return values.astype("float64")
    if kind == "date":
        return values.astype("datetime64[us]")
    return values.astype("object") if kind == "boolean" else values.astype("str")


def _in_chunks(entries: Iterable[Entry]) -> Iterator[list[Entry]]:
    chunk: list[Entry] = []
    rows = 0
    for entry in entries:
        chunk.append(entry)
        rows += len(entry.rows)
        if rows >= CHUNK_ROWS:
            yield chunk
            chunk, rows = [], 0
    if chunk:
        yield chunk


def _moment(value: pd.Timestamp) -> datetime:
    moment: datetime = value.tz_localize("UTC").to_pydatetime()
    return moment
