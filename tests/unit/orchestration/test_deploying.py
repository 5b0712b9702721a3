"""When `prefect.yaml` is deployed anew."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from penstock.domain.workspace import Workspace
from penstock.errors import SourceUnavailable
from penstock.orchestration.deploying import digest, is_deployed
from penstock.orchestration.runs import active_runs
from penstock.orchestration.server import prefect_answers, worker_is_online


@pytest.fixture
def copied(workspace: Workspace, tmp_path: Path, root: Path) -> Workspace:
    """A workspace whose application may be changed."""
    app = tmp_path / "app"
    app.mkdir()
    shutil.copyfile(root / "prefect.yaml", app / "prefect.yaml")
    shutil.copytree(root / "flows", app / "flows")
    return replace(workspace, app=app)


def test_the_flows_are_deployed_again_when_one_of_them_changes(copied: Workspace) -> None:
    assert not is_deployed(copied)
    (copied.parts / "deployed").write_text(json.dumps({"digest": digest(copied), "deployments": []}))
    assert is_deployed(copied)
    flow = copied.app / "flows" / "score.py"
    flow.write_text(flow.read_text() + "\n")
    assert not is_deployed(copied)


def test_without_prefect_nothing_answers_and_a_question_says_what_to_do(workspace: Workspace) -> None:
    assert not prefect_answers(workspace)
    assert not worker_is_online(workspace, 0)
    with pytest.raises(SourceUnavailable, match="penstock up"):
        active_runs(workspace)
