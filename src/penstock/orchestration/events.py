"""Tell Prefect what stands in the outbox, and see to it that what a notice asks for is done, once."""

import logging
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

from penstock.domain.events import DRIFT_DETECTED, Claim, Posted
from penstock.domain.workspace import Workspace
from penstock.errors import PenstockError, SourceUnavailable
from penstock.orchestration.runs import start_run
from penstock.orchestration.server import call, runs_of_flow
from penstock.store.claims import end_claim, find_claim, open_claims
from penstock.store.ledger import Act
from penstock.store.outbox import list_notices, mark_emitted, settle, unsent, unsettled

NAMESPACE = uuid.UUID("3b0f3f0e-1c8e-4bb5-9f0e-6a4f2d4f7c11")  # a notice told twice is one event
RESOURCE = "penstock.project."
PATIENCE = timedelta(seconds=30)  # an automation needs 0.2 s, on a busy server up to 16 s
PAUSE = timedelta(seconds=10)  # before a training that ended badly is begun again; more each time
TRIES = 5  # flow runs for one decision; what kills five will kill the sixth
EARLIER = timedelta(minutes=1)  # a server's clock may be behind
KEY = "decision:"  # begins the idempotency key of flow runs that control started
ENDED_BADLY = {"CRASHED", "FAILED"}
SLOT_LOST = "Deployment concurrency slot lost"  # how Prefect begins to say why it cancels a flow run by itself
AT_WORK = {"SCHEDULED", "PENDING", "RUNNING", "PAUSED", "CANCELLING"}

log = logging.getLogger("penstock.orchestration")


def event_of(posted: Posted) -> dict[str, Any]:
    """Return a notice as Prefect's server takes it; the same notice is always the same event."""
    notice = posted.notice
    payload = {"project": notice.project, "incident": notice.incident, **notice.payload}
    related = []
    if notice.event == DRIFT_DETECTED:
        payload["decision"] = notice.key
    if payload.get("flow_run"):
        run = {"prefect.resource.id": f"prefect.flow-run.{payload['flow_run']}", "prefect.resource.role": "flow-run"}
        related.append(run)
    return {
        "id": str(uuid.uuid5(NAMESPACE, notice.key)),
        "occurred": posted.created_at.isoformat(),
        "event": notice.event,
        "resource": {
            "prefect.resource.id": f"{RESOURCE}{notice.project}",
            "prefect.resource.name": notice.project,
        },
        "payload": payload,
        "related": related,
    }


def emit(posted: Posted, workspace: Workspace) -> None:
    """Tell Prefect's server of a notice.

    Raises
    ------
    SourceUnavailable
        If it does not answer.
    PenstockError
        If it refuses the event.
    """
    call("POST", "/events", workspace, [event_of(posted)])


def send_outbox(workspace: Workspace) -> list[Posted]:
    """Tell Prefect every notice that it was not told, oldest first, and return those it was told now.

    Killed between telling and remembering, it tells the same event again.

    Raises
    ------
    SourceUnavailable
        If Prefect does not answer: the rest stays in the outbox.
    PenstockError
        If Prefect refuses an event; the others were told.
    """
    told, refused = [], None
    for posted in unsent(workspace):
        try:
            emit(posted, workspace)
        except SourceUnavailable:
            raise
        except PenstockError as error:
            refused = error
            continue
        mark_emitted(posted.number, workspace)
        told.append(posted)
    if refused is not None:
        raise refused
    return told


def start_missing(workspace: Workspace, patience: timedelta = PATIENCE) -> list[str]:
    """See to it that each decision to retrain is worked on, or was, by one flow run; return the flow runs started.

    A decision that a flow run has claimed is settled. One that the automation has started no flow run for is given
    one after `patience`; one whose flow runs ended before they claimed it, or whose claimant was killed, is given
    another one.

    Raises
    ------
    SourceUnavailable
        If Prefect does not answer.
    """
    started = [_attend(posted, patience, workspace) for posted in unsettled([DRIFT_DETECTED], workspace)]
    started += [_take_up(claim, workspace) for claim, lives in open_claims(workspace) if not lives]
    return [run for run in started if run is not None]


