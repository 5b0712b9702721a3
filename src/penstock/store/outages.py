"""A tracking server that does not answer: which errors mean that, and what is said of it."""

from penstock.domain.workspace import Workspace
from penstock.errors import SourceUnavailable

AWAY = {"INTERNAL_ERROR", "TEMPORARILY_UNAVAILABLE"}  # MLflow's words for a server that gave no answer, or none of use
SERVER_FAILED = 500  # HTTP: from here on it is the server that failed


def is_outage(error: Exception) -> bool:
    """Return whether an error is an outage: of MLflow's own kind, or of the HTTP library below it, which files take."""
    if not isinstance(error, OSError):
        return getattr(error, "error_code", None) in AWAY
    if not hasattr(error, "response"):
        return False  # a file of ours, not the server
    return error.response is None or error.response.status_code >= SERVER_FAILED


def no_answer(said: object, workspace: Workspace) -> SourceUnavailable:
    """Return the error to raise where MLflow does not answer, with the first 200 letters of what it said instead."""
    found = str(said)[:200]
    return SourceUnavailable(
        f"MLflow must answer at {workspace.mlflow_url}, but said {found!r}. `penstock status` shows its state."
    )
