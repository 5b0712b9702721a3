"""S9, its search: the search and its trials are killed at random moments, and nothing that ended is lost."""

import json
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import psutil
import pytest
from optuna.storages.journal import JournalFileBackend

from penstock.search.trial_records import MOST_RETRIES
from penstock.search.tuning import Study

TRIALS = 20
KILLS = 4
PATIENCE = 150


def start(root: Path, folder: Path) -> subprocess.Popen[str]:
    program = [sys.executable, str(root / "tests/integration/s9_program.py"), str(folder), str(TRIALS)]
    environment = {"PYTHONPATH": f"{root / 'src'}:{root}", "PATH": "/usr/bin:/bin"}
    return subprocess.Popen(program, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def slots_of(process: subprocess.Popen[str]) -> list[psutil.Process]:
    with suppress(psutil.NoSuchProcess):  # the search has just ended
        return psutil.Process(process.pid).children(recursive=True)
    return []


def finished(folder: Path) -> dict[int, dict[str, Any]]:
    """Return the finished trials that the journal keeps, by number."""
    journal = folder / "journal.log"
    if not journal.exists():
        return {}
    return {one.trial.number: asdict(one.trial) for one in Study(journal, 7).ended() if one.trial.state == "finished"}


def states(folder: Path) -> list[tuple[str, int]]:
    """Return the state of every trial in the journal, and how often it had been tried before."""
    storage = optuna.storages.JournalStorage(JournalFileBackend(str(folder / "journal.log")))
    return [
        (trial.state.name, int(trial.user_attrs.get("retries", 0)))
        for study in storage.get_all_studies()
        for trial in storage.get_all_trials(study._study_id)
    ]


def random_moment(process: subprocess.Popen[str], folder: Path, draw: np.random.Generator) -> None:
    """Wait for a while: while a search starts, or beyond the end of another trial."""
    if draw.random() < 0.3:
        time.sleep(draw.uniform(0.2, 4.0))
        return
    known, until = len(list(folder.glob("folds/oof-*.npy"))), time.monotonic() + PATIENCE
    while process.poll() is None and len(list(folder.glob("folds/oof-*.npy"))) <= known and time.monotonic() < until:
        time.sleep(0.01)
    time.sleep(draw.uniform(0.0, 2.0))


def kill_at_random(root: Path, folder: Path, draw: np.random.Generator) -> tuple[dict[str, Any], int]:
    """Search while processes are killed, each time another; return what came of it, and how many slots died."""
    process, died = start(root, folder), 0
    before: dict[int, dict[str, Any]] = {}
    for _ in range(KILLS):
        random_moment(process, folder, draw)
        children = slots_of(process)
        if process.poll() is not None:
            break
        if children and draw.random() < 0.5:
            with suppress(psutil.NoSuchProcess):  # the slot has just ended, and nothing is killed
                children[draw.integers(len(children))].kill()
                died += 1
            continue
        process.kill()
        process.communicate()
        _, alive = psutil.wait_procs(children, timeout=20)
        assert not alive, f"slots outlive their search: {alive}"
        before |= finished(folder)
        process = start(root, folder)
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, err[-3000:]
    after = finished(folder)
    assert all(after[number] == trial for number, trial in before.items())
    told: dict[str, Any] = json.loads(out.splitlines()[-1])
    assert before.keys() <= {trial["number"] for trial in told["trials"]}
    return told, died


def check(told: dict[str, Any], folder: Path) -> None:
    """See that what died is marked, was tried again at most twice, and holds nothing."""
    known = states(folder)
    assert "RUNNING" not in [state for state, _ in known]  # a trial's lease is its owner in the journal
    assert max(tries for _, tries in known) <= MOST_RETRIES
    assert list(folder.glob("*.lock*")) == []
    lost = [trial for trial in told["trials"] if trial["state"] == "failed"]
    assert all(trial["mark"] == "process died" for trial in lost), lost
    assert len({trial["number"] for trial in told["trials"]}) == len(told["trials"])
    assert [trial["state"] for trial in told["trials"]].count("finished") >= 3


def rounds(root: Path, tmp_path: Path, seeds: range) -> None:
    for seed in seeds:
        folder = tmp_path / str(seed)
        told, died = kill_at_random(root, folder, np.random.default_rng(seed))
        marked = sum(trial["mark"] == "process died" for trial in told["trials"])
        print(f"round {seed}: {died} trial processes killed, {marked} trials marked, {told['resumed']} kept")  # noqa: T201
        check(told, folder)


def test_a_search_killed_at_random_moments_loses_nothing_that_ended(root: Path, tmp_path: Path) -> None:
    rounds(root, tmp_path, range(2))


@pytest.mark.full
@pytest.mark.timeout(1800)
def test_twenty_rounds_of_it(root: Path, tmp_path: Path) -> None:
    rounds(root, tmp_path, range(2, 20))
