"""Have held challengers judged again when rows to judge by have grown."""

from datetime import UTC, datetime

from penstock.domain.evaluation import Held
from penstock.domain.workspace import Workspace
from penstock.orchestration.runs import start_run
from penstock.orchestration.server import active_runs_of
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
    found = [holding.find_held(project, workspace) for project in records.list_projects(workspace)]
    due = [held for held in found if held and not _is_past(held, workspace) and holding.has_grown(held, workspace)]
    if not due:
        return []
    busy = {run["parameters"].get("project") for run in active_runs_of(DEPLOYMENT, workspace)}
    return [_start(held, workspace) for held in due if held.project not in busy]


def _start(held: Held, workspace: Workspace) -> str:
    """Start a flow run, once an hour: one that was killed or failed is tried again."""
    hour = datetime.now(UTC).strftime("%Y%m%d%H")
    key = f"judge:{held.decision}:{held.judged_at.isoformat()}:{hour}"
    return start_run(DEPLOYMENT, {"project": held.project}, workspace, key=key)


def _is_past(held: Held, workspace: Workspace) -> bool:
    if holding.is_overtaken(held, workspace):
        reason = f"Version {held.champion}, against which it was held, does not serve any more."
    elif holding.is_too_old(held, workspace):
        reason = f"It was held for more than {holding.LONGEST.days} days."
    else:
        return False
    holding.drop_held(held, reason, workspace)
    return True
