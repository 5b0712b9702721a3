"""What the records hold of one incident, and where more of each link is shown."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from penstock.domain.datasets import DatasetVersion
from penstock.domain.evaluation import Decision
from penstock.domain.events import DRIFT_DETECTED, Claim, Posted
from penstock.domain.models import ModelVersion
from penstock.domain.monitoring import Monitored
from penstock.domain.releases import AuditEntry, Release
from penstock.domain.workspace import Workspace
from penstock.orchestration.events import event_of
from penstock.store import artifacts, ledger, records
from penstock.store.claims import find_claim
from penstock.store.incidents import TrainingRow, trainings_of
from penstock.store.outbox import list_notices
from penstock.store.windows import find_window

DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Chain:
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


def find_chain(project: str, incident: str, workspace: Workspace) -> Chain:
    """Return what the records hold of an incident."""
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
    return Chain(
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


def wall_time(moment: datetime, workspace: Workspace) -> datetime:
    """Return the wall's time at a moment of the workspace's calendar."""
    clock = workspace.clock
    return moment if clock is None else clock.started + (moment - clock.start) / clock.scale


def run_page(flow_run: str | None, workspace: Workspace) -> str | None:
    """Return the page of a flow run, which is known by its id or by its page."""
    if flow_run is not None and "://" in flow_run:
        return flow_run
    return f"{workspace.prefect_url}/runs/flow-run/{flow_run}" if flow_run else None


def event_page(posted: Posted, workspace: Workspace) -> str:
    """Return the page of a notice's event in Prefect's feed."""
    day = posted.created_at.astimezone(UTC).date().isoformat()
    return f"{workspace.prefect_url}/events/event/{day}/{event_of(posted)['id']}"


def report_page(report: str | None, name: str, chain: Chain) -> str | None:
    """Return the path of a report that a browser opens, written from its digest if it is not there yet."""
    if report is None or not DIGEST.fullmatch(report):
        return report
    path = chain.workspace.home / "reports" / chain.project / f"{name}.html"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(artifacts.read_bytes(report, chain.workspace))
    return str(path)


def iso(moment: datetime | None) -> str | None:
    """Return a moment as ISO 8601 text, UTC."""
    return moment.astimezone(UTC).isoformat() if moment else None
