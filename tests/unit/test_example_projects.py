"""The project files that the project shows can be run as they lie there."""

from pathlib import Path

from penstock.data.ingestion import ingest
from penstock.domain.workspace import Workspace
from penstock.spec import load_spec


def test_the_bike_rentals_are_read_and_every_column_that_is_named_is_there(root: Path, workspace: Workspace) -> None:
    spec = load_spec(root / "projects" / "bikes.yaml")
    dataset = ingest(spec, workspace)
    types = {column.name: column.type for column in dataset.columns}
    assert (spec.name, dataset.rows, types[str(spec.time)]) == ("bikes", 17_379, "date")
    assert {spec.target, *spec.columns.drop, *spec.columns.kinds} <= set(types)