def runs_for(decision: str, since: datetime, workspace: Workspace) -> list[dict[str, Any]]:
    """Return the flow runs of the deployment `train` that a decision asked for, oldest first."""
    found = runs_of_flow("train", since - EARLIER, workspace)
    return [run for run in found if (run.get("parameters") or {}).get("decision") == decision]


def _attend(posted: Posted, patience: timedelta, workspace: Workspace) -> str | None:
    """Settle a notice whose decision is claimed; start a flow run where none is coming."""
    notice, there = posted.notice, runs_for(posted.notice.key, posted.created_at, workspace)
    claim = find_claim(notice.key, workspace)
    if claim is not None:
        settle(posted.number, claim.flow_run, _how(claim.flow_run, there), workspace)
        return None
    if any(run["state_type"] in AT_WORK for run in there):
        return None
    if any(_is_cancelled(run) for run in there):
        _give_up(posted, there, "its flow run was cancelled", workspace)
    elif len(there) >= TRIES:
        _give_up(posted, there, f"{len(there)} flow runs ended before they began it", workspace)
    elif datetime.now(UTC) - (posted.emitted_at or posted.created_at) >= max(patience, PAUSE * len(there)):
        return _start(notice.project, notice.key, there, workspace)
    return None


def _is_cancelled(run: dict[str, Any]) -> bool:
    """Return whether somebody wanted a flow run to end."""
    return run["state_type"] == "CANCELLED" and not _lost_its_slot(run)


def _lost_its_slot(run: dict[str, Any]) -> bool:
    """Return whether Prefect cancelled a flow run by itself, as it knew no more that its turn had come."""
    said = str((run.get("state") or {}).get("message") or "")
    return run["state_type"] == "CANCELLED" and said.startswith(SLOT_LOST)


def _how(flow_run: str | None, there: list[dict[str, Any]]) -> str:
    """Say how the flow run that claimed a decision came to be."""
    claimed = next((run for run in there if run["id"] == flow_run), None)
    made_by = ((claimed or {}).get("created_by") or {}).get("type")
    if made_by == "AUTOMATION":
        return "The automation started it."
    started = any(str(run.get("idempotency_key") or "").startswith(KEY) for run in there)
    return "The automation did not start it: control did." if started else "A person started it."


def _start(project: str, decision: str, there: list[dict[str, Any]], workspace: Workspace) -> str:
    """Start a flow run for a decision; the same number of earlier ones gives the same flow run."""
    key = f"{KEY}{decision}:{len(there)}"
    run = start_run("train", {"project": project, "decision": decision}, workspace, key=key)
    why = "no flow run had begun it" if not there else f"{len(there)} flow runs had ended without doing it"
    log.warning("Started a training of %s for decision %s: %s.", project, decision, why)
    return run


def _take_up(claim: Claim, workspace: Workspace) -> str | None:
    """Start a flow run for a decision whose claimant was killed, unless one is coming."""
    notices = list_notices(claim.project, workspace, incident=claim.decision)
    since = min([claim.claimed_at, *(posted.created_at for posted in notices)])
    there = runs_for(claim.decision, since, workspace)
    if any(run["state_type"] in AT_WORK for run in there):
        return None
    cancelled = any(run["id"] == claim.flow_run and _is_cancelled(run) for run in there)
    badly = [run for run in there if run["state_type"] in ENDED_BADLY or _lost_its_slot(run)]
    tries = max(claim.taken_over + 1, len(badly))
    if cancelled or tries >= TRIES:
        why = "its flow run was cancelled" if cancelled else f"{tries} flow runs ended badly"
        end_claim(claim.decision, workspace, _given_up(claim.project, claim.decision, why))
        return None
    if datetime.now(UTC) - claim.claimed_at < PAUSE * (tries - 1):
        return None
    return _start(claim.project, claim.decision, there, workspace)


def _give_up(posted: Posted, there: list[dict[str, Any]], why: str, workspace: Workspace) -> None:
    act = _given_up(posted.notice.project, posted.notice.key, why)
    settle(posted.number, there[-1]["id"], f"Given up: {why}.", workspace, act)


def _given_up(project: str, decision: str, why: str) -> Act:
    reason = f"The retraining is given up: {why}. `penstock train {project}` does it by hand."
    return Act("control", "training.given_up", project, reason, after=decision, incident=decision)
