"""What commands from a file to a model say before anything runs."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from penstock.cli.training import init, run
from penstock.domain.workspace import Workspace
from penstock.errors import NotFound
from penstock.spec import load_spec
from penstock.store.workspace import environment

TABLE = "fee,churned\n" + "1.5,yes\n2.5,no\n" * 30


@pytest.fixture
def runner(workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    """Runs commands in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return CliRunner(env=environment(workspace))


@pytest.mark.parametrize("target", [[], ["--target", "churned"]])
def test_a_file_that_is_not_there_is_named_as_it_was_typed(target: list[str], runner: CliRunner) -> None:
    said = "The file 'nofile.csv' must exist, but does not. Give the path of a CSV or Parquet file."
    for done in (runner.invoke(init, ["shop", "--data", "nofile.csv", *target]), runner.invoke(run, ["nofile.csv"])):
        assert isinstance(done.exception, NotFound)
        assert done.exception.message == said
    assert not Path("projects").exists()


def test_a_pattern_that_names_files_begins_a_project(runner: CliRunner) -> None:
    asked = ["shop", "--data", "part-*.csv", "--target", "churned"]
    assert isinstance(runner.invoke(init, asked).exception, NotFound)
    Path("part-1.csv").write_text(TABLE)
    assert runner.invoke(init, asked).exit_code == 0
    assert load_spec(Path("projects/shop.yaml")).source.path == "../part-*.csv"
