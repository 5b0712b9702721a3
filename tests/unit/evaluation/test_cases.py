"""Must-pass cases: what their file may say, and which label they are held against."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from penstock.domain.features import Decoding, InputColumn
from penstock.domain.models import Signature, class_name
from penstock.errors import SpecError
from penstock.evaluation.cases import codes_of_answers, failing_cases, read_cases
from penstock.serving.session import LoadedBundle

DECODING = Decoding(
    (
        InputColumn("age", "number", "number", True),
        InputColumn("active", "boolean", "boolean", False),
        InputColumn("since", "date", "date", False),
        InputColumn("plan", "string", "category", False),
    )
)
COSTS = ((0.0, 1.0, 1.0), (1.0, 0.0, 1.0), (20.0, 20.0, 0.0))  # to miss the last class is dear


def refused(folder: Path, text: str, problem: Any = "binary") -> SpecError:
    (folder / "cases.csv").write_bytes(text.encode())
    with pytest.raises(SpecError) as caught:
        read_cases(folder / "cases.csv", DECODING, problem)
    return caught.value


def test_every_value_that_cannot_be_read_is_named_with_its_line_and_column(tmp_path: Path) -> None:
    text = 'case,age,active,since,expected,at_least\n"two\nlines",1,yes,2026-01-05,no,\n\n'
    text += "b,forty,maybe,lately,yes,0.9\nc,2,,,yes,much\n"
    error = refused(tmp_path, text)
    assert error.details == [
        {"line": 5, "column": "age", "must": "be a number", "found": "forty"},
        {"line": 5, "column": "active", "must": "be true or false", "found": "maybe"},
        {"line": 5, "column": "since", "must": "be a date", "found": "lately"},
        {"line": 6, "column": "at_least", "must": "be a number", "found": "much"},
    ]
    assert "  line 5: `age` must be a number, but is 'forty'.\n" in error.message


def test_what_is_expected_of_a_value_is_a_number(tmp_path: Path) -> None:
    assert (
        "line 2: `expected` must be a number, but is 'high'"
        in refused(tmp_path, "age,expected\n1,high\n", "regression").message
    )
    (tmp_path / "cases.csv").write_text("age,expected\n1,high\n")
    rows, expected = read_cases(tmp_path / "cases.csv", DECODING, "binary")
    assert (rows["age"].tolist(), expected["expected"].tolist()) == ([1], ["high"])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("age,expected\n1,yes,no\n", "Line 2 of 'cases.csv' must have at most 2 values, but has 3"),
        ("age,age,expected\n1,2,yes\n", "must have different names, but repeat ['age']"),
        ("", "lacks ['age']"),
        ("age,expected\n", "there is no row"),
    ],
)
def test_a_file_that_is_no_table_of_cases_says_so(text: str, said: str, tmp_path: Path) -> None:
    assert said in refused(tmp_path, text).message


def test_a_file_that_is_no_text_says_so(tmp_path: Path) -> None:
    (tmp_path / "cases.csv").write_bytes(b"age,expected\n\xff,yes\n")
    with pytest.raises(SpecError, match="must be CSV in UTF-8"):
        read_cases(tmp_path / "cases.csv", DECODING, "binary")


def make_signature(**said: Any) -> Signature:
    classes = ("no", "yes") if said.pop("binary", False) else ("low", "mid", "high")
    return Signature("churn", "binary" if len(classes) == 2 else "multiclass", "target", DECODING, classes, **said)


@pytest.mark.parametrize(
    "signature",
    [
        make_signature(),
        make_signature(costs=COSTS),
        make_signature(binary=True, positive=1, threshold=0.2),
        make_signature(binary=True, positive=0, threshold=0.7),
    ],
    ids=["most probable", "cheapest", "threshold", "threshold of the first"],
)
def test_a_case_is_held_against_the_label_that_the_service_answers(signature: Signature) -> None:
    scores = np.random.default_rng(0).dirichlet(np.ones(len(signature.classes)), 200)
    served: Any = SimpleNamespace(signature=signature)
    assert codes_of_answers(scores, signature).tolist() == LoadedBundle.chosen(served, scores).tolist()


TRUTH = Signature("churn", "binary", "target", DECODING, (False, True), positive=1, threshold=0.5)
NUMBERS = Signature("churn", "multiclass", "target", DECODING, (1.0, 2.5))


def expectation(expected: Any, at_least: str) -> pd.DataFrame:
    said = {"case": None, "expected": expected, "at_least": at_least, "at_most": None}
    return pd.DataFrame([said], dtype=object)


@pytest.mark.parametrize(
    ("signature", "spellings"),
    [
        (TRUTH, [("false", "true"), ("False", "True"), ("FALSE", "TRUE"), ("no", "yes"), (False, True)]),
        (NUMBERS, [("1", "2.5"), ("1.0", "2.5")]),
    ],
    ids=["booleans", "numbers"],
)
def test_a_label_is_expected_as_the_service_answers_it(signature: Signature, spellings: list[tuple[Any, Any]]) -> None:
    rows, scores = pd.DataFrame({"age": [1.0]}), np.array([[0.2, 0.8]])
    for other, right in spellings:
        assert failing_cases(rows, expectation(right, at_least="0.7"), lambda _: scores, signature) == []
        names = [class_name(value) for value in signature.classes]
        assert failing_cases(rows, expectation(other, at_least="0.3"), lambda _: scores, signature) == [
            f"row 1: must be {class_name(other)!r}, but is {names[1]!r}.",
            "row 1: must be at least 0.3, but is 0.2.",
        ]


def test_a_boolean_target_is_read_from_a_file_of_cases(tmp_path: Path) -> None:
    (tmp_path / "cases.csv").write_text("age,expected\n1,true\n2,false\n")
    rows, expected = read_cases(tmp_path / "cases.csv", DECODING, "binary")
    scores = np.array([[0.2, 0.8], [0.9, 0.1]])
    assert failing_cases(rows, expected, lambda _: scores, TRUTH) == []


def test_costs_decide_the_label_of_a_case() -> None:
    expected = pd.DataFrame(
        {"case": ["dear", "sure"], "expected": ["high", None], "at_least": [None, "0.1"], "at_most": [None, "0.2"]}
    )
    scores = np.array([[0.6, 0.3, 0.1], [0.6, 0.25, 0.15]])
    rows = pd.DataFrame({"age": [1.0, 2.0]})
    assert failing_cases(rows, expected, lambda _: scores, make_signature(costs=COSTS)) == []
    assert failing_cases(rows, expected, lambda _: scores, make_signature()) == [
        "dear: must be 'high', but is 'low'.",
        "sure: must be at most 0.2, but is 0.6.",
    ]
