"""Each column gets a treatment, and a reason that a person understands."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from penstock.data.profiling import profile_table
from penstock.domain.datasets import ColumnProfile, ColumnType, Finding
from penstock.domain.features import ColumnPlan
from penstock.errors import DataError, SpecError
from penstock.features.planning import PlanFacts, plan_features

ROWS = 400
TYPES: dict[str, ColumnType] = {"i": "number", "f": "number", "b": "boolean", "M": "date"}


def profile(values: pd.Series) -> ColumnProfile:
    kind = TYPES.get(values.dtype.kind, "string")
    whole = kind == "number" and bool((values.dropna() % 1 == 0).all())
    return ColumnProfile(
        str(values.name), kind, len(values), int(values.isna().sum()), int(values.nunique()), whole=whole
    )


def plan(columns: dict[str, Any], **facts: Any) -> dict[str, ColumnPlan]:
    frame = pd.DataFrame({**columns, "target": np.arange(ROWS) % 2, "other": np.arange(ROWS) % 7})
    profiles = tuple(profile(frame[name]) for name in frame)
    plans = plan_features(frame, profiles, PlanFacts("target", "binary", **facts))
    return {each.name: each for each in plans}


def random() -> np.random.Generator:
    return np.random.default_rng(0)


def strings(values: Any) -> pd.Series:
    return pd.Series(np.array(values, object), dtype="str")


def test_every_column_but_the_target_has_a_plan_and_a_sentence() -> None:
    plans = plan({"a": random().normal(size=ROWS), "flag": random().random(ROWS) > 0.5})
    assert list(plans) == ["a", "flag", "other"]
    assert [each.treatment for each in plans.values()] == ["number", "boolean", "number"]
    assert all(each.reason.endswith(".") for each in plans.values())


@pytest.mark.parametrize(
    ("values", "treatment", "word"),
    [
        (["red", "blue"] * 200, "category", "2 different values"),
        ([f"city {place % 90}" for place in range(ROWS)], "high_cardinality", "too many"),
        ([f"the parcel {place} came late again" for place in range(ROWS)], "text", "it is text"),
        ([f"C-{place:06d}" for place in range(ROWS)], "dropped", "names a row"),
        (["same"] * ROWS, "dropped", "same value"),
        ([None] * ROWS, "dropped", "no value"),
        (["seen", *[None] * 399], "category", "one value"),
    ],
)
def test_strings_are_told_apart(values: list[str | None], treatment: str, word: str) -> None:
    found = plan({"s": strings(values)})["s"]
    assert found.treatment == treatment
    assert word in found.reason


def test_a_running_number_is_left_out_and_a_measured_one_is_not() -> None:
    plans = plan({"instant": np.arange(ROWS) + 1, "meters": random().permutation(ROWS * 100)[:ROWS]})
    assert "running number" in plans["instant"].reason
    assert plans["meters"].treatment == "number"


def test_a_unique_whole_number_whose_name_says_id_is_left_out() -> None:
    values = random().permutation(ROWS * 100)[:ROWS]
    assert plan({"customerID": values})["customerID"].treatment == "dropped"
    assert plan({"customerID": values}, allowed=("customerID",))["customerID"].treatment == "number"


def test_a_number_that_grows_with_time_is_left_out() -> None:
    days = pd.Series(np.datetime64("2024-01-01", "us") + np.arange(ROWS).astype("m8[D]"))
    values = np.cumsum(random().integers(1, 50, ROWS))
    assert "grows from row to row" in plan({"when": days, "meter": values}, time="when")["meter"].reason


def test_a_leak_is_left_out_with_its_evidence_unless_it_is_allowed() -> None:
    leak = Finding("leak_alone", "warning", ("a",), "Column 'a' alone predicts 'target' with AUC 0.999.")
    note = Finding("leak_alone", "note", ("other",), "Only told.")
    columns = {"a": random().normal(size=ROWS)}
    found = plan(columns, leaks=(leak, note))
    assert "AUC 0.999" in found["a"].reason
    assert found["other"].treatment == "number"
    assert plan(columns, leaks=(leak,), allowed=("a",))["a"].treatment == "number"


@pytest.mark.parametrize("fact", ["dropped", "forbidden", "unlisted", "group"])
def test_what_a_person_or_the_contract_rules_out_is_left_out(fact: str) -> None:
    assert plan({"a": random().normal(size=ROWS)}, **{fact: ("a",)})["a"].treatment == "dropped"


def test_the_id_is_never_a_feature_even_if_allowed() -> None:
    assert plan({"a": random().normal(size=ROWS)}, id="a", allowed=("a",))["a"].treatment == "dropped"


def test_a_column_that_was_never_missing_is_required() -> None:
    values = random().normal(size=ROWS)
    holes = values.copy()
    holes[3] = np.nan
    plans = plan({"a": values, "b": holes})
    assert plans["a"].required
    assert not plans["b"].required
    assert "Missing in 0.2%" in plans["b"].reason


def test_a_persons_kind_wins_over_the_guess() -> None:
    zips = 10_000 + np.arange(ROWS) % 30
    found = plan({"zip": zips}, kinds={"zip": "category"})["zip"]
    assert found.treatment == "category"
    assert found.levels[0] == "10000"


def test_a_kind_that_the_values_cannot_be_is_the_project_files_error() -> None:
    with pytest.raises(SpecError, match="is a date, but its values are of type number"):
        plan({"zip": np.arange(ROWS) % 30}, kinds={"zip": "date"})


def test_dates_of_a_time_split_keep_only_what_comes_again() -> None:
    hours = pd.Series(np.datetime64("2024-01-01", "us") + np.arange(ROWS).astype("m8[h]"))
    found = plan({"when": hours}, time="when")["when"]
    assert found.parts == ("day", "weekday", "hour")
    assert "less than a whole year" in found.reason
    assert "days" in plan({"when": hours})["when"].parts


def test_a_day_that_another_date_holds_is_left_out() -> None:
    hours = pd.Series(np.datetime64("2024-01-01", "us") + np.arange(ROWS).astype("m8[h]"))
    plans = plan({"day": hours.dt.normalize(), "when": hours})
    assert plans["day"].reason == "It is the day of 'when', which is used."
    assert plans["when"].treatment == "date"


def test_texts_are_read_as_far_as_most_go() -> None:
    found = plan({"s": strings([f"word {place} and four more here" for place in range(ROWS)])})["s"]
    assert found.tokens == 6


def test_nothing_left_to_learn_from_is_an_error_that_lists_why() -> None:
    frame = pd.DataFrame({"a": [1.0] * ROWS, "target": np.arange(ROWS) % 2})
    profiles = tuple(profile(frame[name]) for name in frame)
    with pytest.raises(DataError, match="At least one column") as raised:
        plan_features(frame, profiles, PlanFacts("target", "binary"))
    assert raised.value.details == ["a: It has the same value in every training row: 1.0."]


def test_the_time_between_two_dates_is_planned_and_said() -> None:
    began = pd.Series(pd.date_range("2024-01-01 00:07", periods=300, freq="7h"))
    frame = pd.DataFrame(
        {"began": began, "ended": began + pd.to_timedelta(range(300), unit="min"), "y": [0.0, 1.0] * 150}
    )
    plans = {
        plan.name: plan
        for plan in plan_features(frame, profile_table(frame), PlanFacts(target="y", problem="regression"))
    }
    assert plans["ended"].since == ("began",)
    assert "The time since 'began'" in plans["ended"].reason
    assert all("minutes" in plans[name].parts for name in ("began", "ended"))


def test_the_only_value_of_a_sensitive_column_is_not_told() -> None:
    values = strings(["HIV positive"] * ROWS)
    assert plan({"s": values})["s"].reason == "It has the same value in every training row: 'HIV positive'."
    assert plan({"s": values}, sensitive=("s",))["s"].reason == "It has the same value in every training row."


def test_a_sensitive_feature_is_said_to_be_masked() -> None:
    reason = plan({"s": strings(["a", "b"] * (ROWS // 2))}, sensitive=("s",))["s"].reason
    assert reason.endswith("It is marked sensitive: its values are masked in what people see.")
