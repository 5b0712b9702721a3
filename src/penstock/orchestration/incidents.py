"""The story of one incident on one page: window, decision, event, training, judge and traffic, each with its link."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime

from penstock.domain.events import RELEASE_MOVED, RELEASE_ROLLED_BACK
from penstock.domain.incidents import Line, Story
from penstock.domain.monitoring import Monitored
from penstock.domain.releases import AuditEntry, Release
from penstock.domain.workspace import Workspace
from penstock.errors import NotFound
from penstock.evaluation.wording import count, figure, title
from penstock.orchestration.chains import Chain, event_page, find_chain, report_page, run_page, wall_time
from penstock.orchestration.incident_facts import facts_of
from penstock.store.incidents import TrainingRow, list_incidents
from penstock.store.tracking import version_link

LAST = "last"
MOST_COLUMNS = 5  # drifted columns that a line names


def tell_incident(project: str, incident: str, workspace: Workspace) -> Story:
    """Tell what followed from a decision to retrain.

    Parameters
    ----------
    project
        The project's name.
    incident
        The id of the decision, or `last` for the newest.
    workspace
        Where the records are.

    Returns
    -------
    Story
        Its lines in the order of time.

    Raises
    ------
    NotFound
        If the project has no such incident; the message lists the newest.
    """
    known = list_incidents(project, workspace)
    found = known[0] if incident == LAST and known else incident
    chain = find_chain(project, found, workspace)
    if chain.monitored is None and not chain.notices and not chain.audit:
        listed = f"The newest are: {', '.join(known)}." if known else "No monitoring window has decided to retrain."
        raise NotFound(f"Project {project!r} must have the incident {incident!r}, but has not. {listed}")
    lines = sorted(_lines(chain), key=lambda line: line.at)  # stable: what happened at one moment keeps its order
    return Story(project, found, _outcome(chain), tuple(lines), facts_of(chain))


def _lines(chain: Chain) -> Iterator[Line]:
    yield from _seen(chain)
    yield from _told(chain)
    yield from _trained(chain)
    yield from _registered(chain)
    yield from _recorded(chain)


def _seen(chain: Chain) -> Iterator[Line]:
    monitored = chain.monitored
    if monitored is None:
        return
    at = chain.asked.created_at if chain.asked else wall_time(monitored.decision.at, chain.workspace)
    window, run = monitored.window, run_page(monitored.flow_run, chain.workspace)
    span = f", {_minute(window.from_at)} to {_minute(window.to_at)}" if window.from_at and window.to_at else ""
    yield Line(at, "monitor", f"Window {window.number}: {count(window.rows, 'row')}{span}. {_drifted(monitored)}", run)
    yield Line(
        at, "monitor", _measured(monitored), report_page(monitored.report, f"drift-{window.number}", chain) or run
    )
    reasons = " ".join(monitored.decision.reasons).removeprefix("Retrain: ")
    yield Line(at, "policy", f"Decided to retrain: {reasons}", run)


def _told(chain: Chain) -> Iterator[Line]:
    asked = chain.asked
    if asked is not None and asked.emitted_at is not None:
        told = f"Told Prefect: {asked.notice.event}."
        yield Line(asked.emitted_at, "control", told, event_page(asked, chain.workspace))
    claim = chain.claim
    if claim is not None:
        how = f" {chain.asked.note}" if chain.asked and chain.asked.note else ""
        again = f" for the {claim.taken_over + 1}th time, as a process had died" if claim.taken_over else ""
        what = f"The flow `train` took the decision up{again}.{how}"
        yield Line(claim.claimed_at, "train", what, run_page(claim.flow_run, chain.workspace))


def _trained(chain: Chain) -> Iterator[Line]:
    run = run_page(chain.claim.flow_run if chain.claim else None, chain.workspace)
    for training in chain.trainings:
        yield Line(training.started_at, "train", f"Began to train on {_dataset(training, chain)}.", run)
        if training.ended_at is not None:
            yield Line(training.ended_at, "train", "Ended the training.", run)


def _registered(chain: Chain) -> Iterator[Line]:
    for version in chain.versions:
        link = version_link(chain.project, version.version, chain.workspace)
        yield Line(version.created_at, "train", f"Registered version {version.version}.", link)
        report = report_page(version.report, version.version, chain)
        if report is not None:
            yield Line(version.created_at, "train", f"Wrote the report of version {version.version}.", report)


def _recorded(chain: Chain) -> Iterator[Line]:
    """Return what the audit holds beyond the window's own decision, which is told with its figures."""
    judged = any(entry.action.startswith("judge.") for entry in chain.audit)
    moves = [posted for posted in chain.notices if posted.notice.event in (RELEASE_MOVED, RELEASE_ROLLED_BACK)]
    for entry in chain.audit:
        link = entry.link
        if entry.action.startswith("release.") and moves:  # each move and its notice are of one transaction
            link = link or event_page(moves.pop(0), chain.workspace)
        if chain.monitored is None or entry.action != "monitor.retrain":
            yield Line(entry.at, entry.actor, _said(entry), link)
    if not judged:
        for decision in chain.decisions:
            at = wall_time(decision.at, chain.workspace)
            yield Line(at, "judge", f"{decision.verdict.capitalize()}: {' '.join(decision.reasons)}")


