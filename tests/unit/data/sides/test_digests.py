"""Rows named by their content."""

import numpy as np
import pandas as pd

from penstock.data.sides.digests import name_digest, places, row_digests


def test_digests_are_the_same_on_every_machine() -> None:
    frame = pd.DataFrame(
        {
            "n": [1, 2],
            "s": pd.Series(["a", None], dtype="str"),
            "b": [True, False],
            "d": np.array(["2026-01-01", "NaT"], "datetime64[us]"),
        }
    )
    assert row_digests(frame, ["n", "s", "b", "d"]).tolist() == [557238727010478752, 13223419649557143039]


def test_columns_orders_and_number_types_do_not_matter_but_values_and_names_do() -> None:
    frame = pd.DataFrame({"a": [1, 2, 3], "b": ["x", "y", "z"]})
    first = row_digests(frame, ["a", "b"])
    assert np.array_equal(first, row_digests(frame.astype({"a": "float64"}), ["b", "a"]))
    assert not np.any(first == row_digests(frame.rename(columns={"a": "c"}), ["c", "b"]))
    assert len(set(first.tolist()) | set(row_digests(frame.assign(a=[4, 5, 6]), ["a", "b"]).tolist())) == 6


def test_large_whole_numbers_are_told_apart() -> None:
    frame = pd.DataFrame({"a": [2**60, 2**60 + 1]})
    assert len(np.unique(row_digests(frame, ["a"]))) == 2


def test_a_gap_changes_no_digest_of_other_values() -> None:
    numbers = pd.DataFrame({"a": [7, 2**60, 2**60 + 1, 5]})
    gap = numbers.astype("Int64")
    gap.loc[3, "a"] = pd.NA
    one, other = row_digests(numbers, ["a"]), row_digests(gap, ["a"])
    assert np.array_equal(one[:3], other[:3])
    assert other[3] == row_digests(pd.DataFrame({"a": [np.nan]}), ["a"])[0]


def test_places_are_even_and_depend_on_the_key() -> None:
    digests = row_digests(pd.DataFrame({"a": range(20_000)}), ["a"])
    one, other = places(digests, "one"), places(digests, "other")
    assert abs(float((one < 0.2).mean()) - 0.2) < 0.01
    assert abs(float(np.corrcoef(one, other)[0, 1])) < 0.03


def test_a_name_has_one_digest() -> None:
    assert name_digest("age") == name_digest("age") != name_digest("Age")
