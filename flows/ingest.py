"""From a source to a validated dataset version."""

from prefect import flow

from penstock.domain.datasets import ValidationReport
from penstock.orchestration import runs
from penstock.store.projects import open_project
from penstock.store.workspace import find_workspace
from tasks import data


@flow(name="ingest", flow_run_name="{project}")
def ingest(project: str, quarantine: bool = False) -> ValidationReport:
    """Read a project's source, hold it against the contract and its expectations, and keep what may go on."""
    workspace = find_workspace()
    with runs.claimed(workspace), runs.leased(f"train:{project}", workspace):
        spec = open_project(project, workspace)
        dataset = data.ingest(spec, workspace)
        spec = data.complete_spec(spec, dataset, workspace)
        change = data.check_contract(dataset, spec, workspace)
        report = data.validate(dataset, spec, quarantine, workspace)
        data.admit(change, report)
    return report
