"""What people ask for in MLflow's registry, against what answers."""

from penstock.domain.releases import Release
from penstock.domain.workspace import Workspace


def reconcile_aliases(workspace: Workspace) -> list[Release]:
    """Write aliases that are stale, and follow or refuse aliases that people moved: what `control` does at each tick.

    Parameters
    ----------
    workspace
        Where MLflow and the releases are.

    Returns
    -------
    list of Release
        What was moved.
    """
    del workspace
    return []
