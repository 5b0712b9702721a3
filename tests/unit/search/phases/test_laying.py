"""What a search finds on a machine so busy that no slot loads within the budget."""

import time
from pathlib import Path

import pytest

from penstock.search import campaign
from penstock.search.machine.slots import Crew
from penstock.search.phases import laying
from tests.unit.search.conftest import make_work


@pytest.fixture
def no_slot_loads(monkeypatch: pytest.MonkeyPatch) -> None:
    def hear_nothing(_: Crew, seconds: float) -> list[object]:
        time.sleep(seconds)
        return []

    monkeypatch.setattr(Crew, "wait", hear_nothing)
    monkeypatch.setattr(laying, "QUICK_SECONDS", 0.0)


@pytest.mark.usefixtures("no_slot_loads")
def test_a_search_whose_slots_never_load_still_finds_a_model(tmp_path: Path) -> None:
    found = campaign.run(make_work(tmp_path, "linear", "lightgbm", seconds=4, trials=None))
    assert found.best.family == "linear"
    assert found.best.score is not None
    assert found.best.score > 0.8
    skipped = {trial.family: trial.reason for trial in found.trials if trial.state == "skipped"}
    assert skipped == {"lightgbm": "the budget ended before its turn"}


def test_a_trial_here_may_take_the_longer_the_longer_no_slot_has_loaded_but_half_of_what_is_left_at_most() -> None:
    assert laying.most_seconds(waited=0.1, left=5.9) == laying.QUICK_SECONDS
    assert laying.most_seconds(waited=2.0, left=4.0) == 2.0
    assert laying.most_seconds(waited=4.0, left=2.0) == 1.0
