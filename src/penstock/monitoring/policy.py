"""What follows from a window: a retraining, or no action and the sentence that says why."""

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from penstock.domain.evaluation import Decision, VerdictWord
from penstock.domain.events import DRIFT_DETECTED, Notice
from penstock.domain.monitoring import Monitored, Seen
from penstock.domain.workspace import Workspace
from penstock.evaluation.wording import count
from penstock.monitoring import sentences
from penstock.spec import ProjectSpec
from penstock.store import claims, labels, outbox, records
from penstock.store.database import connect
from penstock.store.ledger import Act, append_audit
from penstock.store.windows import find_window, list_windows, put_window

NAMESPACE = uuid.UUID("1c6e1c0b-6b0d-4a52-8f8e-6f3f7f0f9a57")  # a window has one decision, however often it is made
HISTORY = 200  # windows that are looked back at


@dataclass(frozen=True, slots=True)
class Facts:
    """What a policy must know besides the window.

    `history` are earlier windows, newest first; `retrained` is the decision that asked for a retraining last;
    `under_way` says what is being done about it, None if nothing; `new_labels` came since the data of the version that
    serves was fixed, and since `retrained`.
    """

    now: datetime
    history: tuple[Monitored, ...] = ()
    retrained: Decision | None = None
    under_way: str | None = None
    new_labels: int = 0


@dataclass(frozen=True, slots=True)
class Choice:
    """What to do, and why; `merged` is the decision that already acts on the same."""

    verdict: VerdictWord
    reasons: tuple[str, ...]
    merged: str | None = None


def decide(seen: Seen, spec: ProjectSpec, flow_run: str, workspace: Workspace) -> Monitored:
    """Decide whether a window asks for a retraining, and keep window and decision.

    Window, decision, audit entry and, for a retraining, the notice that starts it are kept in one transaction. The
    same window again gives the decision there is. A window with too few rows is not kept.

    Parameters
    ----------
    seen
        The window with what was measured.
    spec
        The project: `monitoring` and `retrain`.
    flow_run
        The page of the flow run that looks at it, for the audit; empty outside of one.
    workspace
        Where windows, decisions and notices are kept.

    Returns
    -------
    Monitored
        With verdict `retrain` or `hold`; hold is no action, and its first reason says why in a sentence.
    """
    window = seen.window
    if window.table is None:
        choice = Choice("hold", (sentences.too_few_rows(seen, spec),))
        key = str(uuid.uuid5(NAMESPACE, f"{spec.name}/{window.number}/{window.rows} rows"))
        return Monitored(window, None, seen.performance, _decision(key, choice, seen, workspace), flow_run or None)
    key = str(uuid.uuid5(NAMESPACE, f"{spec.name}/{window.number}"))
    there = find_window(key, workspace)
    if there is not None:
        return there
    choice = choose(seen, find_facts(seen, spec, workspace), spec)
    decision = _decision(key, choice, seen, workspace)
    monitored = Monitored(window, seen.drift, seen.performance, decision, flow_run or None)
    with connect(workspace).begin() as connection:
        if put_window(connection, monitored):
            _keep(connection, monitored, choice)
            return monitored
    return find_window(key, workspace) or monitored


def choose(seen: Seen, facts: Facts, spec: ProjectSpec) -> Choice:
    """Return what follows from a window; no store is read.

    A retraining follows from a loss that was measured in `retrain.persistence` windows in a row (those without enough
    labels neither count nor break the row), or from `retrain.every_labels` new labels. Neither drift alone nor an
    estimate is a reason: a column may move without harm, and an estimate cannot see every harm.
    """
    loss, row = seen.performance, _lost_in_a_row(seen, facts)
    found = sentences.columns_moved(seen)
    by_count = spec.retrain.every_labels is not None and facts.new_labels >= spec.retrain.every_labels
    if not loss.lost and not by_count:
        return Choice("hold", (sentences.nothing_lost(seen), *found))
    if loss.lost and row < spec.retrain.persistence and not by_count:
        return Choice("hold", (sentences.not_persistent(seen, row, spec), *found))
    why = sentences.lost(seen, row) if loss.lost else sentences.counted(facts.new_labels, spec)
    held = _held_back(why, facts, spec)
    if held is not None:
        return Choice("hold", (held[0], *found), held[1])
    enough = f"{count(facts.new_labels, 'label')} came since the data of version {seen.window.version} was fixed."
    return Choice("retrain", (f"Retrain: {why}.", *found, enough))


