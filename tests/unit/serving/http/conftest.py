"""A caller of a project `churn` whose version 1 answers."""

from pathlib import Path

import pytest

from penstock.domain.workspace import Workspace
from penstock.serving.auth import Keys, project_key
from penstock.serving.http.application import Application, Parts
from penstock.serving.journal import Journal
from penstock.serving.labels import WorkspaceDesk
from penstock.serving.router import Router
from penstock.store import records
from tests.unit.serving.stand_in import Client, keep_version, release


@pytest.fixture
def client(workspace: Workspace, tmp_path: Path) -> Client:
    keep_version("1", workspace, tmp_path / "1")
    keep_version("2", workspace, tmp_path / "2")
    release("1", workspace)
    records.register_project("empty", tmp_path, workspace)
    router, keys = Router(workspace), Keys(workspace)
    key = project_key("churn", workspace)
    router.refresh()
    keys.refresh()
    spool = Journal(workspace)
    app = Application(Parts(lambda: router.current, keys, spool, workspace.now, WorkspaceDesk(workspace)))
    made = Client(app, key)
    made.router = router  # type: ignore[attr-defined]
    return made
