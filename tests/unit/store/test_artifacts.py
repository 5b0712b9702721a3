"""Artifacts in a bucket: what is kept here is there too, however often it took."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from penstock.domain.workspace import Workspace
from penstock.store import artifacts

Keeps = Callable[[bytes, Workspace], str]


def put_file(data: bytes, workspace: Workspace) -> str:
    path = workspace.home / "table.csv"
    path.write_bytes(data)
    return artifacts.put_file(path, workspace)


def files_below(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


@pytest.mark.parametrize("put", [artifacts.put_bytes, put_file])
def test_an_upload_that_failed_is_made_by_the_next_try(put: Keeps, workspace: Workspace, tmp_path: Path) -> None:
    bucket = tmp_path / "bucket"
    bucket.write_text("a file, and no folder")  # so that nothing can be uploaded
    here = replace(workspace, artifacts_url=str(bucket))
    with pytest.raises(NotADirectoryError):
        put(b"a table", here)
    assert files_below(here.home / "artifacts") == []
    bucket.unlink()
    digest = put(b"a table", here)
    assert [path.read_bytes() for path in files_below(bucket)] == [b"a table"]
    elsewhere = replace(here, home=tmp_path / "elsewhere")
    assert artifacts.read_bytes(digest, elsewhere) == artifacts.read_bytes(digest, here) == b"a table"


def test_what_is_kept_is_uploaded_once(workspace: Workspace, tmp_path: Path) -> None:
    bucket = tmp_path / "bucket"
    here = replace(workspace, artifacts_url=str(bucket))
    artifacts.put_bytes(b"a table", here)
    (uploaded,) = files_below(bucket)
    uploaded.unlink()
    artifacts.put_bytes(b"a table", here)
    assert files_below(bucket) == []
