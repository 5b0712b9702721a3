"""Labels that come as a file."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest

from penstock.domain.releases import LabelCounts
from penstock.domain.workspace import Workspace
from penstock.errors import DataError, NotFound
from penstock.serving.files.label_tables import label_file
from penstock.serving.journal import Journal
from penstock.serving.journals.request_ids import RequestIds
from penstock.store.labels import list_labels
from penstock.store.records import register_project
from tests.unit.serving.stand_in import keep_version, release


@pytest.fixture
def served(workspace: Workspace, tmp_path: Path) -> Workspace:
    keep_version("1", workspace, tmp_path / "1")
    release("1", workspace)
    write_project(workspace, tmp_path)
    return workspace


def write_project(workspace: Workspace, folder: Path, **settings: str) -> None:
    said = "".join(f"{name}: {value}\n" for name, value in settings.items())
    file = folder / "churn.yaml"
    file.write_text(f"name: churn\nsource: {{kind: csv_file, path: churn.csv}}\ntarget: churned\n{said}")
    register_project("churn", file, workspace)


IDS = RequestIds()  # one for all: two processes within a millisecond have no order


def answered(workspace: Workspace, *customers: str, at: str = "2026-01-01T00:00:00Z", **more: str) -> str:
    """Journal a request about customers, each with some more columns, at a time of the calendar."""
    spool = Journal(workspace)
    request_id = IDS.next()
    rows = ",".join(json.dumps({"age": 1, "customer": customer, **more}) for customer in customers)
    said = ",".join(["{}"] * len(customers))
    rest = f'"at":"{at}","project":"churn","version":"1","latency_ms":1,"rows":[{rows}],'
    rest += f'"predictions":[{said}]}}'
    spool.append("churn", request_id, rest.encode())
    spool.close()
    return request_id


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_labels_come_by_request_and_row(served: Workspace, tmp_path: Path, form: str) -> None:
    request_id = answered(served, "a", "b")
    frame = pd.DataFrame({"request_id": [request_id] * 3, "row": [0, 1, 2], "value": ["yes", "no", "no"]})
    frame["observed_at"] = "2026-01-01T12:00:00+01:00"
    path = tmp_path / f"labels.{form}"
    frame.to_csv(path, index=False) if form == "csv" else frame.to_parquet(path)
    assert label_file("churn", path, served) == LabelCounts(accepted=2, superseded=0, unknown=1)
    kept = list_labels("churn", served)
    assert [(label.row, label.value, label.source) for label in kept] == [(0, "yes", "file"), (1, "no", "file")]
    assert kept[0].observed_at == datetime(2026, 1, 1, 11, tzinfo=UTC)


def test_labels_come_by_id_for_its_newest_row(served: Workspace, tmp_path: Path) -> None:
    answered(served, "a", "b")
    newest = answered(served, "c", "a")
    path = tmp_path / "labels.csv"
    path.write_text("customer,churned,other\na,yes,1\nb,no,2\nnobody,no,3\n")
    assert label_file("churn", path, served) == LabelCounts(accepted=2, superseded=0, unknown=1)
    assert (newest, 1, "yes") in {(label.request_id, label.row, label.value) for label in list_labels("churn", served)}


def kept(workspace: Workspace) -> dict[str, tuple[str, datetime]]:
    """Return value and time of the newest label of each request."""
    return {label.request_id: (label.value, label.observed_at) for label in list_labels("churn", workspace)}


@pytest.mark.parametrize("column", ["seen", "time"])
@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_labels_by_id_and_time_are_of_the_row_that_was_answered_for_that_time(
    served: Workspace, tmp_path: Path, form: str, column: str
) -> None:
    write_project(served, tmp_path, time="seen")
    january = answered(served, "a", "b", at="2026-04-01T00:00:00Z", seen="2026-01-15")
    march = answered(served, "a", at="2026-04-01T00:00:00Z", seen="2026-03-15T00:00:00")
    table = pd.DataFrame({"customer": ["a", "a", "a", "b"], "churned": ["yes", "no", "no", "no"]})
    table[column] = pd.to_datetime(["2026-01-15", "2026-03-15", "2026-02-15", "2026-03-15"])
    path = tmp_path / f"labels.{form}"
    table.to_csv(path, index=False) if form == "csv" else table.to_parquet(path)
    said: list[str] = []
    counts = label_file("churn", path, served, said.append)
    assert counts == LabelCounts(accepted=2, superseded=0, unknown=2)
    assert kept(served) == {
        january: ("yes", datetime(2026, 1, 15, tzinfo=UTC)),
        march: ("no", datetime(2026, 3, 15, tzinfo=UTC)),
    }
    assert said == [
        "Row 2: 'customer' 'a' was not answered for 2026-02-15 00:00:00, but for 2026-01-15 00:00:00, "
        "2026-03-15 00:00:00.",
        "Row 3: 'customer' 'b' was not answered for 2026-03-15 00:00:00, but for 2026-01-15 00:00:00.",
    ]


def test_rows_without_a_time_of_their_own_are_of_the_time_they_were_asked(served: Workspace, tmp_path: Path) -> None:
    january = answered(served, "a", at="2026-01-15T09:30:00Z")
    march = answered(served, "a", at="2026-03-15T09:30:00Z")
    path = tmp_path / "labels.csv"
    path.write_text(
        "customer,churned,time\n"
        "a,yes,2026-01-15\n"  # the day that it was asked on
        "a,no,2026-03-15T09:30:00\n"
        "a,no,2026-01-14T23:00:00\n"
        "nobody,no,2026-03-15\n"
    )
    said: list[str] = []
    assert label_file("churn", path, served, said.append) == LabelCounts(accepted=2, superseded=0, unknown=2)
    assert kept(served) == {
        january: ("yes", datetime(2026, 1, 15, tzinfo=UTC)),
        march: ("no", datetime(2026, 3, 15, 9, 30, tzinfo=UTC)),
    }
    assert said[0].startswith("Row 2: 'customer' 'a' was not answered for 2026-01-14 23:00:00")
    assert said[1] == "Row 3: no row with 'customer' 'nobody' was ever answered."


def test_a_label_whose_time_is_none_is_refused_and_none_is_kept(served: Workspace, tmp_path: Path) -> None:
    answered(served, "a", "b")
    path = tmp_path / "labels.csv"
    path.write_text("customer,churned,time\na,yes,2026-01-15\nb,no,\n")
    with pytest.raises(DataError) as refused:
        label_file("churn", path, served)
    assert [(fault["row"], fault["column"]) for fault in refused.value.details] == [(1, "time")]
    assert list_labels("churn", served) == []


def test_a_value_that_is_no_class_is_refused_and_none_is_kept(served: Workspace, tmp_path: Path) -> None:
    request_id = answered(served, "a", "b")
    path = tmp_path / "labels.csv"
    path.write_text(f"request_id,row,value\n{request_id},0,yes\n{request_id},1,perhaps\n")
    with pytest.raises(DataError) as refused:
        label_file("churn", path, served)
    assert refused.value.details == [
        {"row": 1, "column": "value", "must": 'be one of "no", "yes"', "found": '"perhaps"'}
    ]
    assert list_labels("churn", served) == []


def test_a_file_with_other_columns_is_refused(served: Workspace, tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(DataError, match="'customer' and 'churned'"):
        label_file("churn", path, served)
    with pytest.raises(NotFound):
        label_file("churn", tmp_path / "nothing.csv", served)


def test_numbers_are_labels_of_a_regression(workspace: Workspace, tmp_path: Path) -> None:
    keep_version("1", workspace, tmp_path / "1", "regression")
    release("1", workspace)
    request_id = answered(workspace, "a")
    path = tmp_path / "labels.csv"
    path.write_text(f"request_id,row,value\n{request_id},0,1.5\n")
    assert label_file("churn", path, workspace) == LabelCounts(accepted=1, superseded=0, unknown=0)
    path.write_text(f"request_id,row,value\n{request_id},0,much\n")
    with pytest.raises(DataError):
        label_file("churn", path, workspace)
