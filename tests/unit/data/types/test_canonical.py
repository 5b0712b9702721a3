"""Raw columns in canonical types."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from penstock.data.sources._base import RawTable
from penstock.data.types.canonical import Canonical, Wishes, canonical_type, to_canonical
from penstock.errors import DataError

NO_WISHES = Wishes()


def _texts(values: Sequence[str | None], wishes: Wishes = NO_WISHES) -> Canonical:
    return to_canonical(RawTable(pd.DataFrame({"x": pd.Series(list(values), dtype="str")}), typed=False), wishes)


def _typed(values: object) -> pd.Series:
    return to_canonical(RawTable(pd.DataFrame({"x": values}), typed=True)).frame["x"]


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        (["1", "2", "-3", "+4"], "int64"),
        (["1", None, "2"], "float64"),
        (["1.5", "2", ".5", "1e3"], "float64"),
        (["1", "NA", "?"], "float64"),
        (["true", "FALSE"], "bool"),
        (["true", None], "object"),
        (["yes", "no"], "str"),
        (["0422", "1811"], "str"),
        (["12345678901234567890123", "1"], "str"),
        (["9007199254740993", None], "Int64"),
        (["2015", "2016"], "int64"),
        (["20150101", "20160101"], "int64"),
        (["2015-01-01", None, "2016-12-31"], "datetime64[us]"),
        (["2015-01-01T10:00:00Z", "2015-01-01T12:00:00+02:00"], "datetime64[us]"),
        (["02/08/2015 11:43:40 PM", "02/15/2015 12:43:39 AM"], "datetime64[us]"),
        (["31.12.2015", "01.01.2016"], "datetime64[us]"),
        (["3 Jan 2015", "14 Feb 2016"], "datetime64[us]"),
        (["10:30", "11:45"], "str"),
        (["a", "None"], "str"),
        ([None, None], "float64"),
    ],
)
def test_texts_get_the_type_that_all_of_them_have(values: list[str | None], dtype: str) -> None:
    assert _texts(values).frame["x"].dtype == dtype


def test_zones_and_halves_of_the_day_are_read() -> None:
    zones = _texts(["2015-01-01T10:00:00Z", "2015-01-01T12:00:00+02:00"]).frame["x"]
    assert zones.nunique() == 1
    halves = _texts(["02/08/2015 11:43:40 PM", "02/15/2015 12:43:39 AM"]).frame["x"]
    assert halves.dt.hour.tolist() == [23, 0]


def test_a_decimal_comma_is_read_and_noted() -> None:
    found = _texts(["12,5", "3,25", "7"])
    assert found.frame["x"].tolist() == [12.5, 3.25, 7.0]
    assert [finding.check for finding in found.findings] == ["decimal_comma"]


def test_decimal_commas_are_read_though_a_cell_is_broken() -> None:
    texts = [f"{place / 3:.2f}".replace(".", ",") for place in range(95)] + ["7", "2.5", "1.234", "abc", None]
    for wishes in (NO_WISHES, Wishes(kinds={"x": "number"})):
        found = _texts(texts, wishes)
        assert found.frame["x"].iloc[[1, 95, 96]].tolist() == [0.33, 7.0, 2.5]
        assert found.unreadable["text"].tolist() == ["1.234", "abc"]
        assert [finding.check for finding in found.findings] == ["unreadable", "decimal_comma"]


def test_few_different_decimal_commas_are_numbers_too() -> None:
    found = _texts([f"{place % 9},5" for place in range(60)] + ["broken"])
    assert found.frame["x"].dtype == "float64"
    assert found.unreadable["text"].tolist() == ["broken"]


@pytest.mark.parametrize(
    "texts",
    [
        ["1,3", "2", "1,2,3", "2,4,5", "1,2"] * 20,
        [f"{place},500" for place in range(1, 90)] + ["abc"],
        [f"{place}.5" for place in range(60)] + ["1,5"] * 40 + ["x1"] * 70,
    ],
)
def test_texts_with_commas_that_are_no_decimals_stay_texts(texts: list[str]) -> None:
    assert _texts(texts).frame["x"].dtype == "str"


def test_broken_numbers_are_named_with_their_rows() -> None:
    found = _texts([f"{place / 3:.2f}" for place in range(95)] + ["abc"] * 5)
    assert found.frame["x"].dtype == "float64"
    assert found.unreadable["row"].tolist() == [95, 96, 97, 98, 99]
    assert found.findings[0].level == "critical"
    assert "'abc'" in found.findings[0].message


@pytest.mark.parametrize(
    ("values", "quoted", "masked"),
    [
        (["abc"] * 5, "'abc'", "must hold a number in every row, but 5 of 100 values are others."),
        (["NA"] * 5, "'NA' (5)", "holds texts in 5 rows that count as missing."),
    ],
)
def test_what_quotes_values_is_also_said_without_them(values: list[str], quoted: str, masked: str) -> None:
    finding = _texts([f"{place / 3:.2f}" for place in range(95)] + values).findings[0]
    assert quoted in finding.message
    assert finding.masked == f"Column 'x' {masked}"


def test_codes_and_sizes_that_hold_numbers_stay_text() -> None:
    assert _texts([f"{place}a" if place % 9 == 0 else str(place) for place in range(200)]).frame["x"].dtype == "str"
    assert _texts((["38", "40", "42"] * 30) + ["L", "M"]).frame["x"].dtype == "str"


def test_a_settled_contract_leaves_broken_columns_for_it_to_judge() -> None:
    found = _texts([f"{place / 3:.2f}" for place in range(95)] + ["abc"] * 5, Wishes(settled=True))
    assert found.frame["x"].dtype == "str"
    assert found.unreadable.empty


def test_a_person_s_word_decides_a_type() -> None:
    assert _texts(["1", "2"], Wishes(kinds={"x": "text"})).frame["x"].dtype == "str"
    assert _texts(["0422", "12"], Wishes(kinds={"x": "number"})).frame["x"].tolist() == [422, 12]
    assert _texts([None, None], Wishes(types={"x": "date"})).frame["x"].dtype == "datetime64[us]"


def test_mixed_date_formats_stay_text_and_are_told() -> None:
    found = _texts(["2015-01-01", "2015-02-03"] * 5 + ["13/02/2015", "14/02/2015"] * 5)
    assert found.frame["x"].dtype == "str"
    assert [finding.check for finding in found.findings] == ["mixed_formats"]


def test_a_day_that_could_be_a_month_is_told() -> None:
    assert [finding.check for finding in _texts(["01/02/2015", "03/04/2015"]).findings] == ["ambiguous_dates"]


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        (pd.array([1, None], dtype="Int64"), "float64"),
        (pd.array([2**53 + 1, None], dtype="Int64"), "Int64"),
        (pd.Series([-(2**53) - 1, None], dtype=object), "Int64"),
        (pd.Categorical([2**53 + 1, None]), "Int64"),
        (pd.array([1, 2], dtype="Int32"), "int64"),
        (np.array([1, 2], dtype="uint8"), "int64"),
        (np.array([1.5, 2], dtype="float32"), "float64"),
        (pd.array([True, None], dtype="boolean"), "object"),
        (pd.Categorical(["a", "b"]), "str"),
        (pd.Categorical([1, None]), "float64"),
        ([Decimal("1.5"), None], "float64"),
        ([date(2026, 1, 1), None], "datetime64[us]"),
        (pd.to_datetime(["2026-01-01T12:00:00+02:00"]), "datetime64[us]"),
        ([datetime(2026, 1, 1, tzinfo=UTC)], "datetime64[us]"),
        (pd.to_timedelta(["1h"]), "float64"),
        ([b"abc", None], "str"),
        (["2026-01-01", "2026-01-02"], "datetime64[us]"),
        (["1", "2"], "str"),
    ],
)
def test_typed_values_keep_their_meaning(values: object, dtype: str) -> None:
    assert _typed(values).dtype == dtype


@pytest.mark.parametrize(
    ("values", "read"),
    [
        ([10**20, 2 * 10**20, None], [1e20, 2e20, None]),
        ([10**20, -(10**20)], [1e20, -1e20]),
        ([2**63, pd.NA, 1], [float(2**63), None, 1.0]),
        (pd.Series([10**400, -(10**400), 7], dtype=object), [None, None, 7.0]),
        (pd.Series([10**400, 1.5], dtype=object), [None, 1.5]),
        (pd.Categorical([10**20, None]), [1e20, None]),
    ],
)
def test_whole_numbers_that_are_too_large_are_floats_or_missing(values: object, read: list[float | None]) -> None:
    found = _typed(values)
    assert found.dtype == "float64"
    assert [None if np.isnan(value) else value for value in found] == read


@pytest.mark.parametrize("typed", [True, False])
def test_a_gap_takes_no_digit_from_large_whole_numbers(*, typed: bool) -> None:
    large = [2**53 + 1, -(2**60) - 1, 2**63 - 1]
    values = pd.Series([*large, None], dtype="Int64")
    raw = pd.DataFrame({"x": values if typed else values.astype("str")})
    assert to_canonical(RawTable(raw, typed=typed)).frame["x"].fillna(0).tolist() == [*large, 0]


def test_times_with_a_zone_are_in_utc() -> None:
    assert str(_typed(pd.to_datetime(["2026-01-01T12:00:00+02:00"]))[0]) == "2026-01-01 10:00:00"


def test_infinite_values_are_missing_and_told() -> None:
    found = to_canonical(RawTable(pd.DataFrame({"x": [1.0, np.inf]}), typed=True))
    assert found.frame["x"].isna().tolist() == [False, True]
    assert found.findings[0].rows == 1


def test_columns_that_no_model_takes_are_refused_together_unless_dropped() -> None:
    raw = RawTable(pd.DataFrame({"a": [[1], [2]], "b": [b"\xff\x00", b"\x89"], "c": [1, 2]}), typed=True)
    with pytest.raises(DataError, match=r"'a' \(lists or tables\), 'b' \(bytes\).*columns.drop"):
        to_canonical(raw)
    assert list(to_canonical(raw, Wishes(drop=("a", "b"))).frame) == ["c"]


def test_canonical_types_are_told_apart() -> None:
    frame = pd.DataFrame({"n": [1.0], "b": [True], "s": ["x"], "d": [pd.Timestamp("2026-01-01")]})
    assert [canonical_type(frame[name]) for name in frame] == ["number", "boolean", "string", "date"]
