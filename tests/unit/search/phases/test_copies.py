"""Copies: further fits of a model's members in time that is left."""

from dataclasses import replace
from pathlib import Path

import pytest

from penstock.domain.search import Budget, SearchSettings
from penstock.search import campaign
from penstock.search.machine.messages import FitJob, JobDone, JobFailed
from penstock.search.model.recipe import Recipe
from penstock.search.order import board
from penstock.search.phases.copies import CLOSING_SECONDS, FIRST_NUMBER, MOST_COPIES, SAFETY, Copies, bears_copies
from tests.unit.search.conftest import make_work
from tests.unit.search.order.trials import ended

JOB = FitJob(4, "lightgbm", {}, deadline=10.0, latest=11.0, path="folder/estimator-4.pkl", least=0.0)


def go_on(copies: Copies, seconds: float, left: float, slots: int = 2) -> list[FitJob]:
    started: list[FitJob] = []

    def start(_: object, job: FitJob) -> bool:
        if len(started) == slots:
            return False
        started.append(job)
        return True

    copies.go_on([(ended(4, "lightgbm", (0.8, 0.8)), JOB, seconds)], left, start)
    return started


def test_a_copy_has_a_number_a_seed_and_a_file_of_its_own() -> None:
    copies = Copies()
    first, *_ = go_on(copies, seconds=1.0, left=60.0)
    second, *_ = go_on(copies, seconds=1.0, left=60.0)
    assert (first.number, second.number) == (FIRST_NUMBER, FIRST_NUMBER + 1)
    assert (first.copy, second.copy) == (1, 2)
    assert len({JOB.path, first.path, second.path}) == 3


def test_no_more_are_begun_than_there_is_time_for() -> None:
    least = SAFETY * 1.0 + CLOSING_SECONDS
    assert go_on(Copies(), seconds=1.0, left=least + 0.01)
    assert not go_on(Copies(), seconds=1.0, left=least - 0.01)


def test_a_member_has_a_few_copies_and_one_that_failed_is_done_without() -> None:
    copies = Copies()
    numbers = [job.number for _ in range(MOST_COPIES + 2) for job in go_on(copies, seconds=1.0, left=60.0)]
    assert len(numbers) == MOST_COPIES
    copies.take(JobFailed(numbers[0], "it ran out of memory"))
    for number in numbers[1:]:
        copies.take(JobDone(number))
    assert len(copies.done[4]) == MOST_COPIES - 1
    assert copies.told([4]) == ("fitted 6 more times with other seeds in the time left: their mean varies less",)
    assert copies.told([5]) == ()


def test_the_time_that_a_search_leaves_goes_into_copies_of_the_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(board, "SETTLED_TRIALS", 0)
    work = make_work(tmp_path, "lightgbm", seconds=30, trials=None)
    found = campaign.run(work)
    (member,) = Recipe.read(found.model).prepare(work.families).members
    assert len(member.parts) == 1 + MOST_COPIES
    assert any(f"{MOST_COPIES} more times with other seeds" in reason for reason in found.reasons)


def test_limits_a_number_of_trials_and_determinism_bear_no_copies() -> None:
    usual = SearchSettings("roc_auc", Budget(60))
    assert bears_copies(usual)
    assert not bears_copies(replace(usual, limits={"latency_ms": 1.0}))
    assert not bears_copies(replace(usual, budget=Budget(60, 30)))
    assert not bears_copies(replace(usual, deterministic=True))
