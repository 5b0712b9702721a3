import subprocess
import sys
import time
from pathlib import Path

from penstock.search import campaign
from penstock.search.machine.slots import start_time
from penstock.search.tuning import Study
from tests.unit.search.conftest import make_work

KILLED = """
import sys
from pathlib import Path
from penstock.search import campaign
from tests.unit.search.conftest import make_work
work = make_work(Path(sys.argv[1]), "linear", seconds=120, trials=None)
campaign.run(work)
"""


def children(parent: int) -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            number, rest = path.read_text().split(" ", 1)
        except OSError:
            continue
        if rest.rsplit(")", 1)[1].split()[1] == str(parent):
            found.append(int(number))
    return found


def until(condition: object, seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


def test_kill_9_loses_no_finished_trial_and_leaves_no_process(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", KILLED, str(tmp_path)], env={"PYTHONPATH": ":".join(sys.path)})
    until(lambda: len(list((tmp_path / "folds").glob("oof-*.npy"))) >= 4)
    workers = children(process.pid)
    process.kill()
    process.wait()
    until(lambda: all(start_time(worker) is None for worker in workers))
    before = [one for one in Study(tmp_path / "journal.log", 7).ended() if one.trial.state == "finished"]
    result = campaign.run(make_work(tmp_path, "linear", seconds=120, trials=len(before) + 2))
    assert workers
    assert len(before) >= 3
    assert result.resumed == len(before)
    kept = {trial.number: trial for trial in result.trials}
    assert all(kept[one.trial.number] == one.trial for one in before)
