"""Hold is a state: the newest held challenger of a project, until it is promoted, replaced or too old."""

from datetime import timedelta

from penstock.domain.evaluation import Decision, Held
from penstock.domain.models import ModelVersion
from penstock.domain.workspace import Workspace
from penstock.errors import Refused
from penstock.store import records
from penstock.store.database import connect
from penstock.store.labels import count_labels
from penstock.store.ledger import Act, append_audit

KIND = "held"
LONGEST = timedelta(days=14)
GROWTH = 0.5  # rows to judge by must have grown by half
FEWEST = 100  # labels, where the last look had next to no rows: a flow run is not worth fewer


def keep_held(decision: Decision, incident: str | None, workspace: Workspace) -> Held | None:
    """Remember the challenger of a decision that holds it, in the place of an earlier one; forget one that is promoted.

    Parameters
    ----------
    decision
        The judge's decision.
    incident
        The decision that asked for the training, if one did.
    workspace
        Where records are kept.

    Returns
    -------
    Held or None
        None if there is nothing to judge again: the decision promotes, there is no champion, a gate does not hold, or
        the challenger repeats the champion's own training.
    """
    there = find_held(decision.project, workspace)
    if decision.verdict != "hold" or not _worth_holding(decision):
        if there is not None and there.version == decision.version:
            drop_held(there, f"Version {there.version} is not held any more: {decision.verdict}.", workspace)
        return None
    same = there is not None and there.version == decision.version
    held = Held(
        project=decision.project,
        version=str(decision.version),
        champion=str(decision.champion),
        decision=decision.id,
        rows=decision.comparison.rows if decision.comparison else 0,
        since=there.since if there is not None and same else workspace.now(),
        judged_at=workspace.now(),
        incident=there.incident if there is not None and same else incident,
    )
    reason = f"Held, and judged again when rows to judge by have grown by half: {decision.reasons[0]}"
    with connect(workspace).begin() as connection:
        records.put_record(connection, KIND, held.project, held.project, held)
        if not same:
            append_audit(
                connection,
                Act("judge", "challenger.held", held.project, reason, after=held.version, incident=held.incident),
            )
    return held


def find_held(project: str, workspace: Workspace) -> Held | None:
    """Return the held challenger of a project.

    Parameters
    ----------
    project
        The project's name.
    workspace
        Where records are kept.

    Returns
    -------
    Held or None
        None if none is held.
    """
    held = records.find_record(KIND, project, project, Held | None, workspace)  # type: ignore[arg-type]
    return held if isinstance(held, Held) else None


def find_rival(held: Held, workspace: Workspace) -> ModelVersion:
    """Return the version that a held challenger is judged against.

    Parameters
    ----------
    held
        The challenger.
    workspace
        Where records are kept.

    Returns
    -------
    ModelVersion
        The champion that it was held against.

    Raises
    ------
    Refused
        If another version serves by now.
    """
    if is_overtaken(held, workspace):
        raise Refused(
            f"Version {held.version} of {held.project!r} must be judged against version {held.champion}, but that does "
            "not serve any more."
        )
    return records.find_version(held.project, held.champion, workspace)


def drop_held(held: Held, reason: str, workspace: Workspace) -> None:
    """Forget a held challenger."""
    act = Act("judge", "challenger.dropped", held.project, reason, None, held.version, held.incident)
    with connect(workspace).begin() as connection:
        records.put_record(connection, KIND, held.project, held.project, None)
        append_audit(connection, act)


def is_too_old(held: Held, workspace: Workspace) -> bool:
    """Return whether a challenger was held for longer than it may be."""
    return workspace.now() - held.since > LONGEST


def is_overtaken(held: Held, workspace: Workspace) -> bool:
    """Return whether another version serves than the one it was held against."""
    release = records.newest_release(held.project, workspace)
    return release is None or release.champion != held.champion


def has_grown(held: Held, workspace: Workspace) -> bool:
    """Return whether natural labels that came since the last look are half as many as the rows it had, or more."""
    needed = max(FEWEST, GROWTH * held.rows)
    return count_labels(held.project, held.judged_at, workspace, natural=True) >= needed


def _worth_holding(decision: Decision) -> bool:
    opponents = decision.champion is not None and decision.version is not None
    return opponents and not decision.repeated and all(gate.held for gate in decision.gates)
