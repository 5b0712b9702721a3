"""The stream of customers: the same rows for a seed, labels after a delay, and a truth that judges."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from penstock.cli.demo import PRESETS as CHOICES
from penstock.demo.client import Client
from penstock.demo.generator import DAYS, World, make_day
from penstock.demo.presets import PRESETS, drifts_of
from penstock.demo.stream import Plan, Streamed, log_loss, make_rows, roc_auc, stream
from penstock.errors import PenstockError
from tests.unit.demo.stand_in import Heard, service

FAST = Plan(days=4, rows_per_day=20, label_delay_days=1, time_scale=1e9, rows_per_request=3)


def half(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Say the same of everybody."""
    chances = {"no": 0.5, "yes": 0.5}
    return [{"label": "no", "score": 0.5, "probabilities": chances} for _ in rows]


def streamed(plan: Plan, failing: dict[str, list[int]] | None = None) -> tuple[Streamed, Heard, list[str]]:
    """Stream to a service, and return what came of it, what the service heard, and what was told."""
    told: list[str] = []
    with service(half) as heard, Client(heard.url, "churn", "key") as client:
        heard.failing = failing or {}
        came = stream(plan, client, told.append)
    return came, heard, told


def test_every_customer_is_asked_for_once_and_labels_follow_a_day_later() -> None:
    came, heard, told = streamed(FAST)
    assert came.asked == came.answered == len(heard.rows) == sum(len(make_rows(day, FAST)[0]) for day in range(1, 5))
    assert [day.labelled for day in came.days] == [0, *(day.asked for day in came.days[:3])]
    assert came.waiting == came.days[3].asked
    assert len({row["customer_id"] for row in heard.rows}) == came.asked
    assert len(told) == 4


def test_a_plan_sends_the_same_rows_each_time_and_another_seed_others() -> None:
    rows, truth, labels = make_rows(3, FAST)
    same, _, _ = make_rows(3, FAST)
    other, _, _ = make_rows(3, replace(FAST, seed=8))
    assert rows == same
    assert rows != other
    assert "churned" not in rows[0]
    assert rows[0]["signed_up"].startswith("2026-01-07")
    assert len(truth) == len(labels) == len(rows)


def test_labels_are_what_the_table_would_say_wrong_ones_too() -> None:
    plan = replace(FAST, rows_per_day=500, rows_per_request=500, days=2)
    _, heard, _ = streamed(plan)
    columns = make_day(DAYS, len(make_rows(1, plan)[0]), World(plan.seed))
    said = np.array([label["value"] == "yes" for label in heard.labels])
    assert np.array_equal(said, columns["truth"] ^ columns["wrong"])
    assert columns["wrong"].any()


def test_the_week_goes_on_where_the_table_ends() -> None:
    monday, sunday = (len(make_rows(day, replace(FAST, rows_per_day=100))[0]) for day in (1, 7))
    assert (monday, sunday) == (125, 70)


def test_a_stream_goes_on_where_another_one_ended() -> None:
    whole, _, _ = streamed(replace(FAST, label_delay_days=0))
    _, first, _ = streamed(replace(FAST, label_delay_days=0, days=3))
    came, second, _ = streamed(replace(FAST, label_delay_days=0, days=1, from_day=4))
    assert [day.day for day in came.days] == [4]
    assert came.labelled == came.asked
    assert len(first.rows) + len(second.rows) == whole.asked


def test_drift_begins_on_its_day() -> None:
    plan = replace(FAST, rows_per_day=200, rows_per_request=100, drift_at=3)
    still = replace(plan, drift_at=None)
    assert make_rows(2, plan)[0] == make_rows(2, still)[0]
    moved, usual = ([row["monthly_fee"] for row in make_rows(3, each)[0]] for each in (plan, still))
    assert abs(np.mean(moved) - np.mean(usual) - 12) < 0.1
    came, _, told = streamed(plan)
    assert [day.drifted for day in came.days] == [False, False, True, True]
    assert came.drift == {"name": "price-rise", "day": 3}
    assert "price-rise begins" in told[2]


def test_a_request_that_fails_is_counted_and_its_label_is_not_sent() -> None:
    came, heard, _ = streamed(FAST, {"predict": [503, 200, 503]})
    assert came.failed == 6
    assert came.days[0].failed == 6
    assert came.labelled + came.waiting == came.answered == len(heard.rows)


def test_labels_that_the_service_does_not_take_are_brought_later() -> None:
    came, heard, _ = streamed(replace(FAST, label_delay_days=0), {"labels": [500, 500]})
    assert [day.labelled > 0 for day in came.days] == [False, False, True, True]
    assert came.labelled == len(heard.labels) == came.asked
    assert came.waiting == 0


def test_labels_can_be_withheld() -> None:
    came, heard, _ = streamed(replace(FAST, labels=False))
    assert came.labelled == came.waiting == len(heard.labels) == 0


def test_the_quality_of_a_day_is_measured_against_the_truth() -> None:
    truth = np.array([True, False, True, False])
    assert roc_auc(truth, np.array([0.9, 0.1, 0.8, 0.2])) == 1.0
    assert roc_auc(truth, np.array([0.5, 0.5, 0.5, 0.5])) == 0.5
    assert roc_auc(np.array([True, True]), np.array([0.1, 0.2])) is None
    assert log_loss(truth, np.full(4, 0.5)) == pytest.approx(np.log(2), abs=1e-4)
    assert log_loss(np.zeros(0, bool), np.zeros(0)) is None


def test_a_project_that_predicts_something_else_is_told_apart() -> None:
    with (
        service(lambda rows: [{"value": 1.0, "low": 0.0, "high": 2.0} for _ in rows]) as heard,
        Client(heard.url, "bikes", "key") as client,
        pytest.raises(PenstockError, match="'churned'"),
    ):
        stream(FAST, client, lambda _: None)


def test_a_service_that_is_away_fails_requests_and_ends_no_stream() -> None:
    with service(half) as heard:
        url = heard.url
    came = stream(replace(FAST, days=1, labels=False), Client(url, "churn", "key"), lambda _: None)
    assert (came.answered, came.failed) == (0, came.asked)
    assert came.days[0].log_loss is None


def test_presets_are_the_choices_of_the_command() -> None:
    assert sorted(CHOICES) == sorted(PRESETS)
    assert {drift.day for drift in drifts_of("price-rise", 9)} == {9}
