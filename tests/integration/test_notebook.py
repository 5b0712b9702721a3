"""The notebook of the docs runs from its first cell to its last, in a process of its own."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOK = ROOT / "docs" / "notebook.ipynb"
RUN_CELLS = """
import json, sys
notebook = json.loads(open(sys.argv[1], encoding="utf-8").read())
cells = ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]
names = {"__name__": "__main__"}
for number, source in enumerate(cells, start=1):
    exec(compile(source, f"<cell {number}>", "exec"), names)
families = sorted(set(names["model"].leaderboard_["family"]))
far = float(abs(names["scores"] - names["model"].predict_proba(names["X"][names["newer"]])).max())
print(json.dumps({"cells": len(cells), "score": names["score"], "families": families, "far": far}))
"""


def test_the_notebook_runs_from_its_first_cell_to_its_last(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error::DeprecationWarning:penstock", "-c", RUN_CELLS, str(NOTEBOOK)],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT / "src"), "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["cells"] >= 9
    assert told["score"] > 0.6
    assert {"baseline", "linear", "lightgbm"} <= set(told["families"])
    assert told["far"] < 1e-4
    assert (tmp_path / "leavers.onnx").exists()


def test_the_notebook_keeps_no_output_that_could_be_stale() -> None:
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    assert not [cell for cell in cells if cell.get("outputs") or cell.get("execution_count")]
