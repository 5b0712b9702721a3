"""Rows that were asked about and labelled, as the service and its callers leave them."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from penstock.domain.releases import Label
from penstock.domain.workspace import Workspace
from penstock.serving.journal import Journal
from penstock.serving.journals.sealing import seal
from penstock.store.labels import save_labels

ASKED = datetime(2026, 3, 1, tzinfo=UTC)


def answer(rows: Sequence[Mapping[str, Any]], project: str, workspace: Workspace, at: datetime = ASKED) -> str:
    """Journal a request, seal it, and return its id."""
    spool = Journal(workspace)
    request_id = spool.ids.next()
    rest = msgspec.json.encode(
        {
            "at": at,
            "project": project,
            "version": "1",
            "latency_ms": 1.0,
            "rows": rows,
            "predictions": [{"value": 1.0} for _ in rows],
        }
    )
    spool.append(project, request_id, rest[1:])
    spool.close()
    seal(project, workspace)
    return request_id


def label(request_id: str, values: Sequence[str], project: str, workspace: Workspace, *, picked: bool = False) -> None:
    """Label the first rows of a request."""
    labels = [
        Label(project, request_id, row, value, "http", ASKED, ASKED, picked=picked) for row, value in enumerate(values)
    ]
    save_labels([(each, True) for each in labels], workspace)
