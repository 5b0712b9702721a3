"""Move traffic to a version by hand."""

from prefect import flow

from penstock.domain.releases import Release
from penstock.orchestration import runs
from penstock.store.workspace import actor, find_workspace
from tasks import rollout


@flow(name="release", flow_run_name="{project} version {version}")
def release(project: str, version: str, reason: str = "") -> Release:
    """Give all traffic of a project to a version, and let the alias follow."""
    workspace = find_workspace()
    with runs.claimed(workspace):
        opened = rollout.release_version(project, version, actor=actor(), reason=reason, workspace=workspace)
        return rollout.write_alias(opened, workspace)
