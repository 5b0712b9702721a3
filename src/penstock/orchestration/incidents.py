"""The story of one incident on one page: window, decision, event, training, judge and traffic, each with its link."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from penstock.domain.datasets import DatasetVersion
from penstock.domain.evaluation import Decision
from penstock.domain.events import DRIFT_DETECTED, Claim, Posted
from penstock.domain.incidents import Line, Story
from penstock.domain.models import ModelVersion
from penstock.domain.monitoring import Monitored
from penstock.domain.releases import AuditEntry, Release
from penstock.domain.workspace import Workspace
from penstock.errors import NotFound
from penstock.evaluation.wording import count, figure, title
from penstock.orchestration.events import event_of
from penstock.store import artifacts, ledger, records
from penstock.store.claims import find_claim
from penstock.store.incidents import TrainingRow, list_incidents, trainings_of
from penstock.store.outbox import list_notices
from penstock.store.tracking import version_link
from penstock.store.windows import find_window

LAST = "last"
MOST_COLUMNS = 5  # drifted columns that a line names
DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class _Chain:
    """What the records hold of one incident."""

    project: str
    incident: str
    monitored: Monitored | None
    notices: list[Posted]
    claim: Claim | None
    trainings: list[TrainingRow]
    versions: list[ModelVersion]
    decisions: list[Decision]
    releases: list[Release]
    audit: list[AuditEntry]
    datasets: dict[str, DatasetVersion]
    workspace: Workspace

    @property
    def asked(self) -> Posted | None:
        """The notice of the decision itself."""
        return next((posted for posted in self.notices if posted.notice.event == DRIFT_DETECTED), None)


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
    chain = _chain(project, found, workspace)
    if chain.monitored is None and not chain.notices and not chain.audit:
        listed = f"The newest are: {', '.join(known)}." if known else "No monitoring window has decided to retrain."
        raise NotFound(f"Project {project!r} must have the incident {incident!r}, but has not. {listed}")
    lines = sorted(_lines(chain), key=lambda line: line.at)  # stable: what happened at one moment keeps its order
    return Story(project, found, _outcome(chain), tuple(lines), _facts(chain))


def _chain(project: str, incident: str, workspace: Workspace) -> _Chain:
    trainings = trainings_of(incident, workspace)
    made = {training.id for training in trainings}
    versions = [version for version in records.list_versions(project, workspace) if version.training in made]
    names = {version.version for version in versions}
    decisions = [
        decision
        for decision in records.list_records("decision", project, Decision, workspace)
        if decision.version in names
    ]
    judged = {decision.id for decision in decisions}
    return _Chain(
        project=project,
        incident=incident,
        monitored=find_window(incident, workspace),
        notices=list_notices(project, workspace, incident=incident),
        claim=find_claim(incident, workspace),
        trainings=trainings,
        versions=versions,
        decisions=decisions,
        releases=[
            release
            for release in reversed(records.list_releases(project, workspace))
            if release.incident == incident or release.decision in judged
        ],
        audit=ledger.list_audit(project, workspace, incident=incident),
        datasets={dataset.digest: dataset for dataset in records.list_datasets(project, workspace)},
        workspace=workspace,
    )


# --- lines --------------------------------------------------------------------------------------------------------


def _lines(chain: _Chain) -> Iterator[Line]:
    yield from _seen(chain)
    yield from _told(chain)
    yield from _trained(chain)
    yield from _registered(chain)
    yield from _recorded(chain)


def _seen(chain: _Chain) -> Iterator[Line]:
    monitored = chain.monitored
    if monitored is None:
        return
    at = chain.asked.created_at if chain.asked else wall_time(monitored.decision.at, chain.workspace)
    window, run = monitored.window, _run_page(monitored.flow_run, chain.workspace)
    span = f", {_minute(window.from_at)} to {_minute(window.to_at)}" if window.from_at and window.to_at else ""
    yield Line(at, "monitor", f"Window {window.number}: {count(window.rows, 'row')}{span}. {_drifted(monitored)}", run)
    yield Line(at, "monitor", _measured(monitored), _page(monitored.report, chain.workspace) or run)
    yield Line(at, "policy", f"Decided to retrain: {' '.join(monitored.decision.reasons)}", run)


def _told(chain: _Chain) -> Iterator[Line]:
    for posted in chain.notices:
        if posted.emitted_at is not None:
            yield Line(
                posted.emitted_at, "control", f"Told Prefect: {posted.notice.event}.", _event_page(posted, chain)
            )
    claim = chain.claim
    if claim is not None:
        how = f" {chain.asked.note}" if chain.asked and chain.asked.note else ""
        again = f" for the {claim.taken_over + 1}th time, as a process had died" if claim.taken_over else ""
        what = f"The flow `train` took the decision up{again}.{how}"
        yield Line(claim.claimed_at, "train", what, _run_page(claim.flow_run, chain.workspace))


def _trained(chain: _Chain) -> Iterator[Line]:
    run = _run_page(chain.claim.flow_run if chain.claim else None, chain.workspace)
    for training in chain.trainings:
        yield Line(training.started_at, "train", f"Began to train on {_dataset(training, chain)}.", run)
        if training.ended_at is not None:
            yield Line(training.ended_at, "train", "Ended the training.", run)


def _registered(chain: _Chain) -> Iterator[Line]:
    for version in chain.versions:
        link = version_link(chain.project, version.version, chain.workspace)
        yield Line(version.created_at, "train", f"Registered version {version.version}.", link)
        report = _page(version.report, chain.workspace)
        if report is not None:
            yield Line(version.created_at, "train", f"Wrote the report of version {version.version}.", report)


def _recorded(chain: _Chain) -> Iterator[Line]:
    """Return what the audit holds beyond the window's own decision, which is told with its figures."""
    judged = any(entry.action.startswith("judge.") for entry in chain.audit)
    for entry in chain.audit:
        if chain.monitored is None or not entry.action.startswith(("monitor", "retrain")):
            yield Line(entry.at, entry.actor, _said(entry), entry.link)
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
        between = f" ({figure(seen.low)} to {figure(seen.high)})" if seen.low is not None else ""
        parts.append(f"Measured {name} {figure(seen.measured)}{between} on {count(seen.labels, 'labelled row')}")
    if seen.expected is not None:
        parts.append(f"expected {figure(seen.expected)}")
    if seen.estimated is not None:
        parts.append(f"estimated from the inputs alone {figure(seen.estimated)}")
    if seen.loss is not None:
        least = f", at least {figure(seen.loss_low, 3)}" if seen.loss_low is not None else ""
        parts.append(f"loss {figure(seen.loss, 3)}{least}")
    return "; ".join(parts) + "." if parts else f"{name[:1].upper()}{name[1:]} could not be measured."


