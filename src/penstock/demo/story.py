"""The story that the demo tells: a client that speaks only the command line and HTTP."""

import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from penstock.errors import PenstockError

PROJECT = "bikes-2011"
TARGET = "cnt"
ROWS_ASKED = 24  # one day, hour by hour
Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Stage:
    """Where the demo plays: its folder, the variables of its commands, and how it tells."""

    folder: Path
    environment: Mapping[str, str]
    tell: Tell


@dataclass(frozen=True, slots=True)
class Ending:
    """What the demo came to: the answer of `penstock run`, and the seconds of each scene."""

    answer: dict[str, Any]
    seconds: dict[str, float]


def play(stage: Stage) -> Ending:
    """Start the stack, make a served model of the bike rentals of 2011, and ask it for a day.

    Returns
    -------
    Ending
        What `penstock run --json` printed, and seconds by scene.

    Raises
    ------
    PenstockError
        If a command fails.
    """
    seconds: dict[str, float] = {}
    stage.tell("Penstock: from a file to a served model.\n")
    file = _timed("write the data", seconds, lambda: write_rentals(stage.folder / f"{PROJECT}.csv"))
    stage.tell(f"The data: every hour of bike rentals in Washington DC, 2011 ({file}).")
    stage.tell("\n$ penstock up")
    _timed("start the stack", seconds, lambda: _command(stage, "up"))
    stage.tell(f"\n$ penstock run {file.name} --target {TARGET}")
    answer = _timed("main job", seconds, lambda: _run(stage, file))
    asked = _timed("ask for a day", seconds, lambda: _ask_for_a_day(answer, file))
    _tell_answers(stage.tell, asked)
    _tell_end(stage, answer, seconds)
    return Ending(answer, seconds)


def write_rentals(path: Path) -> Path:
    """Write the hours of 2011 as a CSV file, `casual` and `registered` included."""
    import pandas as pd

    table = pd.read_parquet(Path(__file__).parent / "data" / "bike_sharing_hourly.parquet")
    path.parent.mkdir(parents=True, exist_ok=True)
    table[table["datetime"] < "2012-01-01"].to_csv(path, index=False)
    return path


def _timed(name: str, seconds: dict[str, float], act: Callable[[], Any]) -> Any:
    began = time.perf_counter()
    result = act()
    seconds[name] = time.perf_counter() - began
    return result


def _penstock(stage: Stage, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "penstock.cli.main", *arguments],
        cwd=stage.folder,
        env=dict(stage.environment),
        stdout=subprocess.PIPE,
        text=True,
    )


def _command(stage: Stage, *arguments: str) -> str:
    with _penstock(stage, *arguments) as process:
        said, _ = process.communicate()
    if process.returncode != 0:
        raise PenstockError(
            f"`penstock {' '.join(arguments)}` must end well, but ended with code {process.returncode}."
        )
    return said


def _run(stage: Stage, file: Path) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(_command(stage, "run", file.name, "--target", TARGET, "--json"))
    return answer


def _ask_for_a_day(answer: dict[str, Any], file: Path) -> list[tuple[str, float, dict[str, Any]]]:
    import pandas as pd

    day = pd.read_csv(file).tail(ROWS_ASKED)
    rows = json.loads(day.drop(columns=[TARGET]).to_json(orient="records"))
    body = json.dumps({"rows": rows}).encode()
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {answer['key']}"}
    request = urllib.request.Request(answer["endpoint"], body, headers)  # noqa: S310  our own service on loopback
    try:
        with urllib.request.urlopen(request, timeout=30) as response:  # noqa: S310
            said = json.load(response)["predictions"]
    except urllib.error.HTTPError as error:
        raise PenstockError(f"The endpoint must answer, but said {error.code}: {error.read()[:300]!r}.") from error
    return list(zip(day["datetime"].astype(str), day[TARGET].astype(float), said, strict=True))


def _tell_answers(tell: Tell, asked: list[tuple[str, float, dict[str, Any]]]) -> None:
    tell("\nThe last day of 2011, asked over HTTP (hours that nothing was fitted on):\n")
    tell(f"{'hour':20}{'rentals':>8}{'said':>8}{'90 % interval':>16}")
    for hour, truth, said in asked[::3]:
        interval = f"{said['low']:.0f} to {said['high']:.0f}"
        tell(f"{hour:20}{truth:8.0f}{said['value']:8.0f}{interval:>16}")
    error = sum(abs(truth - said["value"]) for _, truth, said in asked) / len(asked)
    tell(f"mean error of the day: {error:.1f} rentals an hour")


def _tell_end(stage: Stage, answer: dict[str, Any], seconds: dict[str, float]) -> None:
    tell, score = stage.tell, answer["score"]
    tell("\nSeconds:")
    for name, took in seconds.items():
        tell(f"  {name:18}{took:6.1f}")
    tell("  of the main job:")
    for name, took in answer["seconds"].items():
        tell(f"    {name:16}{took:6.1f}")
    interval = f"({score['low']:.4g} to {score['high']:.4g})"
    tell(f"\n{score['metric']} {score['value']:.4g} {interval} on {score['rows']} held-out rows")
    for told in answer["left_out"]:
        tell(f"left out: {told}")
    tell(f"version {answer['version']}: {answer['decision']['verdict']}")
    for reason in answer["decision"]["reasons"]:
        tell(f"  {reason}")
    ports = stage.environment
    tell(f"\nPrefect UI  http://127.0.0.1:{ports['PENSTOCK_PREFECT_PORT']}")
    tell(f"MLflow      http://127.0.0.1:{ports['PENSTOCK_MLFLOW_PORT']}")
    tell(f"report      {answer['report']}")
    tell(f"endpoint    {answer['endpoint']}")
    tell(f"\n{answer['curl']}\n")
