"""S5: quiet windows, a harmless change, two shocks within the cool-down; silence unless it matters."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pytest
import yaml

from penstock.demo.client import Client
from penstock.serving.journal import Journal
from penstock.serving.session import LoadedBundle
from penstock.store import artifacts, records
from tests.e2e.rollouts import workspace_of
from tests.stranger import Stranger

COLUMNS = [f"c{place}" for place in range(40)]
DAYS = 300
START = np.datetime64("2025-01-06", "us")
ROWS = 500  # a window over HTTP
MANY = 500_000  # a window of journal segments
HARMLESS = "c30"
SETTINGS: dict[str, Any] = {
    "budget": {"seconds": 25},
    "families": {"include": ["linear"]},
    "monitoring": {"every_minutes": 100_000, "window_rows": 1000, "min_rows": 200},
    "retrain": {"persistence": 1, "cooldown_minutes": 1000, "min_new_labels": 200},
    "rollout": {"stages": [100]},
}

pytestmark = [pytest.mark.timeout(900), pytest.mark.full]


def make_rows(random: np.random.Generator, day: float, rows: int, days: float = 1.0, **shifts: float) -> pd.DataFrame:
    """Make rows of some days: forty columns, four of which follow the week, three of which decide the target."""
    moments = START + (np.sort(random.uniform(day, day + days, rows)) * 86_400e6).astype("m8[us]")
    weekend = (moments.astype("M8[D]").astype(np.int64) + 3) % 7 >= 5
    columns: dict[str, Any] = {"when": moments}
    for place, name in enumerate(COLUMNS):
        if place % 4 == 3:
            columns[name] = np.array(["a", "b", "c", "d"], object)[random.choice(4, rows, p=[0.5, 0.3, 0.15, 0.05])]
        else:
            cycle = weekend * (place in {4, 8, 12, 16})
            columns[name] = (random.normal(size=rows) + cycle + shifts.get(name, 0.0)).round(3)
    frame = pd.DataFrame(columns)
    odds = shifts.get("meaning", 1.0) * (1.2 * frame["c0"] - 0.9 * frame["c1"] + 0.8 * (frame["c3"] == "b")) - 0.5
    frame["bought"] = np.where(random.random(rows) < 1 / (1 + np.exp(-odds)), "yes", "no")
    return frame


@dataclass
class Watched:
    """A served project of forty columns, and its stream."""

    stranger: Stranger
    client: Client
    random: np.random.Generator = field(default_factory=lambda: np.random.default_rng(3))
    day: float = DAYS
    alarms: list[tuple[bool, bool]] = field(default_factory=list)

    def send(self, **shifts: float) -> None:
        """Send a day of rows over HTTP, and what came true of them."""
        frame = make_rows(self.random, self.day, ROWS, **shifts)
        self.day += 1
        for start in range(0, ROWS, 50):
            some = frame.iloc[start : start + 50]
            said = self.client.predict(plain(some))
            told = [
                {"request_id": said.request_id, "row": row, "value": value} for row, value in enumerate(some["bought"])
            ]
            assert self.client.label(told)["accepted"] == len(some)

    def look(self, *, harmful: bool = False) -> dict[str, Any]:
        """Watch a window now; remember whether it was rightly called harmful."""
        found = self.stranger.answer("monitor", "quiet")
        decision = found["decision"]
        self.alarms.append((harmful, decision["verdict"] == "retrain" or "merged with" in decision["reasons"][0]))
        return found

    def figures(self) -> str:
        """Return how many alarms were right, as the truth is known."""
        right = sum(alarm and harmful for harmful, alarm in self.alarms)
        wrong = sum(alarm and not harmful for harmful, alarm in self.alarms)
        missed = sum(harmful and not alarm for harmful, alarm in self.alarms)
        return f"{len(self.alarms)} windows: {right} alarms right, {wrong} wrong, {missed} missed"


def plain(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return rows as a client sends them."""
    texts = frame["when"].dt.strftime("%Y-%m-%dT%H:%M:%S")
    rows: list[Any] = frame.drop(columns="bought").assign(when=texts).to_dict("records")
    return rows


