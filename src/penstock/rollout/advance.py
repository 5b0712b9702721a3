"""Bring rollouts forward, tick by tick: renew, judge, then move or take back."""

import logging
from collections.abc import Sequence
from datetime import UTC, datetime

from penstock.domain.releases import Release
from penstock.domain.workspace import Workspace
from penstock.rollout import guard, history, release
from penstock.rollout.evidence import Gathered
from penstock.rollout.observations import Evidence, Observation
from penstock.rollout.release import Finding
from penstock.spec import RolloutSpec
from penstock.store.projects import open_project

logger = logging.getLogger(__name__)

MIN_STAGE_SECONDS = 5.0
THIN_SECONDS = 30.0  # traffic that would not bring enough live answers in this time is thin
ENOUGH_LIVE = 20  # with fewer, a stage of thin traffic lasts as long as that
LEAST_WATCHED = 0.1  # of the longest wait, in one process, before time on the clock ends a stage
_gathered: dict[tuple[str, int], Gathered] = {}  # what was read so far; a new process reads it again


def advance_rollouts(workspace: Workspace) -> list[Release]:
    """Renew, judge and move every rollout that is under way: what `control` does at each tick.

    Parameters
    ----------
    workspace
        Where releases, bundles and journal are.

    Returns
    -------
    list of Release
        What was moved.

    Raises
    ------
    PenstockError
        If a rollout cannot be judged; its challenger's weight is not renewed, and so ends. The others were moved.
    """
    rollouts = [each for each in history.active_releases(workspace) if each.state != "pending_approval"]
    current = {(str(workspace.home), rollout.id) for rollout in rollouts}
    for gone in set(_gathered) - current:
        del _gathered[gone]
    moved, failed = [], []
    for rollout in rollouts:
        try:
            after = advance(rollout, workspace)
        except Exception as error:  # noqa: BLE001  one project's rollout holds up no other
            failed.append(error)
            continue
        if after is not None:
            moved.append(after)
    if failed:
        raise failed[0]
    return moved


def advance(rollout: Release, workspace: Workspace) -> Release | None:
    """Do one tick of a rollout; return what was moved, None if it stays at its stage."""
    policy = open_project(rollout.project, workspace).rollout
    key = (str(workspace.home), rollout.id)
    if key not in _gathered:
        _gathered[key] = Gathered.begin(rollout, workspace)
    evidence = _gathered[key].go_on(rollout, workspace)
    finding = guard.find_harm(evidence, policy.tolerate)
    if finding is not None:
        return release.take_back(rollout, finding, workspace)
    _gathered[key].note_harmless()
    release.renew(rollout, workspace)
    ended, said = has_ended(rollout, evidence, policy)
    if ended:
        return release.move_on(rollout, policy.stages, f"{name_of(rollout)} ended: {said}.", workspace)
    if evidence.replayed and _is_overdue(rollout, evidence, policy):
        return release.take_back(rollout, too_long(rollout, evidence, policy, said), workspace)
    return None


def has_ended(rollout: Release, evidence: Evidence, policy: RolloutSpec) -> tuple[bool, str]:
    """Return whether a stage has lasted long enough and shown that it harms nobody, and what it has shown.

    Parameters
    ----------
    rollout
        At the stage.
    evidence
        What was seen so far. At a stage above 0 % live answers alone count, as soon as they are enough; where traffic
        is too thin for that, pairs show that the challenger does no harm, and live answers beside them as well.
    policy
        With `thin_traffic: hold`, live answers alone end a stage above 0 %, however long that takes.

    Returns
    -------
    bool
        Whether the next stage may begin.
    str
        The figures, or what is missing.
    """
    if evidence.lasted < MIN_STAGE_SECONDS or not evidence.replayed:
        return False, "the replay has not ended, or the stage has just begun"
    counted, beside, enough = _counted(rollout, evidence, policy)
    safe, said = guard.is_safe(counted, policy.tolerate, beside)
    same, more = guard.says_the_same(evidence, policy.tolerate)
    return enough and safe and same, f"{said}; {more}"


def _counted(
    rollout: Release, evidence: Evidence, policy: RolloutSpec
) -> tuple[Sequence[Observation], Sequence[Observation], bool]:
    """Return what a stage is judged by, what counts beside it for latency, and whether nothing better is waited for.

    Pairs count for latency once a stage has lasted: a busy machine slows one arm or the other by turns, and it would
    take many more live answers to show that both are as quick.
    """
    paired, live = evidence.paired, evidence.live
    if rollout.state != "partial":
        return paired, (), True
    if policy.thin_traffic == "hold":
        return live, (), True
    first, seconds = guard.smallest_safe(policy.tolerate), evidence.lasted
    asked = len({each.caller for each in live})  # a caller who asks again shows little more
    if asked >= first:
        return live, paired if seconds >= THIN_SECONDS else (), True
    thin = asked * THIN_SECONDS < first * seconds  # at this pace it takes longer than that
    waited = seconds >= THIN_SECONDS or (thin and len(live) >= ENOUGH_LIVE)
    return [*live, *paired], (), waited and guard.is_safe(paired, policy.tolerate)[0]


def _is_overdue(rollout: Release, evidence: Evidence, policy: RolloutSpec) -> bool:
    """Return whether a stage has been watched for the longest wait, or began so long ago and was watched for a part.

    A `control` that starts anew again and again would never watch for so long. Time on the clock alone would end a
    stage at the first tick after a night in which the stack was down. A tenth of the wait, and as long as pairs take
    to count where traffic is thin, lets a challenger show itself, and is shorter than most processes last.
    """
    wait = policy.max_wait_minutes * 60
    since = (datetime.now(UTC) - (rollout.stage_began or rollout.opened_at)).total_seconds()
    return evidence.lasted > wait or (since > wait and evidence.lasted > max(LEAST_WATCHED * wait, THIN_SECONDS))


def too_long(rollout: Release, evidence: Evidence, policy: RolloutSpec, said: str) -> Finding:
    """Return why a challenger is taken back that has shown nothing in all the time it had."""
    waited = (
        f"{name_of(rollout)} has lasted {policy.max_wait_minutes:g} minutes and has not shown that the challenger does "
        f"no harm: {said}. A person may release it: `penstock release {rollout.project} {rollout.version}`."
    )
    sample = len(evidence.paired) + len(evidence.live)
    return Finding("wait", waited, policy.max_wait_minutes, policy.max_wait_minutes, sample, 1.0)


def name_of(rollout: Release) -> str:
    """Return a stage in words."""
    return "The shadow" if rollout.state == "shadow" else f"The stage of {rollout.weights[rollout.version]:g} %"
