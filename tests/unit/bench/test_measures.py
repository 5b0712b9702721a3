"""The last line of every benchmark has one form."""

import json
from typing import Any

import pytest

from tests.bench import budget, gpu_search, search_quality
from tests.bench.measures import measured

KEYS = {"value", "unit", "goal", "met", "peers"}
LATE = {"set": "toy", "budget": 30.0, "late": 4.2, "allowed": 3.0, "kept": False}
KEPT = {"set": "toy", "budget": 60.0, "late": -0.4, "allowed": 3.0, "kept": True}


def check(found: dict[str, Any]) -> None:
    assert found
    assert all(set(each) == KEYS for each in found.values())
    json.dumps(found, allow_nan=False)


def test_a_measure_has_its_value_its_goal_and_its_peers() -> None:
    assert measured(1.5, "s", 2.0, True, {"a script": 1.0}) == {
        "value": 1.5,
        "unit": "s",
        "goal": 2.0,
        "met": True,
        "peers": {"a script": 1.0},
    }


def test_a_search_that_is_late_is_a_figure_and_no_failure() -> None:
    found = budget.measures([LATE, KEPT])
    check(found)
    assert (found["searches over the budget"]["value"], found["searches over the budget"]["met"]) == (1, False)
    assert found["toy, 30 s: late by"] == measured(4.2, "s", 3.0, False)


def test_slots_stand_beside_one_slot_and_a_gpu_beside_the_cpu() -> None:
    compared = [{"family": "mlp", "rows": 10, "cpu_seconds": 2.0, "gpu_seconds": None}]
    summary = {"alone": {"trials_an_hour": 10.0}, "together": {"trials_an_hour": 18.0}, "compared": compared}
    found = gpu_search.measures(summary)
    check(found)
    assert found["trials an hour"] == measured(18.0, "1/h", 10.0, True, {"one at a time": 10.0})
    assert found["mlp, 10 rows: a pass on the GPU"]["value"] is None


@pytest.mark.parametrize(("metric", "ours", "met"), [("roc_auc", 0.9, True), ("rmse", 0.9, False)])
def test_a_search_stands_beside_an_untuned_booster(
    metric: str, ours: float, met: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    figures = {"metric": metric, "test": ours, "lightgbm": 0.8}
    monkeypatch.setattr(search_quality, "tell", lambda *_: figures)
    monkeypatch.setattr("sys.argv", ["search_quality", "toy", "--seconds", "20"])
    search_quality.main()
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    check(found)
    assert [each["met"] for each in found.values()] == [met]
