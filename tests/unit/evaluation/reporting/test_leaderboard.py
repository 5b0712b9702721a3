"""The leaderboard for people, and score against latency and size."""

from dataclasses import replace

import pytest

from penstock.domain.search import Candidate, Footprint, SearchResult, Trial
from penstock.evaluation.reporting.leaderboard import best_rows, interval, rows_of, tradeoffs


def trial(number: int, family: str, score: float, footprint: Footprint | None = None) -> Trial:
    scores = (score - 0.01, score, score + 0.01)
    return Trial(number, family, {}, "finished", score, scores, 1.25, 0, peak_mb=40, footprint=footprint)


def result(*trials: Trial, metric: str = "roc_auc") -> SearchResult:
    best = max((one for one in trials if not one.over), key=lambda one: one.score or 0.0)
    chosen = Candidate(best.number, best.family, "tree", {}, best.score or 0.0, best.fold_scores, "")
    return SearchResult("study", trials, chosen, "", 9.0, (), metric=metric)


SLOW, QUICK, POOR = Footprint(4.0, 3.0, 9000, 900), Footprint(0.2, 0.1, 90, 9), Footprint(1.0, 1.0, 500, 50)


def test_a_line_has_device_memory_seconds_folds_and_interval_in_the_metrics_own_units() -> None:
    row = rows_of(result(trial(1, "linear", -3.0), metric="rmse"), 10)[0]
    assert row["selection rmse"] == 3.0
    assert row["folds"] == "3.01, 3, 2.99"
    assert row["95 % of folds"] == "2.9887 to 3.0113"
    assert (row["device"], row["peak MB"], row["seconds"], row["state"]) == ("cpu", 40, 1.25, "chosen")
    assert "ms a row" not in row


def test_one_fold_has_no_interval() -> None:
    one = replace(trial(1, "linear", 0.9), fold_scores=(0.9,))
    assert interval(one, "roc_auc") is None
    ends = interval(trial(1, "linear", 0.9), "roc_auc")
    assert ends is not None
    assert ends[0] < 0.9 < ends[1]


def test_what_is_over_a_limit_stands_below_and_says_so() -> None:
    over = replace(trial(1, "lightgbm", 0.95, SLOW), over=("4 ms a row, at most 1",))
    rows = rows_of(result(over, trial(2, "linear", 0.9, QUICK)), 10)
    assert [row["trial"] for row in rows] == [2, 1]
    assert rows[1]["over a limit"] == "4 ms a row, at most 1"
    assert (rows[1]["ms a row"], rows[1]["graph MB"]) == (4.0, 3.0)


def test_the_front_is_what_nothing_within_the_limits_beats_in_everything() -> None:
    over = replace(trial(1, "lightgbm", 0.95, SLOW), over=("4 ms a row, at most 1",))
    found = tradeoffs(
        result(over, trial(2, "forest", 0.92, POOR), trial(3, "linear", 0.9, QUICK), trial(4, "mlp", 0.89, POOR)),
        "roc_auc",
    )
    assert [(line.trial.family, line.front, line.chosen) for line in found] == [
        ("lightgbm", False, False),
        ("forest", True, True),
        ("linear", True, False),
        ("mlp", False, False),
    ]
    assert found[0].score == pytest.approx(0.95)


def test_without_limits_there_is_no_such_table() -> None:
    assert tradeoffs(result(trial(1, "linear", 0.9)), "roc_auc") == ()


def test_a_terminal_shows_the_chosen_one_first_and_marks_what_cannot_win() -> None:
    over = replace(trial(1, "lightgbm", 0.95, SLOW), over=("4 ms a row, at most 1",))
    lines = best_rows(result(over, trial(2, "forest", 0.92), trial(3, "linear", 0.93)), 10)
    assert [(line[0], line[1]) for line in lines] == [("*", "linear 3"), ("", "forest 2"), ("over", "lightgbm 1")]
    assert lines[0][2:4] == ("0.93", "0.9187 to 0.9413")
