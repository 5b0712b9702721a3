"""X12: the commands of the tutorial, and of the pages that follow it, do what they say, in an empty folder."""

import re
import subprocess
import sys
from pathlib import Path

from tests.stranger import Stranger

ROOT = Path(__file__).resolve().parents[2]


def commands_of(page: Path) -> list[str]:
    """Return the lines of a page's code blocks that are commands."""
    blocks = re.findall(r"^```\n(.*?)^```", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    lines = [line.split("  #")[0].strip() for block in blocks for line in block.splitlines()]
    return [line for line in lines if line.startswith(("penstock ", "python "))]


def run(stranger: Stranger, line: str) -> str:
    """Run a line of the tutorial in a shell that has Penstock on its path."""
    import os

    environment = {**os.environ, **stranger.environment}
    environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
    said = subprocess.run(
        line,
        shell=True,
        cwd=stranger.folder / "tutorial",
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )
    assert said.returncode == 0, f"{line}\n{said.stdout[-2000:]}\n{said.stderr[-3000:]}"
    return said.stdout


def test_the_tutorials_commands_do_what_it_says(stranger: Stranger) -> None:
    (stranger.folder / "tutorial").mkdir()
    lines = commands_of(ROOT / "docs" / "tutorial.md")
    assert len(lines) >= 11
    for line in lines:
        if line == "penstock down":
            continue
        asked = line.replace("churn", "leavers").replace("--target leaversed", "--target churned")
        asked += " --seconds 6" if asked.startswith("penstock run") else ""
        out = run(stranger, asked)
        if "run leavers.csv" in asked:
            assert "promote" in out
            assert out.strip().count("\n") >= 10
            curl = next(each for each in out.splitlines() if each.startswith("curl "))
            assert (
                '"predictions"' in subprocess.run(curl, shell=True, capture_output=True, text=True, check=True).stdout
            )
        if asked.startswith("penstock run leavers "):
            assert "hold" in out
        if asked.startswith("penstock monitor"):
            assert "No action yet: a loss was measured in 1 window of the 2 in a row" in out
    for page in ("watch-and-retrain", "roll-out"):  # they go on with the tutorial's project
        for line in commands_of(ROOT / "docs" / "how-to" / f"{page}.md"):
            if "--incident" not in line:  # there is one once a second window shows a loss
                run(stranger, line.replace("churn", "leavers"))
