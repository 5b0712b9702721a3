"""What is odd in a first file."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from penstock.data.checks.findings import check_first_file
from penstock.domain.datasets import Finding
from penstock.spec import ProjectSpec

TODAY = np.datetime64("2026-06-01", "us")
ROWS = 400


def _found(columns: dict[str, Any], /, **settings: Any) -> dict[str, Finding]:
    random = np.random.default_rng(0)
    frame = pd.DataFrame({"x": random.normal(size=ROWS), **columns, "y": random.choice(["yes", "no"], ROWS)})
    values = {"name": "shop", "source": {"kind": "csv_file", "path": "x"}, "target": "y", "path": Path("p.yaml")}
    spec = ProjectSpec.model_validate({**values, **settings})
    return {finding.check: finding for finding in check_first_file(frame, spec, TODAY)}


def _numbers(low: float = 10, high: float = 90) -> np.ndarray:
    return np.random.default_rng(1).uniform(low, high, ROWS).round(1)


def test_a_clean_table_has_no_finding() -> None:
    assert _found({"age": _numbers(), "plan": np.resize(["a", "b"], ROWS)}) == {}


def test_sentinels_are_counted() -> None:
    values = _numbers()
    values[:12] = -999
    found = _found({"income": values})["sentinel"]
    assert (found.columns, found.rows, found.level) == (("income",), 12, "warning")
    days = pd.Series(pd.date_range("2025-01-01", periods=ROWS, freq="h"))
    days[:7] = pd.Timestamp("1900-01-01")
    assert _found({"day": days})["sentinel"].rows == 7


def test_an_extreme_value_that_is_near_others_is_no_sentinel() -> None:
    values = np.resize(np.arange(100.0), ROWS)
    assert "sentinel" not in _found({"percent": values, "z": _numbers()})


def test_impossible_values_are_counted() -> None:
    values = _numbers()
    values[:20] *= -1
    assert _found({"age": values})["impossible"].rows == 20
    assert "impossible" not in _found({"change": values})
    values = _numbers()
    values[:3] = 180
    assert _found({"age": values})["impossible"].rows == 3
    days = pd.Series(pd.date_range("2025-01-01", periods=ROWS, freq="h"))
    days[:5] = pd.Timestamp("2030-01-01")
    assert _found({"day": days})["impossible"].rows == 5


def test_one_level_in_several_spellings_is_told() -> None:
    levels = np.resize(["<=50K", ">50K", "<=50K."], ROWS)
    assert "'<=50K'" in _found({"income": levels})["mixed_formats"].message


def test_empty_constant_and_numbering_columns_are_told() -> None:
    found = _found({"empty": np.full(ROWS, np.nan), "same": "a", "row": np.arange(ROWS) + 17})
    assert {check: finding.columns for check, finding in found.items()} == {
        "all_missing": ("empty",),
        "constant": ("same",),
        "counter": ("row",),
    }


def test_what_quotes_values_is_also_said_without_them() -> None:
    numbers = _numbers()
    numbers[:12] = -999
    days = pd.Series(pd.date_range("2025-01-01", periods=ROWS, freq="h"))
    days[:7] = pd.Timestamp("1900-01-01")
    levels = np.resize(["<=50K", ">50K", "<=50K."], ROWS)
    told = [
        (_found({"x": numbers})["sentinel"], "-999", "has one value in 12 rows, far from its other values: it may"),
        (_found({"x": days})["sentinel"], "1900-01-01", "has one date in 7 rows, years from its other dates: it may"),
        (_found({"x": "quaker"})["constant"], "'quaker'", "has the same value in every row."),
        (_found({"x": levels})["mixed_formats"], "'<=50K'", "writes 1 of its levels in more than one way."),
    ]
    for finding, quoted, masked in told:
        assert quoted in finding.message
        assert finding.masked.startswith(f"Column 'x' {masked}")
        assert quoted not in finding.masked


def test_names_of_rows_are_told_from_texts() -> None:
    codes = [f"C-{place}" for place in range(ROWS)]
    assert _found({"code": codes})["identifier"].columns == ("code",)
    assert _found({"code": [f"a text that is said of {code}" for code in codes]}) == {}
    assert _found({"code": codes}, id="code") == {}


def test_copies_and_repeated_feature_rows_are_counted() -> None:
    values = np.repeat(_numbers()[: ROWS // 4], 4)
    frame = {"x": values, "z": np.repeat(np.arange(ROWS // 4) / 3, 4)}
    found = _found(frame)
    assert found["repeated_features"].rows == ROWS * 3 // 4
    assert found["duplicate_rows"].rows > 100
    assert "repeated_features" not in _found({**frame, "who": np.arange(ROWS) // 4}, id="who")


def test_the_target_in_other_words_is_told() -> None:
    truth = np.random.default_rng(0)
    truth.normal(size=ROWS)
    copy = np.where(truth.choice(["yes", "no"], ROWS) == "yes", 1, 0)
    assert _found({"flag": copy})["target_copy"].columns == ("flag",)


def test_the_target_in_another_unit_is_told() -> None:
    frame = {"x": _numbers(), "cents": _numbers() * 100 + 3}
    assert _found(frame, target="x", problem="regression")["target_copy"].columns == ("cents",)


def test_dropped_columns_are_not_looked_at() -> None:
    assert _found({"same": "a"}, columns={"drop": ["same"]}) == {}
