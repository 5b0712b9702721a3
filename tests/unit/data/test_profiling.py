"""What columns look like."""

import numpy as np
import pandas as pd

from penstock.data.profiling import as_text, profile_column, profile_table


def test_a_number_has_range_levels_and_histogram() -> None:
    found = profile_column(pd.Series([1.0, 2.0, np.nan, 2.0], name="n"))
    assert (found.type, found.rows, found.missing, found.distinct, found.whole) == ("number", 4, 1, 2, True)
    assert (found.lowest, found.highest, found.levels) == (1.0, 2.0, (("2", 2), ("1", 1)))
    assert sum(count for _, count in found.histogram) == 3


def test_large_whole_numbers_with_a_gap_keep_their_digits() -> None:
    found = profile_column(pd.Series([2**60, 2**60 + 1, None], dtype="Int64"))
    assert (found.missing, found.distinct, found.whole) == (1, 2, True)
    assert found.examples == ("1152921504606846976", "1152921504606846977")


def test_one_outlier_does_not_flatten_the_histogram() -> None:
    found = profile_column(pd.Series([*np.linspace(0, 1, 1000), 1e9]))
    assert sum(count > 0 for _, count in found.histogram) == 20


def test_a_string_has_levels_and_length() -> None:
    found = profile_column(pd.Series(["aa", "aa", None, "bbbb"], dtype="str", name="s"))
    assert (found.type, found.missing, found.distinct) == ("string", 1, 2)
    assert found.levels == (("aa", 2), ("bbbb", 1))
    assert found.mean_length == (2 + 2 + 4) / 3


def test_a_boolean_with_gaps_and_a_date_are_described() -> None:
    boolean = profile_column(pd.Series([True, None, False, True], dtype=object, name="b"))
    assert (boolean.type, boolean.missing, boolean.levels[0]) == ("boolean", 1, ("true", 2))
    date = profile_column(pd.Series(np.array(["2026-01-02", "NaT", "2026-01-01"], "datetime64[us]"), name="d"))
    assert (date.type, date.lowest, date.highest) == ("date", "2026-01-01T00:00:00", "2026-01-02T00:00:00")


def test_columns_without_values_have_no_figures() -> None:
    frame = pd.DataFrame({"n": [np.nan], "s": pd.Series([None], dtype="str"), "b": [None], "d": [pd.NaT]})
    for found in profile_table(frame):
        assert (found.missing, found.distinct, found.lowest, found.histogram) == (1, 0, None, ())


def test_values_read_as_people_write_them() -> None:
    assert [as_text(value) for value in (np.True_, 3.0, 2.5, np.int64(4), pd.Timestamp("2026-01-01"))] == [
        "true",
        "3",
        "2.5",
        "4",
        "2026-01-01T00:00:00",
    ]


def test_the_largest_numbers_there_are_have_a_profile() -> None:
    largest = np.finfo(np.float64).max
    found = profile_column(pd.Series([*[-largest] * 20, *np.linspace(0, 1, 100), *[largest] * 20]))
    assert (found.lowest, found.highest) == (-largest, largest)
    assert found.mean is not None
    assert found.deviation is not None
    assert np.isfinite([found.mean, found.deviation]).all()
    assert sum(count for _, count in found.histogram) == 140
