"""The project file that a table suggests."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from penstock.data.drafts.drafting import choose, columns_of, complete_spec, draft_project
from penstock.data.ingestion import keep_table
from penstock.domain.workspace import Workspace
from penstock.errors import DataError, SpecError
from penstock.spec import ProjectSpec, Source, load_spec

NOTHING: dict[str, str | None] = {"time": None, "id": None}


def _table(rows: int = 100) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "customerID": [f"C{place}" for place in range(rows)],
            "signed_up": pd.date_range("2026-01-01", periods=rows, freq="h").as_unit("us"),
            "fee": np.arange(rows) / 7,
            "churned": ["yes", "no", "no", "no"] * (rows // 4),
        }
    )


def _values(frame: pd.DataFrame, target: str, **overrides: str | None) -> dict[str, object]:
    return {key: choice.value for key, choice in choose(frame, target, {**NOTHING, **overrides}).items()}


def test_a_project_file_says_every_setting_and_reads_back(tmp_path: Path) -> None:
    data, file = tmp_path / "data" / "shop.csv", tmp_path / "projects" / "shop.yaml"
    data.parent.mkdir()
    _table().to_csv(data, index=False)
    notes = draft_project("shop", data, "churned", NOTHING, file)
    spec = load_spec(file)
    assert spec.source.path == "../data/shop.csv"
    assert (spec.problem, spec.positive, spec.metric) == ("binary", "yes", "roc_auc")
    assert (spec.time, spec.id) == ("signed_up", "customerID")
    assert any(note.startswith("time: signed_up (the rows are in the order of its dates") for note in notes)
    text = file.read_text(encoding="utf-8")
    for name in ProjectSpec.model_fields:
        assert name == "path" or f"\n{name}:" in text
    assert all("#" in line for line in text.splitlines() if line.strip())


def test_a_file_that_is_there_is_kept_and_never_overwritten(tmp_path: Path) -> None:
    data, file = tmp_path / "shop.csv", tmp_path / "projects" / "shop.yaml"
    _table().to_csv(data, index=False)
    draft_project("shop", data, "churned", NOTHING, file)
    before = file.read_text(encoding="utf-8")
    assert draft_project("shop", data, "churned", NOTHING, file)[0].startswith("Kept")
    with pytest.raises(SpecError, match="must not be there yet"):
        draft_project("shop", data, "fee", NOTHING, file)
    assert file.read_text(encoding="utf-8") == before


def test_values_that_yaml_reads_otherwise_come_back_as_they_are(tmp_path: Path) -> None:
    data, file = tmp_path / "odd.parquet", tmp_path / "odd.yaml"
    pd.DataFrame({"a: #b": range(40), "on": ["no"] * 30 + ["1.0"] * 10}).to_parquet(data)
    draft_project("odd", data, "on", NOTHING, file)
    spec = load_spec(file)
    assert (spec.target, spec.positive, spec.source.kind) == ("on", "1.0", "parquet_file")


def test_a_person_s_word_on_time_and_id_stands() -> None:
    assert _values(_table(), "churned", time="none", id="NONE") | {"time": None, "id": None} == _values(
        _table(), "churned", time="none", id="none"
    )
    with pytest.raises(SpecError, match="`--time` must name a column other than the target, or be none, but is 'when'"):
        _values(_table(), "churned", time="when")
    with pytest.raises(SpecError, match="must name a column of dates, but 'fee'"):
        _values(_table(), "churned", time="fee")


def test_dates_that_do_not_order_the_rows_are_not_the_time() -> None:
    shuffled = _table().assign(signed_up=_table()["signed_up"].sample(frac=1, random_state=0).to_numpy())
    found = choose(shuffled, "churned", NOTHING)["time"]
    assert found.value is None
    assert "not in the order of 'signed_up'" in found.reason


def test_of_several_dates_in_order_the_finest_is_the_time() -> None:
    frame = _table().assign(day=_table()["signed_up"].dt.floor("D"))
    assert _values(frame, "churned")["time"] == "signed_up"
    frame = _table().assign(left=_table()["signed_up"] + pd.Timedelta(days=1))
    assert _values(frame[["left", "signed_up", "churned"]], "churned")["time"] == "signed_up"


def test_newest_first_is_an_order_too() -> None:
    assert _values(_table()[::-1].reset_index(drop=True), "churned")["time"] == "signed_up"


def test_an_id_has_its_own_value_in_nearly_every_row_and_a_name_that_says_so() -> None:
    assert _values(_table().rename(columns={"customerID": "code"}), "churned")["id"] is None
    repeated = _table().assign(customerID=np.resize(["a", "b"], 100))
    assert _values(repeated, "churned")["id"] is None
    some = _table()
    some.loc[:4, "customerID"] = "C50"
    found = choose(some, "churned", NOTHING)["id"]
    assert (found.value, "5 rows repeat a value" in found.reason) == ("customerID", True)


@pytest.mark.parametrize(
    ("values", "problem", "positive"),
    [
        (["yes", "no", "no", "no"], "binary", "yes"),
        ([1, 0, 0, 0], "binary", 1),
        ([1, 1, 1, 0], "binary", 0),
        ([1, 0, 1, 0], "binary", 1),
        ([True, False, True, False], "binary", True),
        (["a", "b", "c", "a"], "multiclass", None),
        ([1, 2, 3, 4], "multiclass", None),
        ([0.5, 1.25, 3.0, 4.0], "regression", None),
        ([10, 2000, 35, 4], "regression", None),
        (["yes", "no", "no", "yes"] * 6 + ["maybe", "no", "no", "yes"], "binary", "yes"),
    ],
)
def test_the_problem_follows_from_the_target(values: list[object], problem: str, positive: object) -> None:
    target = pd.Series(values * (112 // len(values)))
    found = _values(pd.DataFrame({"x": np.arange(len(target)) / 7, "y": target}), "y")
    assert (found["problem"], found.get("positive")) == (problem, positive)
    assert type(found.get("positive")) is type(positive)


def test_columns_that_no_model_takes_are_dropped_and_told(tmp_path: Path) -> None:
    data, file = tmp_path / "t.parquet", tmp_path / "t.yaml"
    pd.DataFrame({"x": range(40), "parts": [[1, 2]] * 40, "y": ["a", "b"] * 20}).to_parquet(data)
    notes = draft_project("t", data, "y", NOTHING, file)
    assert load_spec(file).columns.drop == ["parts"]
    assert notes[-1].startswith("columns.drop: parts")


def test_an_unknown_target_lists_what_there_is(tmp_path: Path) -> None:
    data = tmp_path / "t.csv"
    _table().to_csv(data, index=False)
    with pytest.raises(DataError, match="target column 'churn', but has customerID, signed_up, fee, churned"):
        draft_project("t", data, "churn", NOTHING, tmp_path / "t.yaml")
    assert columns_of(data) == ["customerID", "signed_up", "fee", "churned"]


def _spec(**said: object) -> ProjectSpec:
    return ProjectSpec(name="shop", source=Source(kind="csv_file", path="x"), target="churned", **said)  # type: ignore[arg-type]


def test_what_the_data_say_completes_a_project_file(workspace: Workspace) -> None:
    dataset = keep_table(_table().assign(churned=[1.0, 0.0, 0.0, 0.0] * 25), "shop", "here", workspace)
    spec = complete_spec(_spec(), dataset, workspace)
    assert (spec.problem, spec.positive, spec.metric) == ("binary", 1, "roc_auc")


@pytest.mark.parametrize(
    ("target", "said", "words"),
    [
        ("churned", {"metric": "rmse"}, r"one for a binary problem \(the target has two values\), of accuracy,"),
        ("fee", {"metric": "roc_auc"}, r"one for a regression problem \(.*\), of mae, r2, rmse, but is 'roc_auc'"),
        (
            "fee",
            {"costs": {"false_negative": 5, "false_positive": 1}},
            "`costs` must be left out, for the target",
        ),
    ],
)
def test_a_metric_that_the_target_does_not_ask_for_is_refused_once_the_target_is_read(
    target: str, said: dict[str, object], words: str, workspace: Workspace
) -> None:
    dataset = keep_table(_table(), "shop", "here", workspace)
    with pytest.raises(SpecError, match=words):
        complete_spec(_spec(**said).model_copy(update={"target": target}), dataset, workspace)


def test_a_name_with_a_line_end_leaves_the_file_readable(tmp_path: Path) -> None:
    data, file = tmp_path / "shop.csv", tmp_path / "shop.yaml"
    table = _table().rename(columns={"churned": "Churned\n(yes/no)", "customerID": "Customer\r\nID"})
    table.to_csv(data, index=False)
    draft_project("shop", data, "Churned\n(yes/no)", NOTHING, file)
    spec = load_spec(file)
    assert (spec.target, spec.id) == ("Churned\n(yes/no)", "Customer\r\nID")
    assert all("#" in line for line in file.read_text(encoding="utf-8").splitlines() if line.strip())
