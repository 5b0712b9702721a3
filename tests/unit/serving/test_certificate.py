"""How a graph is held against the Python model."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from penstock.domain.features import InputColumn
from penstock.serving.certificate import certify, make_hard_rows

COLUMNS = (
    InputColumn("n", "number", "number", required=True),
    InputColumn("b", "boolean", "boolean", required=False),
    InputColumn("s", "string", "category", required=False),
    InputColumn("d", "date", "date", required=False),
)
FRAME = pd.DataFrame(
    {
        "n": np.array([1, 2], np.int64),
        "b": [True, False],
        "s": pd.Series(["a", "b"], dtype="str"),
        "d": pd.to_datetime(["2026-01-01", "2026-01-02"]).astype("datetime64[us]"),
    }
)


def choose(probabilities: NDArray[Any]) -> NDArray[Any]:
    return np.asarray(probabilities.argmax(axis=1))


def names(rows: int) -> list[str]:
    return [f"row {row}" for row in range(rows)]


def test_hard_rows_are_missing_unseen_and_extreme_in_one_column_after_the_other() -> None:
    hard = make_hard_rows(FRAME, COLUMNS)
    assert len(hard.frame) == len(hard.names)
    assert hard.names[-1] == "every column missing"
    assert hard.frame.iloc[-1].isna().all()
    assert {str(kind) for kind in hard.frame.dtypes} == {"float64", "object", "str", "datetime64[us]"}
    assert (hard.frame["n"] == 1e30).sum() == 1
    assert (hard.frame["s"] == "a level that no row had").sum() == 1
    assert FRAME["n"].dtype == np.int64


def test_the_same_answers_hold() -> None:
    answers = np.array([[0.2, 0.8], [0.6, 0.4]])
    made = certify(answers, answers.astype(np.float32), choose, names(2))
    assert made.held
    assert (made.rows, made.label_flips, made.allowed_flips) == (2, 0, 0)
    assert made.largest_difference < 1e-6


def test_a_probability_that_is_too_far_off_does_not_hold_and_is_named() -> None:
    python = np.tile([0.2, 0.8], (100, 1))
    graph = python.copy()
    graph[42] = [0.202, 0.798]
    made = certify(python, graph, choose, names(100))
    assert not made.held
    assert made.largest_difference == pytest.approx(0.002)
    assert made.worst[0].startswith("row 42: ")


@pytest.mark.parametrize(("rows", "held"), [(9_999, False), (10_000, True)])
def test_one_label_in_ten_thousand_may_differ(rows: int, held: bool) -> None:
    python = np.tile([0.2, 0.8], (rows, 1))
    graph = python.copy()
    python[7], graph[7] = [0.5001, 0.4999], [0.4999, 0.5001]
    made = certify(python, graph, choose, names(rows))
    assert (made.label_flips, made.held) == (1, held)
    assert made.worst[0] == "row 7: 0.5001 in Python, 0.4999 by the graph, another label"


@pytest.mark.parametrize(
    ("value", "apart", "held"), [(1.0, 0.9e-4, True), (1.0, 1.1e-4, False), (1e6, 9.0, True), (1e6, 11.0, False)]
)
def test_a_value_may_differ_by_its_size(value: float, apart: float, held: bool) -> None:
    python = np.array([[1.0], [value]])
    made = certify(python, python + np.array([[0.0], [apart]]), None, names(2))
    assert made.held is held
    assert made.largest_difference == pytest.approx(apart)


def test_what_neither_can_say_is_no_difference_and_what_one_can_is() -> None:
    nothing, infinite = np.array([[np.nan], [1.0]]), np.array([[np.inf], [1.0]])
    assert certify(nothing, nothing, None, names(2)).held
    assert certify(infinite, infinite, None, names(2)).held
    assert not certify(nothing, np.array([[1.0], [1.0]]), None, names(2)).held
