"""An incident as plain values, for programs."""

from typing import Any

from penstock.domain.evaluation import Decision
from penstock.domain.events import Posted
from penstock.domain.monitoring import Monitored
from penstock.domain.releases import Release
from penstock.orchestration.chains import Chain, event_page, iso
from penstock.orchestration.events import event_of


def facts_of(chain: Chain) -> dict[str, Any]:
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
            "from": iso(window.from_at),
            "to": iso(window.to_at),
            "flow_run": monitored.flow_run,
        },
        "drifted": list(monitored.drift.drifted) if monitored.drift else [],
        "performance": {
            name: getattr(seen, name)
            for name in ("metric", "expected", "measured", "low", "high", "estimated", "labels", "loss", "loss_low")
        },
        "decision": {"verdict": decision.verdict, "reasons": list(decision.reasons), "at": iso(decision.at)},
    }


def _event_facts(posted: Posted, chain: Chain) -> dict[str, Any]:
    return {
        "event": posted.notice.event,
        "id": event_of(posted)["id"],
        "at": iso(posted.created_at),
        "emitted_at": iso(posted.emitted_at),
        "flow_run": posted.flow_run,
        "note": posted.note,
        "link": event_page(posted, chain.workspace),
    }


def _training_facts(chain: Chain) -> dict[str, Any] | None:
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
