"""Hold is a state: the newest held challenger of a project, until it is promoted, replaced or too old."""

from datetime import timedelta

import sqlalchemy as sa

from penstock.domain.evaluation import Decision, Held
from penstock.domain.models import ModelVersion
from penstock.domain.workspace import Workspace
from penstock.errors import Refused
from penstock.store import records, tables, trainings
from penstock.store.database import connect, reading
from penstock.store.ledger import Act, append_audit

KIND = "held"
LONGEST = timedelta(days=14)
GROWTH = 0.5  # rows to judge by must have grown by half


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
        the challenger was trained on the champion's dataset version by the champion's project file.
    """
    there = find_held(decision.project, workspace)
    if decision.verdict != "hold" or not _worth_holding(decision, workspace):
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
    """Return whether labels that came since the last look are at least half as many as the rows it had."""
    return labels_since(held, workspace) >= max(1, GROWTH * held.rows)


def labels_since(held: Held, workspace: Workspace) -> int:
    """Return how many natural labels of answered rows came since the last look."""
    table = tables.labels
    query = sa.select(sa.func.count()).where(
        table.c.project == held.project,
        table.c.received_at > held.judged_at,
        table.c.newest,
        table.c.known,
        table.c.picked.is_(False),
    )
    with reading(workspace).begin() as connection:
        return int(connection.execute(query).scalar_one())


def _worth_holding(decision: Decision, workspace: Workspace) -> bool:
    if decision.champion is None or decision.version is None or not all(gate.held for gate in decision.gates):
        return False
    challenger = records.find_version(decision.project, decision.version, workspace)
    champion = records.find_version(decision.project, decision.champion, workspace)
    made = trainings.made_of(challenger.training, workspace)
    return made is None or made != trainings.made_of(champion.training, workspace)
