"""How an estimator's processes start, and what its own process loads."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from penstock.estimators import PenstockClassifier
from tests.unit.estimators.conftest import Mixed

PLAIN_SCRIPT = """
import json, sys
import numpy as np
from penstock.estimators import PenstockClassifier
x = np.random.default_rng(0).normal(size=(120, 2))
model = PenstockClassifier(seconds=60, trials=3, families=["lightgbm"], random_state=0)
model.fit(x, (x[:, 0] > 0).astype(int))
told = {"score": model.score(x, x[:, 0] > 0), "slots": sorted(set(model.leaderboard_["slot"].dropna()))}
print(json.dumps(told | {"loaded": sorted({name.partition(".")[0] for name in sys.modules})}))
"""
NOT_NEEDED = {"bentoml", "evidently", "great_expectations", "mlflow", "prefect", "sqlalchemy", "alembic", "IPython"}


def test_a_script_without_a_guard_searches_in_other_processes_and_loads_no_server(tmp_path: Path) -> None:
    script = tmp_path / "notes.py"
    script.write_text(PLAIN_SCRIPT)
    source = str(Path(__file__).resolve().parents[3] / "src")
    done = subprocess.run(
        [sys.executable, str(script)],
        cwd=tmp_path,
        env={"PYTHONPATH": source, "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == 1, "a slot's process must not run the script again"
    told = json.loads(lines[0])
    assert told["score"] > 0.9
    assert told["slots"]
    assert not NOT_NEEDED & set(told["loaded"])
    assert [path.name for path in tmp_path.iterdir()] == ["notes.py"], "nothing is left behind"


def test_an_interrupt_takes_the_best_so_far(mixed: Mixed) -> None:
    began = time.monotonic()
    threading.Timer(2.0, os.kill, (os.getpid(), signal.SIGINT)).start()
    model = PenstockClassifier(seconds=250, families=["linear"], random_state=0).fit(*mixed)
    assert time.monotonic() - began < 200
    assert model.score(*mixed) > 0.7
    assert "stopped by a person" in model.reasons_[0]
