"""The subscription business whose truth is known."""

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score

from penstock.demo.generator import Drift, make_table


def test_the_same_seed_gives_the_same_table() -> None:
    one, same, other = make_table(500, 1), make_table(500, 1), make_table(500, 2)
    pd.testing.assert_frame_equal(one.frame, same.frame)
    assert np.array_equal(one.wrong_rows, same.wrong_rows)
    assert not one.frame.equals(other.frame)


def test_the_table_is_a_year_in_order_with_mixed_types_and_gaps() -> None:
    made = make_table(10_000).frame
    assert made.shape == (10_000, 15)
    assert made["signed_up"].is_monotonic_increasing
    assert made["customer_id"].is_unique
    assert 0.03 < made.isna().mean().mean() < 0.05
    assert 0.1 < (made["churned"] == "yes").mean() < 0.17
    assert {str(dtype) for dtype in made.dtypes} == {"str", "datetime64[us]", "float64", "int64", "object"}


def test_sign_ups_follow_the_week() -> None:
    days = make_table(10_000).frame["signed_up"].dt.weekday.value_counts()
    assert days[0] > 1.5 * days[6]


@pytest.mark.parametrize("rows", [1, 50, 3000])
def test_as_many_rows_as_asked_for_are_made(rows: int) -> None:
    assert len(make_table(rows).frame) == rows


def test_wrong_labels_are_those_that_differ_from_the_truth() -> None:
    wrong, right = make_table(3000, wrong=0.05), make_table(3000, wrong=0.0)
    differ = np.flatnonzero(wrong.frame["churned"] != right.frame["churned"])
    assert np.array_equal(differ, wrong.wrong_rows)
    assert abs(len(differ) / 3000 - 0.05) < 0.015
    assert len(right.wrong_rows) == 0


def test_an_untuned_model_finds_the_signal() -> None:
    frame = make_table(10_000).frame
    features = frame.drop(columns=["customer_id", "signed_up", "churned"])
    for name in ("plan", "region", "channel", "autopay", "note"):
        features[name] = features[name].astype("category")
    target = frame["churned"] == "yes"
    model = HistGradientBoostingClassifier(max_iter=60, categorical_features="from_dtype", random_state=0)
    model.fit(features[:8000], target[:8000])
    assert 0.75 < roc_auc_score(target[8000:], model.predict_proba(features[8000:])[:, 1]) < 0.9


def test_drift_begins_on_its_day_and_leaves_what_came_before() -> None:
    still, moved = make_table(6000).frame, make_table(6000, drifts=(Drift(180, "usage_hours", 10.0),)).frame
    before = still["signed_up"] < still["signed_up"].iloc[0].normalize() + pd.Timedelta(days=180)
    pd.testing.assert_frame_equal(still[before], moved[before])
    change = moved["usage_hours"] - still["usage_hours"]
    assert abs(change[~before].median() - 10) < 0.2


def test_the_meaning_of_a_column_can_change_while_its_values_stay() -> None:
    drifts = (Drift(180, "satisfaction", 3.0, concept=True),)
    still, moved = make_table(6000, wrong=0).frame, make_table(6000, wrong=0, drifts=drifts).frame
    pd.testing.assert_frame_equal(still.drop(columns="churned"), moved.drop(columns="churned"))
    assert (still["churned"] != moved["churned"]).mean() > 0.02
