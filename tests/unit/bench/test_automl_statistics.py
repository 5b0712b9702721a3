"""The arithmetic of the comparison with other systems."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.bench.automl_parts import statistics, table
from tests.bench.automl_parts.keeping import Results, key_of
from tests.bench.automl_parts.table import Comparison

NAN = float("nan")


def cells(*sets: list[list[float]]) -> statistics.Cells:
    """Return scores of shape (n_sets, n_seeds, n_systems)."""
    return np.asarray(sets, np.float64)


def record(name: str, seed: int, system: str, **rest: Any) -> dict[str, Any]:
    """Return a result as a run leaves it."""
    usual = {"fit_seconds": 60.0, "latency_ms": 5.0, "peak_mb": 300, "version": "1"}
    return {"set": name, "seed": seed, "system": system, "seconds": 60.0, "cores": 2, **usual, **rest}


def compare(*records: dict[str, Any], systems: tuple[str, ...] = ("penstock", "flaml")) -> Comparison:
    """Return a comparison on a binary set and a regression."""
    return Comparison(
        records={key_of(one): one for one in records},
        sets=("churn", "bikes"),
        seeds=(1, 2),
        systems=systems,
        problems={"churn": "binary", "bikes": "regression"},
        seconds=60.0,
        cores=2,
        absent={},
    )


def churn(seed: int, system: str, auc: float, **rest: Any) -> dict[str, Any]:
    return record("churn", seed, system, scores={"roc_auc": auc}, **rest)


def bikes(seed: int, system: str, rmse: float, r2: float, **rest: Any) -> dict[str, Any]:
    return record("bikes", seed, system, scores={"rmse": rmse, "r2": r2}, **rest)


def test_the_best_has_rank_one_and_equals_share_theirs() -> None:
    assert statistics.ranks(cells([[0.9, 0.8, 0.9, 0.7]])).tolist() == [[[1.5, 3.0, 1.5, 4.0]]]


def test_what_failed_has_the_last_rank_and_a_cell_that_nobody_has_none() -> None:
    found = statistics.ranks(cells([[0.9, NAN, NAN]], [[NAN, NAN, NAN]]))
    assert found[0].tolist() == [[1.0, 2.5, 2.5]]
    assert np.isnan(found[1]).all()


def test_average_ranks_weigh_sets_alike_however_many_seeds_they_have() -> None:
    scores = cells([[0.9, 0.8], [0.9, 0.8]], [[0.1, 0.2], [NAN, NAN]])
    assert [one.value for one in statistics.average_ranks(scores)] == [1.5, 1.5]


def test_an_interval_holds_its_figure_and_shrinks_to_it_where_all_sets_agree() -> None:
    agreed = statistics.average_ranks(cells(*[[[0.9, 0.8]]] * 6))[0]
    assert (agreed.value, agreed.low, agreed.high) == (1.0, 1.0, 1.0)
    mixed = statistics.average_ranks(cells(*[[[0.9, 0.8]], [[0.7, 0.8]]] * 3))[0]
    assert mixed.low < mixed.value == 1.5 < mixed.high


def test_wins_count_ties_half_and_failures_as_lost() -> None:
    scores = cells([[0.9, 0.8]], [[0.8, 0.8]], [[NAN, 0.8]], [[0.8, NAN]], [[NAN, NAN]])
    assert statistics.wins(scores, 0, 1).value == pytest.approx((1 + 0.5 + 0 + 1) / 4)


def test_one_set_alone_in_front_separates_nothing() -> None:
    split = statistics.wins(cells([[0.9, 0.8]], [[0.7, 0.8]], [[0.9, 0.8]]), 0, 1)
    assert not split.separates(0.5)
    assert statistics.wins(cells(*[[[0.9, 0.8]]] * 5), 0, 1).separates(0.5)


def test_shares_behind_the_best_go_by_the_metrics_direction() -> None:
    assert statistics.behind([0.8, 0.9], higher_is_better=True) == pytest.approx([1 / 9, 0.0])
    assert statistics.behind([0.3, 0.2], higher_is_better=False) == pytest.approx([0.5, 0.0])


def test_errors_rank_the_smaller_first() -> None:
    compared = compare(bikes(1, "penstock", 33.0, 0.9), bikes(1, "flaml", 34.0, 0.89))
    assert statistics.ranks(compared.cells())[1, 0].tolist() == [1.0, 2.0]


def test_the_report_says_where_we_lose_and_by_how_much() -> None:
    compared = compare(
        churn(1, "penstock", 0.84), churn(2, "penstock", 0.85), churn(1, "flaml", 0.85), churn(2, "flaml", 0.86),
        bikes(1, "penstock", 33.0, 0.95), bikes(2, "penstock", 33.0, 0.95),
        bikes(1, "flaml", 34.0, 0.94), bikes(2, "flaml", 34.0, 0.94),
    )  # fmt: skip
    text = "\n".join(table.lines(compared))
    assert "We lose on churn: 1.17% behind flaml (roc_auc)" in text
    assert "We lose on bikes" not in text
    assert "| bikes, rmse | **33** | 34 |" in text
    assert "against flaml: 0.50 (0.00 to 1.00) of the comparisons won: not separable" in text


def test_seeds_that_disagree_separate_nothing() -> None:
    compared = compare(
        churn(1, "penstock", 0.86), churn(2, "penstock", 0.83), churn(1, "flaml", 0.85), churn(2, "flaml", 0.86)
    )
    assert "behind flaml (roc_auc), not separable over the seeds" in "\n".join(table.lines(compared))


def test_overruns_are_those_beyond_three_seconds_or_a_twentieth() -> None:
    compared = compare(churn(1, "penstock", 0.8, fit_seconds=62.9), churn(2, "penstock", 0.8, fit_seconds=63.1))
    assert table.overran(compared, "penstock") == 1


def test_measures_tell_value_goal_and_peers() -> None:
    compared = compare(
        churn(1, "penstock", 0.86), churn(2, "penstock", 0.86), churn(1, "flaml", 0.85), churn(2, "flaml", 0.85)
    )
    found = table.measures(compared)
    assert found["average rank"] == {"value": 1.0, "unit": "rank", "goal": 2.0, "met": True, "peers": {"flaml": 2.0}}
    assert found["comparisons won against flaml"]["met"]
    assert found["runs over the budget"]["met"]
    assert json.loads(json.dumps(found)) == found


def test_a_missing_run_of_ours_meets_no_goal() -> None:
    compared = compare(churn(1, "flaml", 0.85), churn(2, "flaml", 0.85))
    found = table.measures(compared)
    assert not found["average rank"]["met"]
    assert not found["furthest behind the best by roc_auc"]["met"]


def test_kept_results_are_read_again_the_newest_counting(tmp_path: Path) -> None:
    kept = Results(tmp_path / "deep" / "results.jsonl")
    kept.add(churn(1, "penstock", 0.8))
    kept.add(churn(1, "penstock", 0.9))
    kept.add(churn(1, "flaml", 0.7))
    with kept.path.open("a") as file:
        file.write('{"set": "churn", "se')  # killed while it wrote
    assert [one["scores"]["roc_auc"] for one in kept.read().values()] == [0.9, 0.7]
    kept.forget(["penstock"], ["another"], [1])
    kept.forget(["penstock"], ["churn"], [2])
    assert len(kept.read()) == 2
    kept.forget(["penstock"], ["churn"], [1])
    assert [one["system"] for one in kept.read().values()] == ["flaml"]