def _drifted(monitored: Monitored) -> str:
    if monitored.drift is None:
        return "Drift was not measured."
    moved = sorted((each for each in monitored.drift.columns if each.drifted), key=lambda each: -each.effect)
    if not moved:
        return f"None of {count(len(monitored.drift.columns), 'column')} drifted."
    told = [f"{each.column} ({each.detector} {each.effect:.2g} over {each.threshold:.2g})" for each in moved]
    more = f" and {len(told) - MOST_COLUMNS} more" if len(told) > MOST_COLUMNS else ""
    return f"Drifted: {', '.join(told[:MOST_COLUMNS])}{more}."


def _measured(monitored: Monitored) -> str:
    seen = monitored.performance
    name, parts = title(seen.metric), []
    if seen.measured is not None:
        known = seen.low is not None and seen.high is not None
        between = f" ({figure(seen.low or 0)} to {figure(seen.high or 0)})" if known else ""
        parts.append(f"Measured {name} {figure(seen.measured)}{between} on {count(seen.labels, 'labelled row')}")
    if seen.expected is not None:
        parts.append(f"expected {figure(seen.expected)}")
    if seen.estimated is not None:
        parts.append(f"estimated from the inputs alone {figure(seen.estimated)}")
    if seen.loss is not None:
        least = f", at least {figure(seen.loss_low, 3)}" if seen.loss_low is not None else ""
        parts.append(f"loss {figure(seen.loss, 3)}{least}")
    return "; ".join(parts) + "." if parts else f"{name[:1].upper()}{name[1:]} could not be measured."


def _dataset(training: TrainingRow, chain: Chain) -> str:
    dataset = chain.datasets.get(training.dataset)
    if dataset is None:
        return f"dataset version {training.dataset[:12]}"
    before = [each for each in chain.datasets.values() if each.number < dataset.number]
    newest = max(before, key=lambda each: each.number, default=None)
    more = f", {dataset.rows - newest.rows:+,} beside version {newest.number}" if newest else ""
    return f"dataset version {dataset.number} ({count(dataset.rows, 'row')}{more})"


def _said(entry: AuditEntry) -> str:
    words = entry.action.replace(".", " ").replace("_", " ")
    words = f"{words[:1].upper()}{words[1:]}{_weights(entry)}"
    return f"{words}: {entry.reason}" if entry.reason else f"{words}."


def _weights(entry: AuditEntry) -> str:
    """Return who answers after a move of traffic."""
    after = json.loads(entry.after) if entry.action.startswith("release.") else None
    if not isinstance(after, dict) or not all(isinstance(share, (int, float)) for share in after.values()):
        return ""
    return f" ({', '.join(f'version {version} {share:g} %' for version, share in after.items())})" if after else ""


def _outcome(chain: Chain) -> str:
    if chain.releases:
        return _traffic(chain.releases[-1])
    if chain.decisions:
        decision = chain.decisions[-1]
        return f"The judge said {decision.verdict} of version {decision.version}: {' '.join(decision.reasons)}"
    ended = next((entry for entry in reversed(chain.audit) if entry.action.startswith("training.")), None)
    if ended is not None:
        return ended.reason
    if chain.versions:
        return f"Version {chain.versions[-1].version} is registered, and not judged yet."
    if chain.trainings:
        return "The training is under way."
    return "A flow run has taken it up." if chain.claim else "No flow run has taken it up yet."


def _traffic(release: Release) -> str:
    if release.active:
        share = release.weights.get(release.version, 0.0)
        return f"Version {release.version} is on its way to traffic: {release.state}, {share:g} %."
    if release.state == "serving":
        return f"Version {release.version} answers."
    return f"Version {release.version} answers no more: {release.state.replace('_', ' ')}."


def _minute(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M")
