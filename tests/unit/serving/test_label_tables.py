"""Labels that come as a file."""

from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest

from penstock.domain.releases import LabelCounts
from penstock.domain.workspace import Workspace
from penstock.errors import DataError, NotFound
from penstock.serving.journal import Journal
from penstock.serving.label_tables import label_file, rows_of_ids
from penstock.serving.request_ids import RequestIds
from penstock.store.labels import list_labels
from tests.unit.serving.stand_in import keep_version, release


@pytest.fixture
def served(workspace: Workspace, tmp_path: Path) -> Workspace:
    keep_version("1", workspace, tmp_path / "1")
    release("1", workspace)
    return workspace


IDS = RequestIds()  # one for all: two processes within a millisecond have no order


def answered(workspace: Workspace, *customers: str) -> str:
    spool = Journal(workspace)
    request_id = IDS.next()
    rows = ",".join(f'{{"age":1,"customer":"{customer}"}}' for customer in customers)
    said = ",".join(["{}"] * len(customers))
    rest = f'"at":"2026-01-01T00:00:00Z","project":"churn","version":"1","latency_ms":1,"rows":[{rows}],'
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
    assert rows_of_ids("churn", ["c"], "customer", served) == {"c": (newest, 0)}


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
