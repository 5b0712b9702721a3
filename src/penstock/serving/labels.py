"""What people say of answers: true values and flags, taken for rows that the journal knows."""

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

import msgspec

from penstock.data.decoding import RowErrors, shown
from penstock.domain.models import Signature, class_name
from penstock.domain.releases import Label, LabelCounts
from penstock.domain.workspace import Workspace
from penstock.errors import NotFound
from penstock.serving import journal
from penstock.serving.journals.request_ids import LENGTH
from penstock.serving.journals.segments import sealed_rows
from penstock.serving.session import SIGNATURE
from penstock.store import artifacts, records
from penstock.store.labels import adopt_labels, parked_labels, save_labels

LONGEST_REASON = 2000
MOST_FAULTS = 20
MOST_LISTED = 20
PARKED_FOR = timedelta(days=1)

Given = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Flag:
    """An answered row that somebody wants a person to look at."""

    project: str
    request_id: str
    row: int
    reason: str
    source: str
    flagged_at: datetime


class WorkspaceDesk:
    """Takes labels and flags into the workspace's records."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace

    def accept(self, project: str, labels: list[Any]) -> LabelCounts:
        """Keep labels."""
        return accept_labels(project, labels, "http", self.workspace)

    def flag(self, project: str, given: Any) -> None:
        """Put a row into the review queue."""
        flag_row(project, given, "http", self.workspace)


def accept_labels(project: str, labels: Sequence[Given], source: str, workspace: Workspace) -> LabelCounts:
    """Keep the true values of answered rows.

    Parameters
    ----------
    project
        Whose answers they are.
    labels
        Each with `request_id`, `row` (from 0), `value` in the target's JSON type and, if it is known, `observed_at`
        (ISO 8601 text).
    source
        Who says so: `http`, `file` or another short word.
    workspace
        Where journal and labels are kept.

    Returns
    -------
    LabelCounts
        A label of an answered row is accepted, the same one again too; one that differs from an earlier one
        supersedes it; one of an unknown row is kept apart and counted.

    Raises
    ------
    RowErrors
        If a label does not fit; then none is kept.
    NotFound
        If no version of the project has been released.
    """
    signature = served_signature(project, workspace)
    now = workspace.now()
    _refuse_unfit(labels, signature)
    sizes = answered_rows({given["request_id"] for given in labels}, project, workspace)
    kept = []
    for given in labels:
        request_id = given["request_id"]
        label = Label(
            project=project,
            request_id=request_id,
            row=given["row"],
            value=class_name(_canonical(given["value"], signature)),
            source=source,
            observed_at=moment_of(given.get("observed_at")) or now,
            received_at=now,
        )
        kept.append((label, label.row < sizes.get(request_id, 0)))
    return save_labels(kept, workspace)


def flag_row(project: str, given: Any, source: str, workspace: Workspace) -> Flag:
    """Put an answered row into the review queue; the same row again replaces the reason.

    Parameters
    ----------
    project
        Whose answer it is.
    given
        A mapping with `request_id`, `row` and `reason`.
    source
        Who flags it.
    workspace
        Where journal and queue are kept.

    Returns
    -------
    Flag
        The record, of kind `flag`.

    Raises
    ------
    RowErrors
        If a member does not fit.
    NotFound
        If the row was not answered.
    """
    if not isinstance(given, Mapping):
        raise errors_of([fault_of(None, None, "be an object with request_id, row and reason", given)])
    faults = [*_address_faults(None, given), *_reason_faults(given)]
    if faults:
        raise errors_of(faults)
    request_id, row = given["request_id"], given["row"]
    if row >= answered_rows([request_id], project, workspace).get(request_id, 0):
        raise NotFound(f"Row {row} of request {request_id!r} must have been answered for {project!r}, but was not.")
    flag = Flag(project, request_id, row, given["reason"], source, workspace.now())
    records.save_record("flag", f"{request_id}:{row}", project, flag, workspace)
    return flag


def adopt_parked(project: str, workspace: Workspace) -> int:
    """Take labels of the last day that were of unknown rows, and whose rows the journal holds by now.

    Parameters
    ----------
    project
        Whose labels they are.
    workspace
        Where journal and labels are kept.

    Returns
    -------
    int
        How many were taken; each counts as received when it came, with a new number.
    """
    parked = parked_labels(project, workspace.now() - PARKED_FOR, workspace)
    sizes = answered_rows({label.request_id for _, label in parked}, project, workspace)
    known = [(number, label) for number, label in parked if label.row < sizes.get(label.request_id, 0)]
    return adopt_labels(known, workspace) if known else 0


def adopt_all_parked(workspace: Workspace) -> int:
    """Take the parked labels of every project whose rows the journal holds by now; return how many."""
    return sum(adopt_parked(project, workspace) for project in records.list_projects(workspace))


def answered_rows(request_ids: Iterable[str], project: str, workspace: Workspace) -> dict[str, int]:
    """Return how many rows of each request were answered, without the requests that the journal does not know.

    Spools are looked into before segments: what is sealed in between is in both or in the second.
    """
    sizes, others = {}, []
    files = journal.spool_files(project, workspace)
    for request_id in request_ids:
        line = journal.find_line(request_id, files)
        brief = None if line is None else journal.decode_line(line, journal.Brief)
        if brief is None:
            others.append(request_id)
        else:
            sizes[request_id] = len(brief.predictions)
    return sizes | sealed_rows(others, project, workspace)


def served_signature(project: str, workspace: Workspace) -> Signature:
    """Return the signature of the version that a project's newest release names.

    Raises
    ------
    NotFound
        If no version of the project has been released.
    """
    release = records.newest_release(project, workspace)
    if release is None:
        raise NotFound(f"Project {project!r} has no released version yet. `penstock run {project}` makes one.")
    return _signature(records.find_version(project, release.champion, workspace).bundle, workspace)


@lru_cache(maxsize=32)
def _signature(bundle: str, workspace: Workspace) -> Signature:
    folder = artifacts.local_folder(bundle, workspace)
    return msgspec.json.decode((folder / SIGNATURE).read_bytes(), type=Signature)


def _refuse_unfit(labels: Sequence[Any], signature: Signature) -> None:
    faults: list[dict[str, Any]] = []
    for number, given in enumerate(labels):
        if not isinstance(given, Mapping):
            faults.append(fault_of(number, None, "be an object with request_id, row and value", given))
            continue
        faults += [*_address_faults(number, given), *_value_faults(number, given, signature)]
        if len(faults) >= MOST_FAULTS:
            break
    if faults:
        raise errors_of(faults[:MOST_FAULTS])


def _address_faults(number: int | None, given: Given) -> list[dict[str, Any]]:
    faults = []
    request_id = given.get("request_id")
    if not isinstance(request_id, str) or len(request_id) > LENGTH:
        faults.append(fault_of(number, "request_id", "be the text of an answer's request_id", request_id))
    row = given.get("row")
    if isinstance(row, bool) or not isinstance(row, int) or not 0 <= row < 1 << 31:
        faults.append(fault_of(number, "row", "be a whole number from 0", row))
    return faults


def _reason_faults(given: Given) -> list[dict[str, Any]]:
    reason = given.get("reason")
    if isinstance(reason, str) and 0 < len(reason) <= LONGEST_REASON:
        return []
    return [fault_of(None, "reason", f"be text of 1 to {LONGEST_REASON} characters", reason)]


def _value_faults(number: int, given: Given, signature: Signature) -> list[dict[str, Any]]:
    faults = []
    value = given.get("value")
    if not _fits(value, signature):
        faults.append(fault_of(number, "value", _must(signature), value))
    observed = given.get("observed_at")
    if observed is not None and moment_of(observed) is None:
        faults.append(fault_of(number, "observed_at", "be a time as ISO 8601 text", observed))
    return faults


def _fits(value: Any, signature: Signature) -> bool:
    if signature.problem == "regression":
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        return number and abs(value) <= sys.float_info.max  # NaN is not, nor is a whole number of 400 digits
    return any(_same(value, known) for known in signature.classes)


def _same(value: Any, known: Any) -> bool:
    """Compare in JSON's types: 1 is 1.0, and neither is true."""
    return value == known and isinstance(value, bool) == isinstance(known, bool)


def _must(signature: Signature) -> str:
    if signature.problem == "regression":
        return "be a number"
    listed = ", ".join(shown(value) for value in signature.classes[:MOST_LISTED])
    return f"be one of {listed}" + (" ..." if len(signature.classes) > MOST_LISTED else "")


def _canonical(value: Any, signature: Signature) -> Any:
    if signature.problem == "regression":
        return float(value)
    return next(known for known in signature.classes if _same(value, known))


def moment_of(value: Any) -> datetime | None:
    """Return a time, UTC, of ISO 8601 text (without a zone: of UTC), None if it is none."""
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def fault_of(row: int | None, column: str | None, must: str, found: Any) -> dict[str, Any]:
    """Return what is wrong with a member of a label, as `RowErrors` lists it."""
    return {"row": row, "column": column, "must": must, "found": shown(found)}


def errors_of(faults: list[dict[str, Any]]) -> RowErrors:
    """Return the error of labels with faults, at least one."""
    first = faults[0]
    what = f"`{first['column']}`" if first["column"] else "A label"
    where = "" if first["row"] is None else f" of label {first['row']}"
    return RowErrors(f"{what}{where} must {first['must']}, but is {first['found']}.", faults)
