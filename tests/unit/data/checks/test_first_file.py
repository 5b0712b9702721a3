"""What a first file lets us expect."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from penstock.data.checks.first_file import expect, name_words, says_id, signs
from penstock.spec import ProjectSpec

RANDOM = np.random.default_rng(0)


def spec(**settings: object) -> ProjectSpec:
    source = {"kind": "csv_file", "path": "x.csv"}
    return ProjectSpec.model_validate({"name": "p", "source": source, "target": "y", "path": Path(), **settings})


def frame(**columns: object) -> pd.DataFrame:
    return pd.DataFrame({**columns, "y": np.resize(["yes", "no"], len(next(iter(columns.values()))))})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("customerID", ["customer", "id"]),
        ("age_in-years", ["age", "in", "years"]),
        ("HTTPCode2", ["http", "code", "2"]),
    ],
)
def test_names_are_read_as_words(name: str, words: list[str]) -> None:
    assert name_words(name) == words


def test_an_id_says_so_at_its_end() -> None:
    assert all(map(says_id, ("id", "ID", "customer_id", "CustomerId", "row uuid")))
    assert not any(map(says_id, ("paid", "idea", "id_type", "humidity")))


@pytest.mark.parametrize(
    ("name", "numbers", "sign"),
    [
        ("balance", RANDOM.normal(size=100), 0),
        ("longitude", -RANDOM.uniform(80, 90, 100), -1),
        ("amount", RANDOM.uniform(0, 9, 100), 1),
        ("age", np.r_[RANDOM.integers(18, 80, 90), [-4] * 10], 1),
        ("age", np.r_[RANDOM.integers(18, 80, 90), [-999] * 10], 0),
        ("age", np.r_[RANDOM.integers(18, 80, 50), -RANDOM.integers(18, 80, 50)], 0),
        ("age", np.r_[RANDOM.integers(18, 80, 60), -RANDOM.integers(18, 80, 40)], 1),
        ("age", np.r_[RANDOM.integers(18, 80, 60), [-40] * 40], 1),
        ("age", np.r_[RANDOM.integers(18, 80, 60), [-1] * 20, [-8] * 10, [-99] * 10], 0),  # as surveys say "unknown"
        ("age", np.r_[RANDOM.integers(1, 40, 60), -RANDOM.integers(1, 40, 40)], 0),  # in years from the mean
        ("age", RANDOM.normal(0.3, 1.0, 100), 0),  # standardised
        ("fee", np.r_[RANDOM.integers(100, 300, 60), -RANDOM.integers(100, 300, 40)], 0),  # refunds
        ("score", np.r_[RANDOM.integers(300, 800, 90), -RANDOM.integers(300, 800, 10)], 1),
        ("score", np.r_[RANDOM.integers(300, 800, 90), [-1] * 10], 0),
        ("few", np.arange(10), None),
    ],
)
def test_a_sign_holds_that_always_held_or_was_meant_to(name: str, numbers: np.ndarray, sign: int | None) -> None:
    found = signs(frame(**{name: numbers}), spec(), first=True)
    assert found.get(name) == (sign or None)


def test_a_column_that_a_person_spoke_about_is_not_second_guessed() -> None:
    table = frame(age=np.r_[RANDOM.integers(18, 80, 90), -np.arange(1, 11)], user_id=[*range(90), *range(10)])
    assert expect(table, spec()).keys == ("user_id",)
    told = spec(columns={"kinds": {"age": "number", "user_id": "category"}})
    assert signs(table, told, first=True) == {"user_id": 1}
    assert expect(table, told).keys == ()


def test_an_id_that_repeats_by_design_is_no_key() -> None:
    table = frame(user_id=np.repeat(np.arange(50), 4))
    assert expect(table, spec(id="user_id")).keys == ()


@pytest.mark.parametrize("share", [0.1, 0.4])
def test_an_id_that_is_one_value_in_many_rows_and_its_own_in_all_others_is_a_key(share: float) -> None:
    ids = np.where(np.arange(100) < 100 * share, "C7", [f"C{row}" for row in range(100)])
    assert expect(frame(customer=ids), spec(id="customer")).keys == ("customer",)
    assert expect(frame(customer_id=ids), spec()).keys == ("customer_id",)


def test_a_column_of_names_with_one_for_none_is_no_key() -> None:
    coupons = np.where(np.arange(100) < 40, "none", [f"K{row}" for row in range(100)])
    assert expect(frame(age=np.arange(100) % 50, coupon_id=coupons), spec()).keys == ()


def test_an_id_of_guests_and_of_customers_who_come_again_is_no_key() -> None:
    ids = np.where(np.arange(300) < 120, 0, np.arange(300) // 2)
    assert expect(frame(user_id=ids), spec(id="user_id")).keys == ()


@pytest.mark.parametrize(
    ("values", "problem", "known", "kind"),
    [
        (["yes", "no", "no", "no", "maybe"], "binary", ("no", "yes"), "string"),
        (["yes", "no", "no", "no", "maybe"], "multiclass", ("no", "yes"), "string"),
        (["a", "b", "b", "b", "c"], "multiclass", ("a", "b", "c"), "string"),
        (["a", "b", "b", "b", "a"], "binary", ("a", "b"), "string"),
        (["1", "0", "0", "0", "x"], "binary", ("0", "1"), "number"),
        (["True", "False", "False", "False", "x"], "binary", ("False", "True"), "boolean"),
        ([0, 1, 1, 2, 2], "multiclass", ("0", "1", "2"), "number"),
        ([0.5, 1, 1, 2, 2], "regression", (), "number"),
    ],
)
def test_the_targets_values_are_those_that_are_meant(
    values: list[object], problem: str, known: tuple[str, ...], kind: str
) -> None:
    column = pd.Series(values * 20, dtype="str" if isinstance(values[0], str) else None)
    found = expect(pd.DataFrame({"y": column}), spec(problem=problem))
    assert (found.target_values, found.target_type) == (known, kind)
