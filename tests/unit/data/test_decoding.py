"""Rows and columns to arrays."""

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest

from penstock.data.decoding import RowErrors, compile_decoding, json_schema
from penstock.data.readers import MISSING
from penstock.domain.datasets import Contract, ContractColumn
from penstock.domain.features import Decoding, InputColumn
from penstock.errors import DataError, ModelError

DECODING = Decoding(
    (
        InputColumn("age", "number", "number", True),
        InputColumn("paid", "boolean", "boolean", False),
        InputColumn("plan", "string", "category", False),
        InputColumn("since", "date", "date", False),
        InputColumn("zip", "number", "category", False),
        InputColumn("note", "string", "text", False, 3),
    )
)
ROW = {"age": 30, "paid": True, "plan": "a", "since": "2011-01-02T10:30:00", "zip": 5, "note": "Hello, big World!"}


def refused(*rows: Any) -> RowErrors:
    with pytest.raises(RowErrors) as caught:
        compile_decoding(DECODING).rows(rows)
    return caught.value


def test_a_row_becomes_numbers_and_texts() -> None:
    decoder = compile_decoding(DECODING)
    numbers, texts = decoder.rows([ROW])
    assert numbers.dtype == np.float32
    assert numbers.tolist() == [[30, 1, 2011, 1, 2, 6, 10, 2, 14976]]
    assert texts.tolist() == [["a", "5", "hello", "big", "world"]]
    assert decoder.number_names[2] == "since.year"
    assert decoder.number_sources == ("age", "paid", *["since"] * 7)
    assert decoder.text_sources == ("plan", "zip", "note", "note", "note")


def test_missing_values_become_nan_the_sentinel_and_no_words() -> None:
    numbers, texts = compile_decoding(DECODING).rows([{"age": 1, "paid": None, "plan": None, "note": ""}])
    assert np.isnan(numbers[0, 1:]).all()
    assert texts.tolist() == [[MISSING, MISSING, "", "", ""]]


@pytest.mark.parametrize(
    ("text", "hour"),
    [
        ("2011-01-01", 0),
        ("2011-01-01T05:00:00.000", 5),
        ("2011-01-01T05:00:00Z", 5),
        ("2011-01-01T05:00:00+02:00", 3),
        ("2011-01-01 05:00", 5),
    ],
)
def test_dates_come_with_or_without_time_and_zone(text: str, hour: int) -> None:
    decoder = compile_decoding(Decoding((InputColumn("d", "date", "date", True),)))
    assert decoder.rows([{"d": text}])[0].tolist() == [[2011, 1, 1, 5, hour, 1, 14975]]


@pytest.mark.parametrize(
    ("column", "value", "must", "found"),
    [
        ("age", "30", "be a number", '"30"'),
        ("age", True, "be a number", "true"),
        ("age", {"a": 1}, "be a number", '{"a": 1}'),
        ("age", None, "be present", "null"),
        ("age", float("nan"), "be present", "NaN"),
        ("paid", 2, "be true or false", "2"),
        ("paid", "yes", "be true or false", '"yes"'),
        ("plan", 5, "be text", "5"),
        ("since", 1_300_000_000, "be a date as ISO 8601 text", "1300000000"),
        ("since", "1/2/2011", "be a date as ISO 8601 text", '"1/2/2011"'),
        ("note", ["a"], "be text", '["a"]'),
    ],
)
def test_a_value_that_does_not_fit_is_named_alone(column: str, value: Any, must: str, found: str) -> None:
    assert refused(ROW, {**ROW, column: value}).details == [{"row": 1, "column": column, "must": must, "found": found}]


def test_all_faults_are_found_and_twenty_are_shown() -> None:
    error = refused(*[{**ROW, "age": "x", "plan": 1}] * 15, "no row")
    assert len(error.details) == 20
    assert "30 more values do not fit" in error.message
    assert refused("x").details == [{"row": 0, "column": None, "must": "be an object of columns", "found": '"x"'}]
    assert refused({}).details == [{"row": 0, "column": "age", "must": "be present", "found": "nothing"}]


def test_a_long_value_is_shortened() -> None:
    assert len(refused({**ROW, "age": "x" * 10_000}).details[0]["found"]) == 60


def test_extreme_numbers_count_as_the_largest_in_rows_and_columns() -> None:
    decoder = compile_decoding(Decoding((InputColumn("n", "number", "number", True),)))
    values = [1e300, -1e300, 10.0**38, float("inf")]
    expected = np.array([[1e30], [-1e30], [1e30], [1e30]], np.float32)
    assert (decoder.rows([{"n": value} for value in [*values[:3], 10**400]])[0] == expected).all()
    assert (decoder.columns({"n": np.array(values)})[0] == expected).all()


def test_unknown_columns_are_counted() -> None:
    decoder = compile_decoding(DECODING)
    assert decoder.unknown([{**ROW, "x": 1}, {**ROW, "x": 2, "id": 3}], frozenset({"id"})) == {"x": 2}


def test_absent_columns_of_a_table_are_missing_unless_required() -> None:
    decoder = compile_decoding(DECODING)
    numbers, texts = decoder.columns({"age": np.array([1, 2])})
    assert np.isnan(numbers[:, 1:]).all()
    assert texts.tolist() == [[MISSING, MISSING, "", "", ""]] * 2
    with pytest.raises(DataError, match="'age'"):
        decoder.columns({"plan": np.array(["a"], object)})


def test_a_column_of_another_type_is_an_error() -> None:
    decoder = compile_decoding(DECODING)
    with pytest.raises(DataError, match="'plan' must be text"):
        decoder.columns({"age": np.array([1]), "plan": np.array([5], object)})
    with pytest.raises(DataError, match="'age' must be a number"):
        decoder.columns({"age": np.array(["x"], object)})


def test_a_form_that_does_not_go_with_a_type_is_an_error() -> None:
    with pytest.raises(ModelError):
        compile_decoding(Decoding((InputColumn("d", "date", "category", False),)))


def test_a_table_gives_what_its_json_rows_give() -> None:
    frame = pd.DataFrame(
        {
            "age": [1, 2**40 + 1, -3],
            "paid": pd.Series([True, None, False], dtype=object),
            "plan": pd.Series(["a", None, "Ä b"], dtype="str"),
            "since": np.array(["2011-12-31T23:59:59.123456", "NaT", "1903-02-28"], "datetime64[us]"),
            "zip": [1.0, np.nan, 2.5],
            "note": pd.Series(["Don't stop", None, ""], dtype="str"),
        }
    )
    decoder = compile_decoding(DECODING)
    rows = json.loads(frame.to_json(orient="records", date_format="iso", date_unit="us"))
    for ours, theirs in zip(decoder.rows(rows), decoder.columns(frame), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_the_schema_of_a_row_names_used_and_unused_columns() -> None:
    contract = Contract(
        "churn",
        "y",
        (
            ContractColumn("age", "number", True),
            ContractColumn("x", "string", False),
            ContractColumn("y", "string", True),
        ),
    )
    schema = json_schema(DECODING, contract, "churn")
    assert schema["properties"]["age"]["type"] == "number"
    assert schema["properties"]["since"]["type"] == ["string", "null"]
    assert schema["required"] == ["age"]
    assert schema["x-unused"] == ["x"]
    assert json.dumps(schema)