def find_facts(seen: Seen, spec: ProjectSpec, workspace: Workspace) -> Facts:
    """Return what the policy must know besides the window."""
    history = tuple(
        each for each in list_windows(spec.name, workspace, HISTORY) if each.window.number < seen.window.number
    )
    retrained = next((each.decision for each in history if each.decision.verdict == "retrain"), None)
    version = records.find_version(spec.name, seen.window.version, workspace)
    fixed = records.find_dataset(spec.name, version.dataset, workspace).created_at
    since = max(fixed, retrained.at) if retrained else fixed
    return Facts(
        now=workspace.now(),
        history=history,
        retrained=retrained,
        under_way=_under_way(spec.name, workspace),
        new_labels=labels.count_labels(spec.name, since, workspace),
    )


def _under_way(project: str, workspace: Workspace) -> str | None:
    for claim, _ in claims.open_claims(workspace):
        if claim.project == project:
            return f"the retraining of decision {claim.decision[:8]} is under way"
    for posted in outbox.list_notices(project, workspace):
        if posted.notice.event == DRIFT_DETECTED and posted.settled_at is None:
            return f"the retraining of decision {posted.notice.key[:8]} is about to start"
    release = records.newest_release(project, workspace)
    if release is not None and release.active:
        return f"the rollout of version {release.version} is under way"
    return None


def _lost_in_a_row(seen: Seen, facts: Facts) -> int:
    """Return in how many measured windows in a row of this version, this one included, there was a loss."""
    found = 0
    earlier = [
        each.performance
        for each in facts.history
        if each.window.version == seen.window.version and each.performance.measured is not None
    ]
    for performance in (seen.performance, *earlier):
        if not performance.lost:
            break
        found += 1
    return found


def _held_back(why: str, facts: Facts, spec: ProjectSpec) -> tuple[str, str | None] | None:
    """Return why a retraining that is asked for is not begun, and the decision that it is merged with."""
    last = facts.retrained
    cooldown = timedelta(minutes=spec.retrain.cooldown_minutes)
    if facts.under_way is not None:
        merged = last.id if last else None
        return f"No action: {why}, and {facts.under_way}: merged with it.", merged
    if last is not None and facts.now - last.at < cooldown:
        minutes = (facts.now - last.at).total_seconds() / 60
        return sentences.cooling_down(why, last.id, minutes, spec), last.id
    if facts.new_labels < spec.retrain.min_new_labels:
        return sentences.too_few_labels(why, facts.new_labels, spec), None
    return None


def _decision(key: str, choice: Choice, seen: Seen, workspace: Workspace) -> Decision:
    return Decision(
        id=key,
        project=seen.window.project,
        verdict=choice.verdict,
        reasons=choice.reasons,
        at=workspace.now(),
        champion=seen.window.version,
    )


def _keep(connection: sa.Connection, monitored: Monitored, choice: Choice) -> None:
    """Keep the decision with its audit entry and, for a retraining, its notice."""
    decision, window = monitored.decision, monitored.window
    records.put_record(connection, "decision", decision.id, decision.project, decision)
    retrain = decision.verdict == "retrain"
    incident = decision.id if retrain else choice.merged
    shown = sentences.payload(monitored)
    if retrain:
        outbox.post(connection, Notice(decision.id, DRIFT_DETECTED, window.project, shown, decision.id))
    action = "monitor.retrain" if retrain else "monitor.no_action"
    act = Act("policy", action, window.project, decision.reasons[0], shown, incident=incident, link=monitored.flow_run)
    append_audit(connection, act)
