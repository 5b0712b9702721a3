"""Rows that the workshop leaves for a rollout, as clients would send them: `control` reads no tables.

Rows of the challenger's dataset are asked where too few requests were journalled. Rows that the judge has seen say
which change of the answers is explained.
"""

import logging
import uuid
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import msgspec

from penstock.domain.datasets import Split
from penstock.domain.evaluation import Decision
from penstock.domain.features import InputColumn
from penstock.domain.models import Signature
from penstock.domain.releases import Release
from penstock.domain.workspace import Workspace
from penstock.errors import NotFound
from penstock.store import artifacts, records

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

logger = logging.getLogger(__name__)

REQUESTS = 1300  # callers: three looks at whether failures are rarer than 1 % need 1,284 observations
KIND = "replay_rows"
JUDGED = "judged_rows"
AT_ONCE = 100  # judged rows that are answered together
FOUND = 0.9  # of the judge's rows that a split must know, to be the one that they are of


class Kept(msgspec.Struct, frozen=True):
    """Rows of a version's dataset: the digest of their JSON."""

    digest: str


class Judged(msgspec.Struct, frozen=True):
    """Rows on which a version was judged against a champion: the digest of their JSON."""

    champion: str
    digest: str


def keep_for_replay(project: str, champion: str, challenger: str, workspace: Workspace) -> None:
    """Keep rows for the rollout of a challenger, as many as there are; called in the workshop.

    Parameters
    ----------
    project, champion, challenger
        The project, and its two versions, each of which may need other columns.
    workspace
        Where tables, looks and bundles are.
    """
    try:
        columns = _columns(project, (champion, challenger), workspace)
        keep_rows(project, challenger, columns, workspace)
        decision = _decision_on(project, champion, challenger, workspace)
        if decision is not None:
            keep_judged(decision, columns, workspace)
    except NotFound as error:
        logger.warning("The replay of version %s has journalled requests only: %s", challenger, error.message)


def keep_rows(project: str, challenger: str, columns: tuple[InputColumn, ...], workspace: Workspace) -> None:
    """Keep the last rows of a challenger's dataset."""
    from penstock.serving.files.rows import rows_of_frame
    from penstock.store import frames

    table = frames.load_table(records.find_version(project, challenger, workspace).dataset, workspace)
    rows = rows_of_frame(table.tail(REQUESTS), columns)
    kept = Kept(artifacts.put_bytes(msgspec.json.encode(rows), workspace))
    records.save_record(KIND, challenger, project, kept, workspace)


def keep_judged(decision: Decision, columns: tuple[InputColumn, ...], workspace: Workspace) -> None:
    """Keep the newest rows that a decision on two versions was made by."""
    from penstock.serving.files.rows import rows_of_frame
    from penstock.store import frames

    place = _place_of(decision, workspace)
    if place is None:
        return
    split, positions = place
    table = frames.load_table(split.dataset, workspace).iloc[positions]
    if split.kind == "time" and split.key[0] in table:
        table = table.sort_values(split.key[0], kind="stable")
    rows = rows_of_frame(table.tail(REQUESTS), columns)
    kept = Judged(str(decision.champion), artifacts.put_bytes(msgspec.json.encode(rows), workspace))
    records.save_record(JUDGED, str(decision.version), decision.project, kept, workspace)


def kept_rows(project: str, challenger: str, workspace: Workspace) -> list[dict[str, Any]]:
    """Return the rows that were kept for a challenger's replay, none if there are none."""
    kept = records.find_record(KIND, challenger, project, Kept, workspace)
    return [] if kept is None else _read(kept.digest, workspace)


def judged_rows(release: Release, workspace: Workspace) -> Iterator[list[dict[str, Any]]]:
    """Give the rows on which the challenger of a rollout was judged against its champion, some at a time."""
    kept = records.find_record(JUDGED, release.version, release.project, Judged, workspace)
    if kept is None or kept.champion != release.champion:
        return
    rows = _read(kept.digest, workspace)
    for start in range(0, len(rows), AT_ONCE):
        yield rows[start : start + AT_ONCE]


def _read(digest: str, workspace: Workspace) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = msgspec.json.decode(artifacts.read_bytes(digest, workspace))
    return rows


def _decision_on(project: str, champion: str, challenger: str, workspace: Workspace) -> Decision | None:
    """Return the newest decision that compared a challenger with a champion."""
    decisions = records.list_records("decision", project, Decision, workspace)
    compared = (each for each in reversed(decisions) if each.comparison is not None)
    return next((each for each in compared if (each.version, each.champion) == (challenger, champion)), None)


def _place_of(decision: Decision, workspace: Workspace) -> "tuple[Split, NDArray[np.intp]] | None":
    """Return the split, and the positions in its table, of the rows that a decision was made by."""
    import numpy as np

    from penstock.evaluation.judge import NAMESPACE
    from penstock.store import frames

    for key, digest in reversed(records.list_looks(decision.project, workspace)):
        if str(uuid.uuid5(NAMESPACE, f"{decision.project}/{key}")) != decision.id:
            continue
        judged = frames.load_array(digest, workspace)
        for split in reversed(records.list_records("split", decision.project, Split, workspace)):
            positions = np.flatnonzero(np.isin(frames.load_array(split.row_digests, workspace), judged))
            if len(positions) >= FOUND * len(judged):
                return split, positions
    return None


def _columns(project: str, versions: tuple[str, str], workspace: Workspace) -> tuple[InputColumn, ...]:
    """Return the columns that versions need."""
    columns: dict[str, InputColumn] = {}
    for version in versions:
        folder = artifacts.local_folder(records.find_version(project, version, workspace).bundle, workspace)
        path = folder / "signature.json"
        if not path.exists():
            raise NotFound(f"The bundle of version {version} of {project!r} must have a signature, but has none.")
        signature = msgspec.json.decode(path.read_bytes(), type=Signature)
        columns |= {column.name: column for column in signature.decoding.columns}
    return tuple(columns.values())
