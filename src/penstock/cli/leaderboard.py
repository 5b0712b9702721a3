"""What a training's search tried, for a person at a terminal."""

from penstock.cli.output import table
from penstock.domain.search import SearchResult
from penstock.domain.workspace import Workspace
from penstock.store import records, trainings

LINES = 10


def leaderboard(project: str, version: str, workspace: Workspace) -> str:
    """Return the best trials of the search that made a version, with their selection scores, and its reasons."""
    from penstock.evaluation.reporting.leaderboard import best_rows  # the workshop is loaded once a training has run

    training = records.find_version(project, version, workspace).training
    result = trainings.recall(training, "search", SearchResult, workspace)
    if result is None:
        return ""
    rows = [("", "family", "selection score", "95 % of folds", "seconds", "on"), *best_rows(result, LINES)]
    said = [f"  {reason}" for reason in result.reasons]
    counted = f"{result.finished} trials finished, {result.skipped} skipped"
    resumed = f", {result.resumed} of an earlier process" if result.resumed else ""
    return "\n".join([table(rows), counted + resumed, *said])
