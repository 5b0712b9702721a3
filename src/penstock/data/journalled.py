"""Answered rows with their labels, from the journal's sealed segments."""

from bisect import bisect_left
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from penstock.domain.journal import Segment
from penstock.domain.releases import Label
from penstock.domain.workspace import Workspace
from penstock.store import artifacts
from penstock.store.labels import list_labels
from penstock.store.segments import segments_between


@dataclass(frozen=True, slots=True)
class LabelledRow:
    """A row as it was sent, when it was asked about in the calendar, and its newest label."""

    sent: Mapping[str, Any]
    at: datetime
    label: Label


def labelled_rows(project: str, workspace: Workspace) -> list[LabelledRow]:
    """Return a project's answered rows that have a label and are sealed, in the order asked.

    Parameters
    ----------
    project
        Whose journal and labels are read.
    workspace
        Where they are kept.

    Returns
    -------
    list of LabelledRow
        Each row once, with its newest label.
    """
    labels: dict[str, dict[int, Label]] = {}
    for label in list_labels(project, workspace):
        labels.setdefault(label.request_id, {})[label.row] = label
    if not labels:
        return []
    wanted = sorted(labels)
    found = {
        request_id: (at, rows)
        for segment in segments_between(wanted[0], wanted[-1], project, workspace)
        for request_id, at, rows in _requests(segment, wanted, workspace)
    }
    decode = msgspec.json.Decoder(list[dict[str, Any]]).decode
    result = []
    for request_id in sorted(found):
        at, rows = found[request_id]
        sent = decode(rows)
        result += [LabelledRow(sent[row], at, label) for row, label in sorted(labels[request_id].items())]
    return result


def _requests(segment: Segment, wanted: list[str], workspace: Workspace) -> Iterator[tuple[str, datetime, str]]:
    """Give id, time and rows (JSON) of a segment's requests that are wanted."""
    inside = wanted[bisect_left(wanted, segment.first_id) :]
    inside = [request_id for request_id in inside if request_id <= segment.last_id]
    if not inside:
        return
    table = pq.read_table(artifacts.local_path(segment.digest, workspace), columns=["request_id", "at", "rows"])
    chosen = table.filter(pc.is_in(table["request_id"], value_set=pa.array(inside)))
    for request in chosen.to_pylist():
        yield request["request_id"], request["at"], request["rows"]
