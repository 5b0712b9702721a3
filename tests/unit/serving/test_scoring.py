"""Files predicted offline: the service's answers, in the file's order."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from penstock.domain.workspace import Workspace
from penstock.errors import DataError, ModelError, NotFound, SpecError
from penstock.serving import scoring
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
