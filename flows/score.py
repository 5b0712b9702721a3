"""Predict a whole table with the released version."""

from prefect import flow

from penstock.orchestration import runs
from penstock.store.workspace import find_workspace
from tasks import serving


@flow(name="score", flow_run_name="{project}")
def score(project: str, path: str, output: str) -> int:
    """Predict every row of a file into a file or a database's table, and return how many there were.

    Relative paths start at the workspace; a table is ADDRESS#TABLE, with env:NAME for an address with a password.
    """
    workspace = find_workspace()
    with runs.claimed(workspace):
        scored: int = serving.score_table(project, path, output, False, workspace)
    return scored
