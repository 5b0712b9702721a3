"""What is said of MLflow when it does not answer; what it writes is tested against its server."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from penstock.domain.tracking import TrackedModel, TrackedRun
from penstock.domain.workspace import Workspace
from penstock.errors import SourceUnavailable
from penstock.store import frames, tracking
from penstock.store.outages import is_outage

Asks = Callable[[Workspace, Path], object]


def log_run(workspace: Workspace, _: Path) -> object:
    table = pd.DataFrame({"x": [1.0]})
    run = TrackedRun("churn", "t1", "dataset 1", {}, {}, {})
    return tracking.log_run(run, table, frames.save_table(table, workspace), workspace)


ASKS: dict[str, Asks] = {
    "tags of a version": lambda workspace, _: tracking.tag_version("churn", "1", {"a": "b"}, workspace),
    "files of a run": lambda workspace, path: tracking.add_files("run", [("", path)], workspace),
    "a run": log_run,
    "a version": lambda workspace, path: tracking.register_version(
        TrackedModel("churn", "run", "t1", path.parent), pd.DataFrame({"x": [1.0]}), workspace
    ),
    "what is registered": lambda workspace, _: tracking.find_registered("churn", "t1", workspace),
    "a run's page": lambda workspace, _: tracking.run_link("churn", "run", workspace),
}


@pytest.mark.parametrize("asks", ASKS.values(), ids=ASKS)
def test_a_server_that_is_away_is_said_to_be_whatever_is_asked(
    asks: Asks, workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    path = tmp_path / "report.html"
    path.write_text("a page")
    with pytest.raises(SourceUnavailable, match=f"MLflow must answer at {workspace.mlflow_url}"):
        asks(workspace, path)


def test_what_the_server_refuses_and_a_file_that_is_gone_are_no_outage() -> None:
    from mlflow.exceptions import MlflowException
    from mlflow.protos.databricks_pb2 import RESOURCE_DOES_NOT_EXIST, TEMPORARILY_UNAVAILABLE

    assert is_outage(MlflowException("API request failed with exception"))
    for code, away in ((TEMPORARILY_UNAVAILABLE, True), (RESOURCE_DOES_NOT_EXIST, False)):
        assert is_outage(MlflowException("said the server", error_code=code)) is away
    assert not is_outage(FileNotFoundError("report.html"))
