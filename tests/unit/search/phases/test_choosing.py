from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from penstock.domain.search import Trial
from penstock.search.encoding import folds_folder
from penstock.search.machine.messages import out_of_fold_path
from penstock.search.phases.choosing import ENSEMBLE, MOST_MEMBERS, choose
from penstock.search.trial_records import Ended, Kind
from penstock.search.work import Work
from tests.unit.search.conftest import ROWS, make_work


@pytest.fixture
def work(tmp_path: Path) -> Work:
    folds_folder(tmp_path).mkdir()
    return make_work(tmp_path, "linear", "lightgbm")


def ended(work: Work, number: int, family: str, noise: float, kind: Kind = "tuned") -> Ended:
    """Return a trial whose out-of-fold probabilities are off by noise of their own."""
    draw = np.random.default_rng(number)
    share = np.clip(0.5 + (work.rows.target - 0.5) * 0.3 + noise * draw.normal(size=ROWS), 0.01, 0.99)
    np.save(out_of_fold_path(str(folds_folder(work.folder)), number), np.column_stack([1 - share, share]))
    scores = (1 - noise,) * 3
    return Ended(Trial(number, family, {}, "finished", 1 - noise, scores, 1.0, 0), kind)


def test_candidates_that_err_apart_become_one_trial_of_the_leaderboard(work: Work) -> None:
    candidates = [ended(work, 1, "linear", 0.3), ended(work, 2, "lightgbm", 0.3)]
    pick = choose(candidates[0], candidates, work)
    trial = pick.trial(7)
    assert (trial.number, trial.family, trial.state) == (7, ENSEMBLE, "finished")
    assert set(trial.parameters) == {"linear 1", "lightgbm 2"}
    assert "looks" in pick.reasons[0]
    kept = np.load(pick.write(work.folder))
    assert np.isfinite(kept).all()


def test_a_candidate_alone_is_kept_with_the_figures_where_a_mean_gains_nothing(work: Work) -> None:
    candidates = [ended(work, 1, "linear", 0.1), ended(work, 2, "lightgbm", 3.0)]
    pick = choose(candidates[0], candidates, work)
    assert pick.members == ((candidates[0], 1.0),)
    assert pick.mixture is None
    assert pick.trial(7) is candidates[0].trial


def test_where_the_baseline_wins_nothing_is_mixed(work: Work) -> None:
    best = ended(work, 3, "baseline", 0.2)
    candidates = [best, ended(work, 1, "linear", 0.3), ended(work, 2, "lightgbm", 0.3)]
    assert choose(best, candidates, work).members == ((best, 1.0),)


def test_members_are_whole_and_the_best_two_of_what_was_tuned(work: Work) -> None:
    tuned = [ended(work, number, "linear", 0.3 + number / 1000) for number in range(1, 7)]
    partial = ended(work, 8, "lightgbm", 0.1, "partial")
    partial = replace(partial, trial=replace(partial.trial, partial=True))
    default = ended(work, 9, "linear", 0.35, "default")
    pick = choose(tuned[0], [*tuned, partial, default], work)
    assert {one.trial.number for one, _ in pick.members} <= {1, 2, 9}
    assert len(pick.members) <= MOST_MEMBERS
