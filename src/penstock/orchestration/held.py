"""Have held challengers judged again when rows to judge by have grown."""

from penstock.domain.evaluation import Held
from penstock.domain.workspace import Workspace
from penstock.orchestration.runs import start_run
from penstock.rollout import held as holding
from penstock.store import records

DEPLOYMENT = "judge"


def judge_held(workspace: Workspace) -> list[str]:
    """Start the flow `judge` for each project whose held challenger is due, and forget those that are past it.

    Parameters
    ----------
    workspace
        Whose projects.

    Returns
    -------
    list of str
        The flow runs that were started; a challenger is judged once for each growth of its rows.

    Raises
    ------
    SourceUnavailable
        If Prefect does not answer; the next call starts them.
    """
    started = []
    for project in records.list_projects(workspace):
        held = holding.find_held(project, workspace)
        if held is None or _is_past(held, workspace):
            continue
        if holding.has_grown(held, workspace):
            key = f"judge:{held.decision}:{held.judged_at.isoformat()}"
            started.append(start_run(DEPLOYMENT, {"project": project}, workspace, key=key))
    return started


def _is_past(held: Held, workspace: Workspace) -> bool:
    if holding.is_overtaken(held, workspace):
        reason = f"Version {held.champion}, against which it was held, does not serve any more."
    elif holding.is_too_old(held, workspace):
        reason = f"It was held for more than {holding.LONGEST.days} days."
    else:
        return False
    holding.drop_held(held, reason, workspace)
    return True
