"""The hourly bike rentals of Washington DC, 2011 and 2012: a year to learn from, and months that follow."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from penstock.demo.client import Row

PROJECT = "bikes-2011"
TARGET = "cnt"
TIME = "datetime"
FILE = Path(__file__).parent / "data" / "bike_sharing_hourly.parquet"
PARTS = ["casual", "registered"]  # of the target: nobody knows them before it
WIDTH = 34  # where comments of a project file begin
SETTING = re.compile(r"(?P<indent> *)(?P<name>[a-z_]+):(?P<value>[^#]*)(?:# (?P<comment>.*))?")

# What the demo's project file says otherwise than the one that `penstock init` writes, and why.
SETTINGS: Mapping[str, tuple[str, str]] = {
    "metric": ("mae", "rentals an hour"),
    "budget.trials": ("12", "short, for the demo; the default is as many as fit into 20 s"),
    "families.include": ("[lightgbm]", "one, as 12 trials are few for all; the default is all"),
    "rollout.stages": ("[0, 25, 100]", "shadow, a quarter, all: short, for the demo"),
    "monitoring.every_minutes": ("1440", "the demo starts the monitor itself"),
    "retrain.persistence": ("1", "one window is enough, for the demo; the default is 2"),
}


@dataclass(frozen=True, slots=True)
class Hours:
    """Hours in order: when, what is known of each beforehand, and how many bikes were rented."""

    times: list[str]
    rows: list[Row]
    counts: list[float]


def write_year(path: Path) -> Path:
    """Write the hours of 2011 as a CSV file, `casual` and `registered` included."""
    table = pd.read_parquet(FILE)
    path.parent.mkdir(parents=True, exist_ok=True)
    table[table[TIME] < "2012-01-01"].to_csv(path, index=False)
    return path


def hours_of(month: str) -> Hours:
    """Return the hours of a month such as ``2012-01``."""
    table = pd.read_parquet(FILE)
    table = table[table[TIME].dt.strftime("%Y-%m") == month]
    known = table.drop(columns=[TARGET, *PARTS])
    for name in known.select_dtypes("datetime"):
        known[name] = known[name].astype(str)  # as the CSV file has them
    return Hours(
        times=list(table[TIME].dt.strftime("%Y-%m-%d %H:%M")),
        rows=json.loads(known.to_json(orient="records")),
        counts=[float(count) for count in table[TARGET]],
    )


def shorten(path: Path) -> None:
    """Change a drafted project file to the demo's settings, each with its reason in the comment."""
    section, lines = "", []
    for line in path.read_text().splitlines():
        found = SETTING.fullmatch(line)
        if found is None:
            lines.append(line)
            continue
        if not found["indent"]:
            section = found["name"]
        key = f"{section}.{found['name']}" if found["indent"] else found["name"]
        lines.append(_changed(line, found, *SETTINGS[key]) if key in SETTINGS else line)
    path.write_text("\n".join([*lines, ""]))


def _changed(line: str, found: re.Match[str], value: str, why: str) -> str:
    del line
    return f"{found['indent']}{found['name']}: {value}".ljust(WIDTH) + f"  # {why}"