def _dataset(training: TrainingRow, chain: _Chain) -> str:
    dataset = chain.datasets.get(training.dataset)
    if dataset is None:
        return f"dataset version {training.dataset[:12]}"
    before = [each for each in chain.datasets.values() if each.number < dataset.number]
    newest = max(before, key=lambda each: each.number, default=None)
    more = f", {dataset.rows - newest.rows:+,} beside version {newest.number}" if newest else ""
    return f"dataset version {dataset.number} ({count(dataset.rows, 'row')}{more})"


def _said(entry: AuditEntry) -> str:
    words = entry.action.replace(".", " ").replace("_", " ")
    return f"{words[:1].upper()}{words[1:]}: {entry.reason}" if entry.reason else f"{words[:1].upper()}{words[1:]}."


# --- outcome and facts --------------------------------------------------------------------------------------------


def _outcome(chain: _Chain) -> str:
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


def _facts(chain: _Chain) -> dict[str, Any]:
    """Return the links of the chain as plain values; unknown is null."""
    return {
        "id": chain.incident,
        "project": chain.project,
        **_window_facts(chain.monitored),
        "events": [_event_facts(posted, chain) for posted in chain.notices],
        "flow_run": chain.claim.flow_run if chain.claim else None,
        "training": _training_facts(chain),
        "version": chain.versions[-1].version if chain.versions else None,
        "judgements": [_judgement(decision) for decision in chain.decisions],
        "release": _release_facts(chain.releases[-1]) if chain.releases else None,
    }


def _window_facts(monitored: Monitored | None) -> dict[str, Any]:
    if monitored is None:
        return {"window": None, "drifted": [], "performance": None, "decision": None}
    window, seen, decision = monitored.window, monitored.performance, monitored.decision
    return {
        "window": {
            "number": window.number,
            "rows": window.rows,
            "from": _iso(window.from_at),
            "to": _iso(window.to_at),
            "flow_run": monitored.flow_run,
        },
        "drifted": list(monitored.drift.drifted) if monitored.drift else [],
        "performance": {
            name: getattr(seen, name)
            for name in ("metric", "expected", "measured", "low", "high", "estimated", "labels", "loss", "loss_low")
        },
        "decision": {"verdict": decision.verdict, "reasons": list(decision.reasons), "at": _iso(decision.at)},
    }


def _event_facts(posted: Posted, chain: _Chain) -> dict[str, Any]:
    return {
        "event": posted.notice.event,
        "id": event_of(posted)["id"],
        "at": _iso(posted.created_at),
        "emitted_at": _iso(posted.emitted_at),
        "flow_run": posted.flow_run,
        "note": posted.note,
        "link": _event_page(posted, chain),
    }


def _training_facts(chain: _Chain) -> dict[str, Any] | None:
    if not chain.trainings:
        return None
    training = chain.trainings[-1]
    dataset = chain.datasets.get(training.dataset)
    return {
        "id": training.id,
        "state": training.state,
        "dataset": dataset.number if dataset else None,
        "rows": dataset.rows if dataset else None,
        "resumed": training.resumed,
    }


def _judgement(decision: Decision) -> dict[str, Any]:
    seen = decision.comparison
    return {
        "verdict": decision.verdict,
        "reasons": list(decision.reasons),
        "version": decision.version,
        "champion": decision.champion,
        "rows": seen.rows if seen else None,
        "gain": seen.gain if seen else None,
        "low": seen.low if seen else None,
        "gates": {gate.name: gate.held for gate in decision.gates},
    }


def _release_facts(release: Release) -> dict[str, Any]:
    return {"version": release.version, "state": release.state, "weights": release.weights, "actor": release.actor}


# --- links and times ----------------------------------------------------------------------------------------------


def wall_time(moment: datetime, workspace: Workspace) -> datetime:
    """Return the wall's time at a moment of the workspace's calendar."""
    clock = workspace.clock
    return moment if clock is None else clock.started + (moment - clock.start) / clock.scale


def _run_page(flow_run: str | None, workspace: Workspace) -> str | None:
    return f"{workspace.prefect_url}/runs/flow-run/{flow_run}" if flow_run else None


def _event_page(posted: Posted, chain: _Chain) -> str:
    day = posted.created_at.astimezone(UTC).date().isoformat()
    return f"{chain.workspace.prefect_url}/events/event/{day}/{event_of(posted)['id']}"


def _page(report: str | None, workspace: Workspace) -> str | None:
    """Return where a report lies: the path of an artifact, or the address as it is."""
    if report is None or not DIGEST.fullmatch(report):
        return report
    return str(artifacts.local_path(report, workspace))


def _minute(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M")


def _iso(moment: datetime | None) -> str | None:
    return moment.astimezone(UTC).isoformat() if moment else None
