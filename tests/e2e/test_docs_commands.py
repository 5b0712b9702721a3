"""X12: the commands of the tutorial, and of the pages that follow it, do what they say, in an empty folder."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from tests.stranger import Stranger

ROOT = Path(__file__).resolve().parents[2]


def blocks_of(page: Path) -> list[str]:
    """Return a page's code blocks."""
    return re.findall(r"^```\n(.*?)^```", page.read_text(), flags=re.MULTILINE | re.DOTALL)


def commands_of(page: Path) -> list[str]:
    """Return the lines of a page's code blocks that are commands."""
    blocks = blocks_of(page)
    lines = [line.split("  #")[0].strip() for block in blocks for line in block.splitlines()]
    return [line for line in lines if line.startswith(("penstock ", "python "))]


def run(stranger: Stranger, line: str, **variables: str) -> str:
    """Run a line of the tutorial in a shell that has Penstock on its path."""
    environment = {**os.environ, **stranger.environment, **variables}
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
    call_the_service(stranger)


def call_the_service(stranger: Stranger) -> None:
    """Go through the page for programs that call, with the tutorial's project."""
    page = ROOT / "docs" / "how-to" / "call-the-service.md"
    shutil.copyfile(stranger.folder / "tutorial" / "leavers.csv", stranger.folder / "tutorial" / "customers.csv")
    create, listed, revoke, predict = (line.replace("churn", "leavers") for line in commands_of(page))
    key = run(stranger, create).split()[-1]
    assert "shop" in run(stranger, listed)
    url = f"http://127.0.0.1:{stranger.environment['PENSTOCK_SERVING_PORT']}/v1/leavers"
    calls = [call for block in blocks_of(page) for call in re.findall(r"^curl .*?(?=^curl |\Z)", block, re.M | re.S)]
    request_id, answers = "", []
    for call in calls:
        said = json.loads(run(stranger, call.replace("REQUEST-ID", request_id), KEY=key, URL=url))
        assert "error" not in said, call
        request_id = said.get("request_id", request_id)
        answers.append(set(said))
    assert answers[:3] == [
        {"request_id", "version", "predictions"},
        {"accepted", "superseded", "unknown"},
        {"request_id", "row", "state"},
    ]
    assert "versions" in answers[3]
    assert "properties" in answers[4]
    run(stranger, revoke)
    run(stranger, predict)
    assert (stranger.folder / "tutorial" / "answers.parquet").exists()
