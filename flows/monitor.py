"""One window of the journal: what moved, what was lost, and what follows."""

from prefect import flow

from penstock.domain.monitoring import Monitored, Seen
from penstock.orchestration import runs
from penstock.store.projects import open_project
from penstock.store.workspace import find_workspace
from tasks import monitoring, serving


@flow(name="monitor", flow_run_name="{project}")
def monitor(project: str) -> Monitored:
    """Watch the newest answers of a project, and ask for a retraining where a loss was measured."""
    workspace = find_workspace()
    with runs.claimed(workspace), runs.leased(f"monitor:{project}", workspace):
        spec = open_project(project, workspace)
        serving.seal(project, workspace)
        window = monitoring.take_window(spec, workspace)
        drift = monitoring.measure_drift(window, spec, workspace)
        performance = monitoring.measure_performance(window, spec, workspace)
        monitored = monitoring.decide(Seen(window, drift, performance), spec, runs.run_link(workspace), workspace)
        runs.name_run(f"{project}: {monitored.kind}")
        return monitoring.write_drift_report(monitored, spec, workspace)