@pytest.fixture(scope="module")
def watched(stranger: Stranger) -> Iterator[Watched]:
    """A project that was trained on 300 days."""
    table = make_rows(np.random.default_rng(2), 0, 4000, DAYS)
    table.to_csv(stranger.folder / "quiet.csv", index=False)
    stranger.answer("init", "quiet", "--data", "quiet.csv", "--target", "bought")
    change_settings(stranger, SETTINGS)
    made = stranger.answer("run", "quiet")
    assert made["release"]["state"] == "serving", made["decision"]
    with Client(made["endpoint"].split("/v1/")[0], "quiet", made["key"]) as client:
        found = Watched(stranger, client)
        yield found
    sys.stdout.write(f"\n{found.figures()}\n")


def change_settings(stranger: Stranger, settings: dict[str, Any]) -> None:
    """Change sections of the project file."""
    path = stranger.folder / "projects" / "quiet.yaml"
    spec = yaml.safe_load(path.read_text())
    for section, values in settings.items():
        spec[section] = {**spec[section], **values}
    path.write_text(yaml.safe_dump(spec))


def assert_quiet(found: dict[str, Any]) -> None:
    assert found["decision"]["verdict"] == "hold", found
    assert found["drifted"] == [], found
    assert found["incident"] is None
    assert found["decision"]["reasons"][0].startswith("No action: no column drifted")


def test_quiet_windows_and_a_harmless_change_start_nothing(watched: Watched) -> None:
    for _ in range(3):
        watched.send()
        found = watched.look()
        assert_quiet(found)
        assert found["window"]["rows"] == ROWS
        assert found["performance"]["measured"] is not None
    watched.send(**{HARMLESS: 2.0})
    found = watched.look()
    assert found["decision"]["verdict"] == "hold"
    assert found["drifted"] == [HARMLESS]
    assert "no measurable loss" in found["decision"]["reasons"][0]
    assert found["report"] is not None


@pytest.mark.timeout(3600)
def test_sixty_quiet_windows_over_http_start_nothing(watched: Watched) -> None:
    for _ in range(60):
        watched.send()
        assert_quiet(watched.look())


@pytest.mark.timeout(3600)
def test_windows_of_half_a_million_rows_start_nothing(watched: Watched) -> None:
    change_settings(watched.stranger, {"monitoring": {"window_rows": MANY}})
    journal = Journal(workspace_of(watched.stranger))
    try:
        for _ in range(6):
            write_journal(watched, journal)
            found = watched.look()
            assert found["window"]["rows"] == MANY
            assert_quiet(found)
    finally:
        journal.close()
        change_settings(watched.stranger, {"monitoring": {"window_rows": 1000}})


def write_journal(watched: Watched, journal: Journal) -> None:
    """Journal a day of so many rows as the service would, answered by the version that serves."""
    workspace = journal.workspace
    version = records.find_version("quiet", "1", workspace)
    bundle = LoadedBundle.open(artifacts.local_folder(version.bundle, workspace))
    for start in range(0, MANY, 5000):
        frame = make_rows(watched.random, watched.day + start / MANY, 5000, 5000 / MANY)
        rest = {
            "at": workspace.now(),
            "project": "quiet",
            "version": "1",
            "rows": plain(frame),
            "predictions": bundle.answer_columns({str(name): frame[name].to_numpy() for name in frame}),
            "latency_ms": 1.0,
        }
        journal.append("quiet", journal.ids.next(), msgspec.json.encode(rest)[1:])
    watched.day += 1


def test_two_shocks_within_the_cool_down_start_one_training(watched: Watched) -> None:
    watched.send(c0=1.0, meaning=-1.0)
    first = watched.look(harmful=True)
    assert first["decision"]["verdict"] == "retrain", first
    assert first["incident"] == first["decision"]["id"]
    assert "c0" in first["drifted"]
    watched.send(c1=1.0, meaning=-1.0)
    second = watched.look(harmful=True)
    assert second["decision"]["verdict"] == "hold"
    assert second["incident"] is None
    assert "merged with" in second["decision"]["reasons"][0], second
    entries = watched.stranger.answer("audit", "quiet")["entries"]
    assert [entry["action"] for entry in entries].count("monitor.retrain") == 1
    assert all(harmful == alarm for harmful, alarm in watched.alarms), watched.figures()
