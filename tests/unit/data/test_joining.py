"""Labelled answers are rows of the next dataset version."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from penstock.data.contract import check_contract
from penstock.data.drafts.drafting import complete_spec, draft_project
from penstock.data.ingestion import find_reading, ingest, unreadable_values
from penstock.data.leaks import find_leaks
from penstock.data.sides.hash_split import HOLDOUT
from penstock.data.splitting import load_assignment, split
from penstock.data.validation import validate
from penstock.domain.datasets import DatasetVersion
from penstock.domain.models import ModelVersion
from penstock.domain.workspace import Workspace
from penstock.spec import ProjectSpec, load_spec
from penstock.store.frames import load_array, load_table
from tests.unit.data.answers import ASKED, answer, label

ROOT = Path(__file__).resolve().parents[3]
BIKES = ROOT / "src" / "penstock" / "demo" / "data" / "bike_sharing_hourly.parquet"


def _spec(folder: Path, **settings: Any) -> ProjectSpec:
    values = {"name": "shop", "source": {"kind": "csv_file", "path": "t.csv"}, "target": "y", **settings}
    return ProjectSpec.model_validate({**values, "path": folder / "shop.yaml"})


def _write(folder: Path, text: str) -> None:
    (folder / "t.csv").write_text(text, encoding="utf-8")


def _asked(rows: list[dict[str, Any]], values: list[str], workspace: Workspace, *, picked: bool = False) -> None:
    label(answer(rows, "shop", workspace), values, "shop", workspace, picked=picked)


def _champion(dataset: DatasetVersion) -> ModelVersion:
    return ModelVersion(dataset.project, "1", "t", "r", "m", "b", dataset.digest, datetime.now(UTC))


def test_labelled_rows_follow_the_rows_of_the_source(workspace: Workspace, tmp_path: Path) -> None:
    _write(tmp_path, "n,flag,text,day,y\n1,true,a,2026-01-01,0\n2,false,b,2026-01-02,1\n")
    before = ingest(_spec(tmp_path), workspace)
    _asked([{"n": 3, "flag": False, "text": "c", "day": "2026-02-01T02:00:00+02:00"}, {"n": 4}], ["1"], workspace)
    _asked([{"n": 2.5, "text": "d", "other": 1}], ["0"], workspace)
    dataset = ingest(_spec(tmp_path), workspace)
    expected = pd.DataFrame(
        {
            "n": [1, 2, 3, 2.5],
            "flag": np.array([True, False, False, None], object),
            "text": pd.Series(["a", "b", "c", "d"], dtype="str"),
            "day": pd.to_datetime(["2026-01-01", "2026-01-02", "2026-02-01", "NaT"]).astype("datetime64[us]"),
            "y": [0, 1, 1, 0],
        }
    )
    pd.testing.assert_frame_equal(load_table(dataset.digest, workspace), expected)
    assert (before.source, dataset.source) == ("csv_file t.csv", "csv_file t.csv + 2 labelled answers")
    without = _spec(tmp_path, source={"kind": "csv_file", "path": "t.csv", "journal": False})
    assert ingest(without, workspace) == before


def test_the_newest_label_of_a_row_counts(workspace: Workspace, tmp_path: Path) -> None:
    _write(tmp_path, "n,y\n1,a\n2,b\n")
    request_id = answer([{"n": 3}], "shop", workspace)
    label(request_id, ["a"], "shop", workspace)
    label(request_id, ["b"], "shop", workspace)
    assert load_table(ingest(_spec(tmp_path), workspace).digest, workspace)["y"].tolist() == ["a", "b", "b"]


def test_a_row_that_the_source_holds_counts_once(workspace: Workspace, tmp_path: Path) -> None:
    _write(tmp_path, "key,n,y\nk1,1,a\nk2,2,b\n")
    spec = _spec(tmp_path, id="key")
    _asked([{"key": "k1", "n": 9}, {"key": "k3", "n": 2}, {"key": "k3", "n": 3}, {"n": 4}], list("bbba"), workspace)
    frame = load_table(ingest(spec, workspace).digest, workspace)
    assert frame["key"].fillna("").tolist() == ["k1", "k2", "k3", ""]
    assert frame["n"].tolist() == [1, 2, 3, 4]


def test_without_an_id_equal_values_are_the_same_row_where_they_tell_rows_apart(
    workspace: Workspace, tmp_path: Path
) -> None:
    rows = [f"{place},{place % 2},{'ab'[place % 2]}" for place in range(100)]
    _write(tmp_path, "\n".join(["n,few,y", *rows]))
    _asked([{"n": 7, "few": 1}, {"few": 1}, {"n": 7, "few": 0}, {"n": 200, "few": 0}], list("abab"), workspace)
    _asked([{"n": 200, "few": 0}], ["a"], workspace)
    frame = load_table(ingest(_spec(tmp_path), workspace).digest, workspace)
    assert frame.iloc[100:].fillna(-1).to_numpy().tolist() == [[-1, 1, "b"], [7, 0, "a"], [200, 0, "a"]]


def test_a_row_without_its_time_is_from_when_it_was_asked(workspace: Workspace, tmp_path: Path) -> None:
    _write(tmp_path, "at,y\n2026-01-01,1.5\n2026-01-02,2.5\n")
    _asked([{}], ["3.5"], workspace)
    frame = load_table(ingest(_spec(tmp_path, time="at"), workspace).digest, workspace)
    assert frame["at"].iloc[2] == pd.Timestamp(ASKED).tz_localize(None)


def test_a_value_that_does_not_fit_is_missing_and_named(workspace: Workspace, tmp_path: Path) -> None:
    _write(tmp_path, "n,y\n1,a\n2,b\n")
    _asked([{"n": 3}, {"n": [4]}, {"n": "5"}], ["a", "a", "b"], workspace)
    dataset = ingest(_spec(tmp_path), workspace)
    assert load_table(dataset.digest, workspace)["n"].isna().tolist() == [False, False, False, True, False]
    unreadable = unreadable_values(find_reading(dataset, workspace), workspace)
    assert unreadable.to_dict("records") == [{"row": 3, "column": "n", "text": "[4]"}]


@pytest.mark.parametrize("id_column", ["key", None])
def test_an_answer_without_a_large_number_changes_neither_the_others_nor_their_sides(
    workspace: Workspace, tmp_path: Path, id_column: str | None
) -> None:
    keys = 2**60 + 37 * np.arange(200) ** 2
    frame = pd.DataFrame({"key": keys, "n": np.arange(200) % 7, "y": np.arange(200) % 2})
    frame.to_csv(tmp_path / "t.csv", index=False)
    spec = _spec(tmp_path, id=id_column)
    before = split(ingest(spec, workspace), None, spec, workspace)
    _asked([{"n": 9}, {"key": 2**61 + 1, "n": 8}], ["0", "1"], workspace)
    later = ingest(spec, workspace)
    assert load_table(later.digest, workspace)["key"].fillna(-1).tolist() == [*keys, -1, 2**61 + 1]
    after = split(later, None, spec, workspace)
    digests = [load_array(made.row_digests, workspace)[:200] for made in (before, after)]
    held = [load_array(made.assignment, workspace)[:200] == HOLDOUT for made in (before, after)]
    assert np.array_equal(digests[0], digests[1])
    assert np.array_equal(held[0], held[1])


def test_columns_under_an_earlier_name_are_joined_by_the_contract_s(workspace: Workspace, tmp_path: Path) -> None:
    _write(tmp_path, "number,day,y\nk1,2026-01-01,a\nk2,2026-01-02,b\n")
    spec = _spec(tmp_path, id="key", time="at")
    (tmp_path / "shop.contract.yaml").write_text(
        "project: shop\ntarget: 'y'\ncolumns:\n"
        "  key: {renamed_from: [number], type: string, required: true, unique: true}\n"
        "  at: {renamed_from: [day], type: date, required: true}\n"
        "  'y': {type: string, required: false}\n"
    )
    _asked([{"key": "k1"}, {"number": "k2"}, {"key": "k3"}], ["b", "a", "a"], workspace)
    frame = load_table(ingest(spec, workspace).digest, workspace)
    assert frame["key"].tolist() == ["k1", "k2", "k3"]
    assert frame["at"].iloc[2] == pd.Timestamp(ASKED).tz_localize(None)


@pytest.mark.parametrize("time", [None, "at"])
def test_picked_rows_are_never_held_out(workspace: Workspace, tmp_path: Path, time: str | None) -> None:
    days = pd.date_range("2026-01-01", periods=200, freq="D")
    frame = pd.DataFrame({"at": days, "x": np.arange(200) / 7, "y": np.arange(200) % 2})
    frame.iloc[:100].to_csv(tmp_path / "t.csv", index=False)
    asked = [{"at": f"{day:%Y-%m-%d}", "x": place / 7} for place, day in enumerate(days)][100:]
    _asked(asked[:50], ["0", "1"] * 25, workspace, picked=True)
    _asked(asked[50:], ["0", "1"] * 25, workspace)
    dataset = ingest(_spec(tmp_path, time=time), workspace)
    made = split(dataset, None, _spec(tmp_path, time=time, split={"holdout": 0.7}), workspace)
    assignment = load_assignment(made, workspace)
    assert set(assignment[100:150]) <= {-2, -3}
    assert (assignment[150:] == -1).any()


def test_bicycles_of_january_join_those_of_2011(workspace: Workspace, tmp_path: Path) -> None:
    table = pd.read_parquet(BIKES)
    year = table["datetime"].dt.year
    table[year == 2011].to_parquet(tmp_path / "bikes.parquet")
    january = table[(year == 2012) & (table["datetime"].dt.month == 1)]
    draft_project("bikes", tmp_path / "bikes.parquet", "cnt", {"time": "datetime"}, tmp_path / "bikes.yaml")
    spec = load_spec(tmp_path / "bikes.yaml")
    first = ingest(spec, workspace)
    spec = complete_spec(spec, first, workspace)
    check_contract(first, spec, workspace)
    assert validate(first, spec, False, workspace).accepted == first
    split(first, None, spec, workspace)

    sent = january.drop(columns=["casual", "registered", "cnt"])
    sent = sent.assign(**{name: sent[name].astype(str) for name in ("dteday", "datetime")})
    for begin in range(0, len(sent), 100):
        rows = sent.iloc[begin : begin + 100].to_dict("records")
        request_id = answer(rows, "bikes", workspace)
        label(request_id, [str(value) for value in january["cnt"].iloc[begin : begin + 100]], "bikes", workspace)
    later = ingest(spec, workspace)
    assert (later.rows, later.source) == (
        first.rows + len(january),
        f"{first.source} + {len(january)} labelled answers",
    )
    assert check_contract(later, spec, workspace).verdict == "same"
    report = validate(later, spec, False, workspace)
    assert (report.quarantined, report.blocked, report.accepted) == (0, False, later)
    made = split(later, _champion(first), spec, workspace)
    held = load_assignment(made, workspace) == -1
    assert not held[: first.rows].any()
    assert abs(held.sum() - len(january) / 2) <= 24
    assert made.cut is not None
    assert made.cut.time().isoformat() == "00:00:00"
    leaks = {name for finding in find_leaks(later, made, spec, workspace) for name in finding.columns}
    assert {"casual", "registered"} <= leaks
