"""A row that came as JSON and the same row in a table must give the same arrays."""

import json
import math
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.data.decoding import compile_decoding
from penstock.data.types.words import TEXT_PARTS
from penstock.domain.features import Decoding, InputColumn

DECODING = Decoding(
    (
        InputColumn("whole", "number", "number", True),
        InputColumn("real", "number", "number", False),
        InputColumn("code", "number", "category", False),
        InputColumn("flag", "boolean", "boolean", False),
        InputColumn("kind", "boolean", "category", False),
        InputColumn("level", "string", "category", False),
        InputColumn("text", "string", "text", False, 4, TEXT_PARTS),
        InputColumn("when", "date", "date", False, parts=("minutes",)),
    )
)
DECODER = compile_decoding(DECODING)

reals = st.floats(allow_nan=True, allow_infinity=False)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
row = st.fixed_dictionaries(
    {
        "whole": st.integers(-(2**63), 2**63 - 1),
        "real": st.none() | reals,
        "code": st.none() | reals,
        "flag": st.none() | st.booleans(),
        "kind": st.none() | st.booleans(),
        "level": st.none() | texts,
        "text": st.none() | texts,
        "when": st.none() | st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31)),  # noqa: DTZ001  UTC, without a zone
    }
)


def as_table(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Return rows in canonical types."""
    values = {name: [row[name] for row in rows] for name in rows[0]}
    return pd.DataFrame(
        {
            "whole": pd.Series(values["whole"], dtype="int64"),
            "real": pd.Series(values["real"], dtype="float64"),
            "code": pd.Series(values["code"], dtype="float64"),
            "flag": pd.Series(values["flag"], dtype=object),
            "kind": pd.Series(values["kind"], dtype=object),
            "level": pd.Series(values["level"], dtype="str"),
            "text": pd.Series(values["text"], dtype="str"),
            "when": pd.Series(np.array(values["when"], dtype="datetime64[us]")),
        }
    )


def as_json(rows: list[dict[str, Any]]) -> Any:
    """Return rows as a client reads them out of JSON: NaN is null, dates are text."""
    plain = [
        {
            name: None
            if isinstance(value, float) and math.isnan(value)
            else value.isoformat()
            if isinstance(value, datetime)
            else value
            for name, value in row.items()
        }
        for row in rows
    ]
    return json.loads(json.dumps(plain))


@given(st.lists(row, min_size=1, max_size=5))
@settings(max_examples=300, deadline=None)
def test_rows_and_tables_give_the_same_arrays(rows: list[dict[str, Any]]) -> None:
    for ours, theirs in zip(DECODER.rows(as_json(rows)), DECODER.columns(as_table(rows)), strict=True):
        assert ours.dtype == theirs.dtype
        np.testing.assert_array_equal(ours, theirs)


@given(st.lists(row, min_size=1, max_size=5))
@settings(max_examples=50, deadline=None)
def test_pandas_own_json_gives_the_same_arrays_but_for_rounding(rows: list[dict[str, Any]]) -> None:
    table = as_table([{**row, "whole": row["whole"] % 2**53, "code": None} for row in rows])
    given_rows = json.loads(table.to_json(orient="records", date_format="iso", date_unit="us", double_precision=15))
    numbers, texts = DECODER.rows(given_rows)
    wanted_numbers, wanted_texts = DECODER.columns(table)
    np.testing.assert_allclose(numbers, wanted_numbers, rtol=1e-6, atol=1e-14)
    np.testing.assert_array_equal(texts, wanted_texts)
