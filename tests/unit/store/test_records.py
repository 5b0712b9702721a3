"""Records, datasets, versions and the migrations."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from penstock.domain.datasets import ColumnProfile, DatasetVersion
from penstock.domain.models import ModelVersion
from penstock.domain.workspace import Workspace
from penstock.errors import NotFound, Refused
from penstock.store import database, records, schema, tables


def make_dataset(digest: str = "a" * 64) -> DatasetVersion:
    return DatasetVersion(
        "churn", digest, 0, 10, "x.csv", datetime.now(UTC), (ColumnProfile("age", "number", 10, 0, 3),)
    )


def make_version(number: str, training: str) -> ModelVersion:
    return ModelVersion("churn", number, training, "run", "m" * 64, "b" * 64, "a" * 64, datetime.now(UTC))


def test_the_same_content_keeps_its_number_and_is_counted(workspace: Workspace) -> None:
    first = records.save_dataset(make_dataset(), workspace)
    again = records.save_dataset(make_dataset(), workspace)
    other = records.save_dataset(make_dataset("b" * 64), workspace)
    assert (first.number, again.number, other.number) == (1, 1, 2)
    assert records.times_seen("churn", "a" * 64, workspace) == 2
    assert [found.number for found in records.list_datasets("churn", workspace)] == [1, 2]


def test_a_record_is_found_as_it_was_saved(workspace: Workspace) -> None:
    dataset = make_dataset()
    records.save_record("thing", "k", "churn", dataset, workspace)
    records.save_record("thing", "k", "churn", dataset, workspace)
    assert records.find_record("thing", "k", "churn", DatasetVersion, workspace) == dataset
    assert records.list_records("thing", "churn", DatasetVersion, workspace) == [dataset]
    assert records.find_record("thing", "other", "churn", DatasetVersion, workspace) is None


def test_an_unknown_project_lists_those_there_are(workspace: Workspace, tmp_path: Path) -> None:
    records.register_project("churn", tmp_path / "churn.yaml", workspace)
    with pytest.raises(NotFound, match=r"No project is named 'bikes'. There are: churn"):
        records.project_path("bikes", workspace)


def test_an_unknown_version_lists_those_there_are(workspace: Workspace) -> None:
    records.save_version(make_version("1", "t1"), workspace)
    with pytest.raises(NotFound, match=r"no version '9'. There are: 1"):
        records.find_version("churn", "9", workspace)


def test_one_training_has_one_version(workspace: Workspace) -> None:
    records.save_version(make_version("1", "t1"), workspace)
    with pytest.raises(sa.exc.IntegrityError):
        records.save_version(make_version("2", "t1"), workspace)


def test_the_revision_in_the_code_is_the_newest_migration(workspace: Workspace) -> None:
    newest = max(path.name[:4] for path in (schema.MIGRATIONS / "versions").glob("0*.py"))
    assert newest == tables.REVISION
    assert schema.revision(workspace) == tables.REVISION


def test_the_migrations_make_the_tables_of_the_code(workspace: Workspace) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    with database.connect(workspace).connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), tables.metadata) == []


def test_a_newer_schema_is_refused(workspace: Workspace) -> None:
    with database.connect(workspace).begin() as connection:
        connection.execute(sa.text("update alembic_version set version_num = '9999'"))
    with pytest.raises(Refused, match="which is newer"):
        schema.migrate(workspace)
