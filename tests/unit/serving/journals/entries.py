"""The entries of a project's journal, sealed or not."""

from penstock.domain.workspace import Workspace
from penstock.serving.journals.reading import read_entries


def ids_of(workspace: Workspace) -> list[str]:
    """Return the ids of the journal, in the order read."""
    return [entry.request_id for entry in read_entries("churn", workspace)]
