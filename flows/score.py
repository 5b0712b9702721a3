"""Predict a whole table with the released version."""

from prefect import flow

from penstock.orchestration import runs
from penstock.store.workspace import find_workspace
from tasks import serving


@flow(name="score", flow_run_name="{project}")
def score(project: str, path: str, output: str) -> int:
    """Predict every row of a file, and return how many there were."""
    workspace = find_workspace()
    with runs.claimed(workspace):
        scored: int = serving.score_table(project, path, output, False, workspace)
    return scored
