"""What is written to be logged does not stay."""

import tempfile
from datetime import UTC, datetime
from pathlib import Path

import pytest

from penstock.domain.models import ModelVersion
from penstock.domain.workspace import Workspace
from penstock.errors import SourceUnavailable
from penstock.serving.registry import attach_report
from penstock.store import artifacts, records

VERSION = ModelVersion(
    project="churn",
    version="1",
    training="t1",
    run_id="run",
    model="m",
    bundle="b",
    dataset="d",
    created_at=datetime(2026, 1, 1, tzinfo=UTC),
)


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which temporary files are made."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def test_a_report_is_logged_by_its_name_and_leaves_no_file(
    workspace: Workspace, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow import MlflowClient

    logged: dict[str, bytes] = {}

    def log_artifact(_: MlflowClient, run_id: str, local_path: str, artifact_path: str | None = None) -> None:
        assert (run_id, artifact_path) == ("run", None)
        logged[Path(local_path).name] = Path(local_path).read_bytes()

    monkeypatch.setattr(MlflowClient, "log_artifact", log_artifact)
    report = artifacts.put_bytes(b"<p>a page</p>", workspace)
    assert attach_report(VERSION, report, workspace).report == report
    assert logged == {"report.html": b"<p>a page</p>"}
    assert not list(temporary.glob("penstock-log-*"))
    assert records.find_version("churn", "1", workspace).report == report


def test_a_report_leaves_no_file_where_mlflow_is_away(
    workspace: Workspace, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    report = artifacts.put_bytes(b"<p>a page</p>", workspace)
    with pytest.raises(SourceUnavailable):
        attach_report(VERSION, report, workspace)
    assert not list(temporary.glob("penstock-log-*"))
