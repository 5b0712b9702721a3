"""Bring rollouts forward, tick by tick."""

import logging

from penstock.domain.releases import Release
from penstock.domain.workspace import Workspace
from penstock.rollout import history, release

logger = logging.getLogger(__name__)


def advance_rollouts(workspace: Workspace) -> list[Release]:
    """Renew, judge and move every rollout that is under way: what `control` does at each tick.

    Parameters
    ----------
    workspace
        Where releases, bundles and journal are.

    Returns
    -------
    list of Release
        What was moved.
    """
    moved: list[Release] = []
    for rollout in history.active_releases(workspace):
        if rollout.state != "pending_approval":
            release.renew(rollout, workspace)
    return moved
