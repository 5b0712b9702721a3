from dataclasses import replace
from pathlib import Path

import pytest

from penstock.search.telling import line_of, progress_of
from tests.unit.search.conftest import make_work
from tests.unit.search.order.trials import FAIR, GOOD, ended


def test_progress_says_what_is_done_best_left_out_and_left() -> None:
    work = make_work(Path("unused"), seconds=20, trials=None)
    large = ended(2, "mlp", GOOD)
    large = replace(large, trial=replace(large.trial, over=("too large",)))
    said = progress_of([ended(1, "linear", FAIR), large], (1, 2), work, 5.0)
    assert (said.done, said.running, said.skipped, said.best_family) == (2, 1, 2, "linear")
    assert said.share == pytest.approx(0.75)
    assert line_of(said, "roc_auc") == "search: 2 trials, 2 skipped, best linear 0.894 roc_auc, 5 s left"


def test_where_trials_end_a_search_they_are_its_share() -> None:
    work = make_work(Path("unused"), trials=4)
    said = progress_of([ended(1, "linear", FAIR)], (0, 0), work, float("inf"))
    assert said.share == pytest.approx(0.25)
    assert "left" not in line_of(said, "roc_auc")
