"""The state machine of a release: the only writer of traffic weights.

A first model serves at once. A later one is `pending_approval` where a person must agree, then goes from stage to stage
(`shadow` at 0 %, `partial`) to `serving`, or is taken back (`rolled_back`) or replaced (`superseded`). Each transition
is one transaction with its audit entry and its notice, so that a killed process leaves a stage that was reached.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import sqlalchemy as sa

from penstock.domain.evaluation import Decision
from penstock.domain.releases import Release
from penstock.domain.workspace import Workspace
from penstock.errors import Refused
from penstock.rollout import history, writing
from penstock.rollout.admission import asks_approval, judged, promoted, refuse_taken_back
from penstock.rollout.writing import VALID_SECONDS, Cause
from penstock.store import records, tables
from penstock.store.database import connect

if TYPE_CHECKING:  # pydantic is not needed to move traffic by hand
    from penstock.spec import ProjectSpec


@dataclass(frozen=True, slots=True)
class Finding:
    """Why a challenger is taken back: which guard found what, where what was tolerated, on how many observations.

    `smallest` is the smallest change that so many observations could have shown.
    """

    guard: str
    said: str
    value: float
    limit: float
    sample: int
    smallest: float


def open_release(decision: Decision, spec: "ProjectSpec", workspace: Workspace) -> Release:
    """Open the release of the version that a decision promotes; the same decision opens one release.

    Parameters
    ----------
    decision
        A decision whose verdict is `promote`, with its version.
    spec
        The project; its `rollout` says by which stages, and whether a person must agree.
    workspace
        Where releases are kept.

    Returns
    -------
    Release
        A first model at 100 %; a later one at its first stage, or waiting for approval.

    Raises
    ------
    Refused
        If the decision does not promote, a gate of the version does not hold, or the version was rolled back.
    """
    version, project = promoted(decision), decision.project
    if spec.rollout.stages[0] < writing.WHOLE:
        _prepare_replay(project, version, workspace)
    with connect(workspace).begin() as connection:
        there = history.opened_by(connection, decision.id)
        before = history.newest(connection, project)
        if there is not None:
            return there
        if before is not None and before.version == version and (before.active or before.state == "serving"):
            return before
        refuse_taken_back(connection, project, version)
        incident = history.incident_of(connection, project, version)
        cause = Cause("policy", " ".join(decision.reasons), incident, decision.id)
        if before is None or before.champion == version:
            return writing.serve(connection, project, version, cause)
        if asks_approval(connection, spec.rollout, project):
            return writing.propose(connection, before, version, cause)
        return writing.begin(connection, before, version, cause, spec.rollout.stages)


def propose_release(project: str, version: str, cause: Cause, workspace: Workspace) -> Release:
    """Let a version wait for a person's approval; what answers goes on answering.

    Parameters
    ----------
    project, version
        A registered version of a project that has a release.
    cause
        Who asks, and why.
    workspace
        Where releases are kept.

    Returns
    -------
    Release
        In state `pending_approval`; the one there is, if the version waits already or serves.
    """
    with connect(workspace).begin() as connection:
        before = history.newest(connection, project)
        if before is None:
            made = writing.serve(connection, project, version, cause)
        elif before.version == version and (before.active or before.state == "serving"):
            made = before
        else:
            made = writing.propose(connection, before, version, cause)
        return writing.settle(connection, made, cause)


def approve_release(release: Release, spec: "ProjectSpec", cause: Cause, workspace: Workspace) -> Release:
    """Let a release that waits for approval begin its first stage; rows for its replay are kept here.

    Raises
    ------
    Refused
        If it does not wait for approval.
    """
    if spec.rollout.stages[0] < writing.WHOLE:
        _prepare_replay(release.project, release.version, workspace)
    with connect(workspace).begin() as connection:
        waiting = history.waiting(connection, release)
        agreed = writing.note_answer(connection, waiting, "release.approved", cause)
        return writing.reach(connection, waiting, 0, spec.rollout.stages, agreed)


def reject_release(release: Release, cause: Cause, workspace: Workspace) -> Release:
    """Take back a release that waits for approval; only a person may release its version again.

    Raises
    ------
    Refused
        If it does not wait for approval.
    """
    with connect(workspace).begin() as connection:
        waiting = history.waiting(connection, release)
        rejected = writing.note_answer(connection, waiting, "release.rejected", cause)
        return writing.serve(connection, waiting.project, waiting.champion, rejected, leaves="rolled_back")


def release_version(project: str, version: str, *, actor: str, reason: str, workspace: Workspace) -> Release:
    """Release a version by a person's hand, held versions too; the audit says what its decision was.

    Parameters
    ----------
    project, version
        A registered version of the project.
    actor, reason
        Who asks, and why.
    workspace
        Where releases are kept.

    Returns
    -------
    Release
        The release at 100 %, which ends a rollout; the one there is, if the version serves.

    Raises
    ------
    NotFound
        If the project has no such version.
    Refused
        If the version has no gates, or one does not hold.
    """
    return release_for(project, version, Cause(actor, reason or "by hand"), workspace)


def release_for(project: str, version: str, cause: Cause, workspace: Workspace) -> Release:
    """Release a version as `release_version` does; the cause may be a request.

    Raises
    ------
    Refused
        Also if the request was overtaken since it was read.
    """
    decision = judged(project, version, workspace)
    note = "" if decision.verdict == "promote" else f" (the judge had said {decision.verdict})"
    with connect(workspace).begin() as connection:
        before = history.newest(connection, project)
        if before is not None and not before.active and before.version == version:
            return writing.settle(connection, before, cause)
        incident = history.incident_of(connection, project, version)
        cause = replace(cause, reason=f"{cause.reason}{note}", incident=incident)
        return writing.settle(connection, writing.serve(connection, project, version, cause), cause)


def roll_back(project: str, *, actor: str, reason: str, workspace: Workspace) -> Release:
    """Give all traffic back to the version that answered before; ends a rollout.

    Parameters
    ----------
    project
        A project with a release.
    actor, reason
        Who asks, and why.
    workspace
        Where releases are kept.

    Returns
    -------
    Release
        The new release, of the former version.

    Raises
    ------
    Refused
        If no version answered before.
    """
    with connect(workspace).begin() as connection:
        before = history.newest(connection, project)
        if before is None or before.previous is None:
            found = "has no release" if before is None else f"had none before version {before.version}"
            raise Refused(f"A rollback needs a version that answered before, but {project!r} {found}.")
        cause = Cause(actor, reason or "rolled back by hand", before.incident)
        made = writing.serve(connection, project, before.previous, cause, leaves="rolled_back")
        return writing.settle(connection, made, cause)


def move_on(release: Release, stages: Sequence[float], reason: str, workspace: Workspace) -> Release:
    """Bring a rollout to its next stage; one that somebody moved meanwhile is left as it is.

    Parameters
    ----------
    release
        A rollout, as it was when its stage was judged.
    stages
        Percent of traffic at each stage.
    reason
        The evidence that ended the stage.
    workspace
        Where releases are kept.

    Returns
    -------
    Release
        At its next stage, or at 100 %.
    """
    with connect(workspace).begin() as connection:
        there = history.unmoved(connection, release)
        if there is None:
            return release
        stage = -1 if there.stage is None else there.stage
        return writing.reach(connection, there, stage + 1, stages, Cause("control", reason, there.incident))


def take_back(release: Release, finding: Finding, workspace: Workspace) -> Release:
    """Give all traffic back to the champion at once; the challenger may be released again by a person only.

    Parameters
    ----------
    release
        A rollout, as it was when it was judged.
    finding
        What was found, and by which guard.
    workspace
        Where releases are kept.

    Returns
    -------
    Release
        The new release of the champion; the rollout, if somebody moved it meanwhile.
    """
    with connect(workspace).begin() as connection:
        there = history.unmoved(connection, release)
        if there is None:
            return release
        records.put_record(connection, "guard", str(there.id), there.project, finding)
        cause = Cause(f"guard:{finding.guard}", finding.said, there.incident)
        return writing.serve(connection, there.project, there.champion, cause, leaves="rolled_back")


def renew(release: Release, workspace: Workspace) -> None:
    """Let a challenger's weight count for some seconds more."""
    table = tables.releases
    until = datetime.now(UTC) + timedelta(seconds=VALID_SECONDS)
    with connect(workspace).begin() as connection:
        lasting = sa.and_(table.c.id == release.id, table.c.state.in_(["shadow", "partial"]))
        connection.execute(sa.update(table).where(lasting).values(valid_until=until))


def _prepare_replay(project: str, version: str, workspace: Workspace) -> None:
    """Keep rows for the replay of a challenger here, in the workshop: `control` reads no tables."""
    there = records.newest_release(project, workspace)
    if there is None or there.champion == version:
        return
    from penstock.rollout.kept import keep_for_replay

    keep_for_replay(project, there.champion, version, workspace)
