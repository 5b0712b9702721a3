"""A search that a person stops takes the best so far; one that was edited goes on with its trials."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from penstock.domain.search import Choice, OwnSource, Real, Slot, Trial, Whole
from penstock.domain.workspace import Workspace
from penstock.models.forest import Forest
from penstock.models.linear import Linear
from penstock.search import campaign
from penstock.search.stopping import stop_on_interrupt
from penstock.search.tuning import Study
from penstock.search.wishes.own import OwnFamily
from penstock.search.wishes.spaces import Shaped, still_asked
from penstock.search.work import Hooks
from penstock.store import trainings
from tests.unit.search.conftest import make_work
from tests.unit.search.test_resume import until

INTERRUPTED = """
import sys
from pathlib import Path
from penstock.search import campaign
from penstock.search.stopping import stop_on_interrupt
from penstock.search.work import Hooks
from tests.unit.search.conftest import make_work
work = make_work(Path(sys.argv[1]), "linear", "forest", seconds=120, trials=None)
with stop_on_interrupt(lambda: print("stopping", flush=True)) as stop:
    found = campaign.run(work, Hooks(stopped=stop.asked))
print(found.best.family, found.reasons[0], sep="|")
"""


def start(folder: Path) -> subprocess.Popen[str]:
    environment = {"PYTHONPATH": ":".join(sys.path), "PATH": os.environ["PATH"]}
    command = [sys.executable, "-c", INTERRUPTED, str(folder)]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True, start_new_session=True)
    until(lambda: len(list((folder / "folds").glob("oof-*.npy"))) >= 4)
    return process


def test_one_interrupt_of_a_whole_terminal_takes_the_best_so_far(tmp_path: Path) -> None:
    process = start(tmp_path)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: the slots' processes hear it too
    began = time.monotonic()
    said, _ = process.communicate(timeout=60)
    assert time.monotonic() - began < 30  # of 120 s that the budget has
    assert process.returncode == 0
    assert said.startswith("stopping\n")
    assert "|stopped by a person after" in said


def test_two_interrupts_end_it_and_lose_no_trial(tmp_path: Path) -> None:
    process = start(tmp_path)
    os.kill(process.pid, signal.SIGINT)
    assert process.stdout is not None
    assert process.stdout.readline() == "stopping\n"
    os.kill(process.pid, signal.SIGINT)
    process.communicate(timeout=60)
    before = [one for one in Study(tmp_path / "journal.log", 7).ended() if one.trial.state == "finished"]
    assert len(before) >= 3
    result = campaign.run(make_work(tmp_path, "linear", "forest", seconds=120, trials=len(before) + 1))
    assert result.resumed == len(before)


def test_outside_of_a_search_an_interrupt_is_what_it_was() -> None:
    before = signal.getsignal(signal.SIGINT)
    with stop_on_interrupt(lambda: None) as stop:
        assert signal.getsignal(signal.SIGINT) is not before
        assert not stop.asked()
        signal.raise_signal(signal.SIGINT)
        assert stop.asked()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


def test_a_search_that_is_stopped_says_which_families_had_no_turn(tmp_path: Path) -> None:
    work = replace(make_work(tmp_path, "linear", "lightgbm", trials=None), slots=(Slot(0, (0,), 900),))
    found = campaign.run(work, Hooks(stopped=lambda: True))
    reasons = {trial.family: trial.reason for trial in found.trials if trial.state == "skipped"}
    assert set(reasons.values()) == {"the search was stopped before its turn"}
    assert found.reasons[0].startswith("stopped by a person")


def test_an_edited_project_goes_on_with_the_trials_that_it_still_asks_for(tmp_path: Path) -> None:
    work = make_work(tmp_path, "linear", "forest", trials=6)
    before = campaign.run(work)
    narrowed = Shaped(Forest(), {"leaf_rows": [1, 6], "trees": [100]})
    edited = replace(work, families={"baseline": work.families["baseline"], "forest": narrowed})
    edited = replace(edited, settings=replace(work.settings, budget=replace(work.settings.budget, trials=5)))
    found = campaign.run(edited)
    kept = [one for one in before.trials if one.family == "forest" and 1 <= int(one.parameters["leaf_rows"] or 0) <= 6]
    assert {one.number for one in kept} <= {one.number for one in found.trials}
    assert "linear" not in {one.family for one in found.trials if one.state == "finished"}


def test_what_was_narrowed_since_leaves_out_what_lies_outside() -> None:
    trial = Trial(1, "linear", {"c": 2.0, "bends": 8, "crosses": 0}, "finished", 0.9, (0.9,), 1.0, 0)
    for said, asked in (
        ({"c": [1.0, 3.0]}, True),
        ({"c": [3.0, 4.0]}, False),
        ({"bends": [0, 8, 16]}, True),
        ({"bends": 4}, False),
        ({"bends": [0, 16]}, False),  # two of the values that there are, and no range
        ({"bends": [0, 8]}, True),
        ({"crosses": 0}, True),
    ):
        assert still_asked(trial, {"linear": Shaped(Linear(), said)}, "binary") == asked
    assert still_asked(trial, {"linear": Linear()}, "binary")
    assert not still_asked(trial, {}, "binary")


def test_what_was_said_since_of_an_own_estimator_leaves_out_what_lies_outside(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("class Mine:\n    def __init__(self, depth=3): ...\n    fit = predict = None\n")
    trial = Trial(1, "mine", {"depth": 8}, "finished", 0.9, (0.9,), 1.0, 0)
    said: tuple[tuple[object, bool], ...] = ((4, False), (8, True), ([2, 8], True), ([2, 6], False), ([4, 6, 8], True))
    for depth, asked in said:
        own = OwnFamily(OwnSource("mine", str(tmp_path / "mine.py"), "Mine", (("depth", depth),)))
        assert still_asked(trial, {"mine": own}, "binary") == asked


def test_a_study_takes_a_space_with_other_choices(tmp_path: Path) -> None:
    spaces = [
        {"bends": Choice((0, 4, 8)), "c": Real(0.1, 1.0)},
        {"bends": Choice((4,)), "c": Real(0.5, 0.7)},
        {"bends": Whole(1, 3), "c": Real(0.5, 0.7)},
    ]
    for space in spaces:
        study = Study(tmp_path / "journal.log", 7)
        draft = study.ask("linear", "tuned", {}, space)  # type: ignore[arg-type]
        assert set(draft.parameters) == {"bends", "c"}


def test_an_edited_project_file_goes_on_in_the_study_of_what_never_ended(workspace: Workspace) -> None:
    first = trainings.begin_training("toy", "rows", "one", workspace)
    assert trainings.stopped_training("toy", workspace) == first.id
    again = trainings.begin_training("toy", "rows", "one", workspace)
    assert (again.id, again.resumed) == (first.id, 1)
    edited = trainings.begin_training("toy", "rows", "two", workspace)
    assert edited.id != first.id
    assert edited.study == first.study
    assert trainings.begin_training("toy", "other rows", "two", workspace).study != first.study
    trainings.end_training(edited, workspace)
