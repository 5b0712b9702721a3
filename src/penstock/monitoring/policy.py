"""What follows from a window: a retraining, an alert, or no action and the sentence that says why."""

import uuid
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import sqlalchemy as sa

from penstock.domain.evaluation import Decision, VerdictWord
from penstock.domain.events import DRIFT_DETECTED, SERVICE_DEGRADED, Notice
from penstock.domain.monitoring import Monitored, Seen
from penstock.domain.workspace import Workspace
from penstock.evaluation.wording import count
from penstock.monitoring import sentences
from penstock.monitoring.service_health import find_alerts
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
    """What to do, and why; `merged` is the decision that already acts on the same, `alerts` are of errors and time."""

    verdict: VerdictWord
    reasons: tuple[str, ...]
    merged: str | None = None
    alerts: tuple[str, ...] = ()


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
        With verdict `retrain` or `hold`; hold is no action, and its first reason says why in a sentence, or an alert:
        the champion fails more calls than it did, or answers more slowly. An alert is told as an event, and retrains
        nothing.
    """
    window = seen.window
    if window.table is None:
        return _too_few(seen, spec, flow_run, workspace)
    key = str(uuid.uuid5(NAMESPACE, f"{spec.name}/{window.number}"))
    there = find_window(key, workspace)
    if there is not None:
        return there
    choice = choose(seen, find_facts(seen, spec, workspace), spec)
    decision = _decision(key, choice, seen, workspace)
    monitored = Monitored(window, seen.drift, seen.performance, decision, flow_run or None, alerts=choice.alerts)
    with connect(workspace).begin() as connection:
        if put_window(connection, monitored):
            _keep(connection, monitored, choice)
            return monitored
    return find_window(key, workspace) or monitored


def _too_few(seen: Seen, spec: ProjectSpec, flow_run: str, workspace: Workspace) -> Monitored:
    """Return what follows from a window with too few rows: nothing, unless calls fail, which makes rows few."""
    window = seen.window
    alerts = find_alerts(seen, _history(seen, spec, workspace), spec)
    choice = Choice("hold", (*alerts, sentences.too_few_rows(seen, spec)), alerts=alerts)
    key = str(uuid.uuid5(NAMESPACE, f"{spec.name}/{window.number}/{window.rows} rows"))
    decision = _decision(key, choice, seen, workspace)
    if alerts:
        with connect(workspace).begin() as connection:
            outbox.post(connection, _alert(seen, alerts))
    return Monitored(window, None, seen.performance, decision, flow_run or None, alerts=alerts)


def choose(seen: Seen, facts: Facts, spec: ProjectSpec) -> Choice:
    """Return what follows from a window, with alerts of errors and latency; no store is read."""
    choice, alerts = choose_training(seen, facts, spec), find_alerts(seen, facts.history, spec)
    if choice.verdict == "retrain":
        return replace(choice, reasons=(*choice.reasons, *alerts), alerts=alerts)
    return replace(choice, reasons=(*alerts, *choice.reasons), alerts=alerts)


def choose_training(seen: Seen, facts: Facts, spec: ProjectSpec) -> Choice:
    """Return whether a window asks for a retraining; no store is read.

    A retraining follows from a loss that was measured in `retrain.persistence` windows in a row (those without enough
    labels neither count nor break the row) once `retrain.min_new_labels` have come, or from `retrain.every_labels` new
    labels, however few that are. Neither drift alone nor an estimate is a reason: a column may move without harm, and
    an estimate cannot see every harm.
    """
    loss, row = seen.performance, _lost_in_a_row(seen, facts)
    found = sentences.columns_moved(seen)
    by_count = spec.retrain.every_labels is not None and facts.new_labels >= spec.retrain.every_labels
    by_loss = loss.lost and row >= spec.retrain.persistence
    if not by_loss and not by_count:
        why_not = sentences.not_persistent(seen, row, spec) if loss.lost else sentences.nothing_lost(seen)
        return Choice("hold", (why_not, *found))
    why = sentences.lost(seen, row) if by_loss else sentences.counted(facts.new_labels, spec)
    held = _held_back(why, facts, spec)
    if held is not None:
        return Choice("hold", (held[0], *found), held[1])
    if not by_count and facts.new_labels < spec.retrain.min_new_labels:
        return Choice("hold", (sentences.too_few_labels(why, facts.new_labels, spec), *found))
    enough = f"{count(facts.new_labels, 'label')} came since the data of version {seen.window.version} was fixed."
    return Choice("retrain", (f"Retrain: {why}.", *found, enough))


def find_facts(seen: Seen, spec: ProjectSpec, workspace: Workspace) -> Facts:
    """Return what the policy must know besides the window."""
    history = _history(seen, spec, workspace)
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


def _history(seen: Seen, spec: ProjectSpec, workspace: Workspace) -> tuple[Monitored, ...]:
    windows = list_windows(spec.name, workspace, HISTORY)
    return tuple(each for each in windows if each.window.number < seen.window.number)


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
    return None


def _alert(seen: Seen | Monitored, alerts: tuple[str, ...]) -> Notice:
    """Return the event of alerts, once a window."""
    window = seen.window
    told = sentences.alert_payload(window, seen.performance, alerts)
    return Notice(f"degraded:{window.project}:{window.number}", SERVICE_DEGRADED, window.project, told)


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
    if choice.alerts:
        outbox.post(connection, _alert(monitored, choice.alerts))
    action = f"monitor.{monitored.kind.replace(' ', '_')}"
    act = Act("policy", action, window.project, decision.reasons[0], shown, incident=incident, link=monitored.flow_run)
    append_audit(connection, act)
