"""Files predicted offline: the service's answers, in the file's order."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import sqlalchemy as sa

from penstock.data.sources._base import ReadWhole
from penstock.domain.features import Decoding, InputColumn
from penstock.domain.models import Signature
from penstock.domain.workspace import Workspace
from penstock.errors import DataError, ModelError, NotFound, SpecError
from penstock.serving import scoring
from penstock.serving.files.tables import read_parts, read_rows
from penstock.serving.scoring import released_bundle, score_table
from tests.unit.serving.stand_in import keep_version, release

ROWS = [
    {"customer": "007", "age": 40, "income": 1000.5, "plan": "gold"},
    {"customer": "7", "age": 20, "income": None, "plan": None},
    {"customer": "x", "age": 90, "income": -3.25, "plan": "007"},
]


@pytest.fixture
def served(workspace: Workspace, tmp_path: Path) -> Workspace:
    keep_version("1", workspace, tmp_path / "1")
    release("1", workspace)
    return workspace


def write(folder: Path, form: str) -> Path:
    path = folder / f"rows.{form}"
    frame = pd.DataFrame(ROWS)
    if form == "csv":
        frame.to_csv(path, index=False)
    else:
        frame.to_parquet(path, index=False)
    return path


def read(path: Path) -> pd.DataFrame:
    return pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path, dtype={"customer": "str"})


@pytest.mark.parametrize("given", ["csv", "parquet"])
@pytest.mark.parametrize("wanted", ["csv", "parquet"])
def test_a_file_gets_the_answers_of_the_service(served: Workspace, tmp_path: Path, given: str, wanted: str) -> None:
    out = tmp_path / f"out.{wanted}"
    assert score_table("churn", str(write(tmp_path, given)), str(out), False, served) == 3
    said = read(out)
    assert list(said.columns) == ["customer", "prediction", "probability_no", "probability_yes"]
    assert said["customer"].tolist() == ["007", "7", "x"]
    online = released_bundle("churn", served).predict_rows(ROWS)
    assert said["prediction"].tolist() == [answer["label"] for answer in online]
    assert said["probability_yes"].tolist() == [answer["score"] for answer in online]


def test_a_regression_gets_values_and_intervals(workspace: Workspace, tmp_path: Path) -> None:
    keep_version("1", workspace, tmp_path / "1", "regression")
    release("1", workspace)
    score_table("churn", str(write(tmp_path, "csv")), str(tmp_path / "out.csv"), False, workspace)
    said = read(tmp_path / "out.csv")
    assert list(said.columns) == ["customer", "prediction", "low", "high"]
    assert np.allclose(said["high"] - said["low"], 4.0)


def test_a_version_whose_scores_are_no_numbers_writes_no_file(workspace: Workspace, tmp_path: Path) -> None:
    steep = "1" + "0" * 11  # weights grow with the number of a stand-in
    keep_version(steep, workspace, tmp_path / "1", "regression")
    release(steep, workspace)
    pd.DataFrame({"age": [40.0, 1e30]}).to_csv(tmp_path / "rows.csv", index=False)
    with pytest.raises(ModelError, match=r"those of row 1 are \[inf\]"):
        score_table("churn", str(tmp_path / "rows.csv"), str(tmp_path / "out.csv"), False, workspace)
    assert not (tmp_path / "out.csv").exists()


def test_many_rows_are_answered_in_parts_and_in_order(
    served: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scoring, "CHUNK_ROWS", 7)
    pd.DataFrame({"age": range(50)}).to_csv(tmp_path / "rows.csv", index=False)
    assert score_table("churn", str(tmp_path / "rows.csv"), str(tmp_path / "out.parquet"), False, served) == 50
    scores = read(tmp_path / "out.parquet")["probability_yes"]
    assert len(scores) == 50
    assert scores.is_monotonic_increasing


def many_rows() -> pd.DataFrame:
    """Rows of which some parts have missing values, and the last is short."""
    places = np.arange(53)
    return pd.DataFrame(
        {
            "customer": [f"{place:03d}" for place in places],
            "age": places,
            "income": np.where(places < 20, np.nan, places * 1.5),
            "plan": [None if 7 <= place < 14 else ["gold", "007"][place % 2] for place in places],
        }
    )


@pytest.mark.parametrize("given", ["csv", "parquet"])
@pytest.mark.parametrize("wanted", ["csv", "parquet"])
def test_a_file_taken_in_parts_gets_the_answers_of_one_read_whole(
    served: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str, wanted: str
) -> None:
    rows, out = tmp_path / f"rows.{given}", tmp_path / f"out.{wanted}"
    many_rows().to_csv(rows, index=False) if given == "csv" else many_rows().to_parquet(rows, index=False)
    with monkeypatch.context() as patch:
        patch.setattr(scoring, "_write_in_parts", lambda *_: None)
        score_table("churn", str(rows), str(out), False, served)
    whole, read_whole = out.read_bytes(), read(out)
    monkeypatch.setattr(scoring, "CHUNK_ROWS", 7)
    monkeypatch.setattr(scoring, "read_rows", lambda *_: pytest.fail("the file was read whole"))
    assert score_table("churn", str(rows), str(out), False, served) == 53
    if wanted == "csv":
        assert out.read_bytes() == whole
    else:
        pd.testing.assert_frame_equal(read(out), read_whole)
    assert sorted(path.name for path in tmp_path.iterdir() if "out" in path.name) == [out.name]


def test_a_part_that_does_not_fit_leaves_what_was_there(
    served: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scoring, "CHUNK_ROWS", 7)
    out = tmp_path / "out.csv"
    out.write_text("what was there")
    many_rows().assign(age=[*map(float, range(52)), np.nan]).to_csv(tmp_path / "rows.csv", index=False)
    with pytest.raises(DataError, match="'age' of row 52 must be present"):
        score_table("churn", str(tmp_path / "rows.csv"), str(out), False, served)
    assert out.read_text() == "what was there"


@pytest.mark.parametrize(
    ("column", "kind", "values"),
    [
        ("day", "date", ["01/02/2026", "13/02/2026"]),
        ("fee", "number", ["12,5", "12,75"]),
        ("active", "boolean", ["1", "0"]),
        ("plan", "string", [" basic", " pro"]),
        ("plan", "string", [7.0, 7.5]),
    ],
)
def test_texts_that_the_rest_of_a_file_explains_are_not_read_in_parts(
    column: str, kind: Any, values: list[Any], tmp_path: Path
) -> None:
    columns = (InputColumn(column, kind, kind, False),)
    signature = Signature("churn", "binary", "target", Decoding(columns), ("no", "yes"), 1, 0.5)
    frame, path = pd.DataFrame({column: values}), tmp_path / "rows.csv"
    if isinstance(values[0], float):
        path = tmp_path / "rows.parquet"
        frame.to_parquet(path, index=False)
    else:
        frame.to_csv(path, index=False)
    with pytest.raises(ReadWhole):
        list(read_parts(path, signature, 1))
    assert read_rows(path, signature)[column].notna().all()


def test_a_database_gets_a_table_and_new_rows_in_the_place_of_old_ones(
    served: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scoring, "CHUNK_ROWS", 7)
    monkeypatch.setenv("WAREHOUSE", f"sqlite:///{tmp_path / 'warehouse.db'}")
    rows = tmp_path / "rows.parquet"
    for table in (many_rows(), many_rows().head(11)):
        table.to_parquet(rows, index=False)
        score_table("churn", str(rows), str(tmp_path / "out.parquet"), False, served)
        assert score_table("churn", str(rows), "env:WAREHOUSE#scores", False, served) == len(table)
        pd.testing.assert_frame_equal(stored(tmp_path, "scores"), read(tmp_path / "out.parquet"))


def stored(folder: Path, table: str) -> pd.DataFrame:
    engine = sa.create_engine(f"sqlite:///{folder / 'warehouse.db'}")
    found = pd.read_sql(f"select * from {table}", engine)  # noqa: S608  a name of this test
    engine.dispose()
    return found


def test_a_table_keeps_its_rows_where_scoring_fails_or_it_is_somebody_else_s(
    served: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scoring, "CHUNK_ROWS", 7)
    address, rows = f"sqlite:///{tmp_path / 'warehouse.db'}", str(tmp_path / "rows.csv")
    many_rows().to_csv(rows, index=False)
    score_table("churn", rows, f"{address}#scores", False, served)
    many_rows().assign(age=[*range(52), "old"]).to_csv(rows, index=False)
    for table in ("scores", "others"):
        with pytest.raises(DataError, match="'age' of row 52"):
            score_table("churn", rows, f"{address}#{table}", False, served)
    assert len(stored(tmp_path, "scores")) == 53
    engine = sa.create_engine(address)
    assert not sa.inspect(engine).has_table("others")
    pd.DataFrame({"name": ["Ann"]}).to_sql("customers", engine, index=False)
    engine.dispose()
    many_rows().to_csv(rows, index=False)
    with pytest.raises(SpecError, match=r"must have the columns customer, prediction, .* but has name"):
        score_table("churn", rows, f"{address}#customers", False, served)
    assert len(stored(tmp_path, "customers")) == 1


@pytest.mark.parametrize(
    ("output", "said"),
    [
        ("env:WAREHOUSE", "must be its address, # and the name of a table, such as env:WAREHOUSE#scores"),
        ("env:WAREHOUSE#scores; drop", "and the table 'scores; drop'"),
        ("postgresql+psycopg://me:hunter2@127.0.0.1/shop", "must be its address, # and the name of a table"),
        ("postgresql+psycopg://me:hunter2@127.0.0.1/shop#scores", "must not hold a password"),
        ("nonsense://host/shop#scores", "must be a database's address"),
    ],
)
def test_an_address_that_is_none_is_refused_and_no_password_repeated(
    served: Workspace, tmp_path: Path, output: str, said: str
) -> None:
    with pytest.raises(SpecError, match=said) as refused:
        score_table("churn", str(write(tmp_path, "csv")), output, False, served)
    assert "hunter2" not in refused.value.message


def test_a_database_that_does_not_take_the_rows_says_so_without_its_address(
    served: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WAREHOUSE", f"sqlite:///{tmp_path / 'hidden-name' / 'warehouse.db'}")
    with pytest.raises(DataError, match="env:WAREHOUSE must take the rows of 'scores', but says") as refused:
        score_table("churn", str(write(tmp_path, "csv")), "env:WAREHOUSE#scores", False, served)
    assert "hidden-name" not in str(refused.value)


def test_relative_paths_start_at_the_workspace(served: Workspace) -> None:
    write(served.home, "csv")
    assert score_table("churn", "rows.csv", "out.csv", False, served) == 3
    assert len(read(served.home / "out.csv")) == 3
    score_table("churn", "rows.csv", "sqlite:///scores.db#scores", False, served)
    assert (served.home / "scores.db").exists()


def test_contributions_are_what_a_typical_value_would_change(served: Workspace, tmp_path: Path) -> None:
    score_table("churn", str(write(tmp_path, "csv")), str(tmp_path / "out.csv"), True, served)
    said = read(tmp_path / "out.csv")
    assert [name for name in map(str, said) if name.startswith("contribution_")] == [
        "contribution_age", "contribution_income", "contribution_plan",
    ]  # fmt: skip
    loaded = released_bundle("churn", served)
    typical = loaded.predict_rows([{**ROWS[2], "age": 40}])[0]["score"]
    assert said["contribution_age"][2] == pytest.approx(said["probability_yes"][2] - typical)
    assert said["contribution_age"][0] == 0


def test_values_that_do_not_fit_are_refused_by_row_and_column(served: Workspace, tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("age,income\n40,1\nforty,2\n,3\n1,4\n")
    with pytest.raises(DataError) as refused:
        score_table("churn", str(tmp_path / "rows.csv"), str(tmp_path / "out.csv"), False, served)
    assert {"row": 1, "column": "age", "must": "be a number", "found": '"forty"'} in refused.value.details
    assert {"row": 2, "column": "age", "must": "be present", "found": "nothing"} in refused.value.details
    assert not (tmp_path / "out.csv").exists()


def test_a_missing_required_column_is_named(served: Workspace, tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("income\n1\n")
    with pytest.raises(DataError, match="'age'"):
        score_table("churn", str(tmp_path / "rows.csv"), str(tmp_path / "out.csv"), False, served)


def test_what_is_not_there_is_named(served: Workspace, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="must exist"):
        score_table("churn", str(tmp_path / "nothing.csv"), str(tmp_path / "out.csv"), False, served)
    with pytest.raises(NotFound, match="no-such"):
        score_table("no-such", str(write(tmp_path, "csv")), str(tmp_path / "out.csv"), False, served)
    with pytest.raises(SpecError, match=r"\.csv or \.parquet"):
        score_table("churn", str(write(tmp_path, "csv")), str(tmp_path / "out.txt"), False, served)
