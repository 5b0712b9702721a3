"""Windows of the journal: disjoint, newest rows, canonical columns."""

import sys
from datetime import UTC, datetime, timedelta

import msgspec
import numpy as np
import pandas as pd
import pytest

from penstock.domain.monitoring import Monitored, Seen
from penstock.domain.workspace import Workspace
from penstock.errors import NotFound
from penstock.monitoring.drift import measure_drift
from penstock.monitoring.performance import measure_performance
from penstock.monitoring.policy import decide
from penstock.monitoring.windows import stored_name, take_window
from penstock.serving.journals.sealing import seal
from penstock.spec import ProjectSpec, Source
from penstock.store import frames
from penstock.store.windows import list_windows
from tests.unit.monitoring.world import DAYS, START, World

LATER = START + timedelta(days=DAYS)


def look(world: World) -> Monitored:
    window = take_window(world.spec, world.workspace)
    drift = measure_drift(window, world.spec, world.workspace)
    performance = measure_performance(window, world.spec, world.workspace)
    return decide(Seen(window, drift, performance), world.spec, "", world.workspace)


def test_a_window_holds_the_columns_of_the_contract_in_their_types(world: World) -> None:
    asked = world.ask(LATER, 300)
    window = take_window(world.spec, world.workspace)
    table = frames.load_table(str(window.table), world.workspace)
    assert (window.number, window.rows, window.version, window.skipped) == (1, 300, "1", 0)
    assert window.last_id == asked["request_id"].max()
    assert window.from_at is not None
    assert window.from_at.tzinfo is UTC
    assert list(table.columns[:6]) == ["request_id", "row", "at", "version", "latency_ms", "failed"]
    assert table["age"].to_numpy() == pytest.approx(asked["age"].to_numpy())
    assert table["when"].tolist() == asked["when"].tolist()
    assert table["paid"].tolist() == asked["paid"].tolist()
    assert str(table["plan"].dtype) == "str"
    assert table[["p0", "p1"]].sum(axis=1).to_numpy() == pytest.approx(1.0)
    assert table["row"].tolist() == asked["row"].tolist()
    assert "target" not in table


def test_the_next_window_begins_where_the_last_ended(world: World) -> None:
    first = world.ask(LATER, 300)
    look(world)
    second = world.ask(LATER + timedelta(days=1), 250)
    seal("churn", world.workspace)
    window = take_window(world.spec, world.workspace)
    table = frames.load_table(str(window.table), world.workspace)
    assert (window.number, window.rows) == (2, 250)
    assert set(table["request_id"]) == set(second["request_id"])
    assert not set(table["request_id"]) & set(first["request_id"])


def test_the_newest_rows_are_taken_and_older_ones_counted(world: World) -> None:
    asked = world.ask(LATER, 1500)
    window = take_window(world.spec, world.workspace)
    table = frames.load_table(str(window.table), world.workspace)
    assert (window.rows, window.skipped) == (1000, 500)
    assert set(table["request_id"]) == set(asked["request_id"].iloc[500:])


def test_too_few_rows_are_not_taken_and_wait_for_more(world: World) -> None:
    world.ask(LATER, 120)
    monitored = look(world)
    assert monitored.decision.verdict == "hold"
    assert monitored.decision.reasons == ("No action: too few rows: 120 of 200; the next window begins with them.",)
    assert (monitored.window.rows, monitored.window.table) == (120, None)
    assert list_windows("churn", world.workspace) == []
    world.ask(LATER + timedelta(hours=1), 100)
    assert look(world).window.rows == 220


def test_a_window_of_an_idle_project_has_no_times(world: World) -> None:
    window = take_window(world.spec, world.workspace)
    assert (window.rows, window.from_at, window.to_at) == (0, None, None)


def test_values_of_another_type_are_missing_and_absent_columns_too(world: World) -> None:
    for number in range(300):
        request_id = world.journal.ids.next()
        sent = {"age": "old" if number % 2 else 30, "when": "2026-01-05T10:00:00+02:00", "load": [1], "plan": ""}
        rest = {
            "at": LATER.isoformat(),
            "project": "churn",
            "version": "1",
            "rows": [sent],
            "predictions": [{"label": "no", "score": 0.1, "probabilities": {"no": 0.9, "yes": 0.1}}],
            "latency_ms": 1.0,
            "failed": "2" if number < 3 else None,
        }
        line = msgspec.json.encode(rest)[1:]
        huge = b'"age":' + b"9" * 400  # JSON knows no largest number
        world.journal.append("churn", request_id, line if number else line.replace(b'"age":30', huge))
    window = take_window(world.spec, world.workspace)
    table = frames.load_table(str(window.table), world.workspace)
    assert table["age"].isna().sum() == 150
    assert table["age"].max() == sys.float_info.max
    assert table["load"].isna().all()
    assert table["plan"].isna().all()
    assert table["note"].isna().all()
    assert (table["when"] == pd.Timestamp("2026-01-05T08:00:00")).all()
    assert table["failed"].sum() == 3
    assert measure_performance(window, world.spec, world.workspace).failures == 3


def test_a_column_may_be_named_as_one_of_the_windows_own() -> None:
    assert stored_name("version") == "column version"
    assert stored_name("p1") == "column p1"
    assert stored_name("price") == "price"


def test_a_project_without_a_release_is_not_watched(workspace: Workspace) -> None:
    spec = ProjectSpec(name="new", source=Source(kind="csv_file", path="x.csv"), target="y")
    with pytest.raises(NotFound, match="no released version to watch"):
        take_window(spec, workspace)


def test_large_windows_are_read_in_chunks_and_keep_their_order(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("penstock.monitoring.windows.CHUNK_ROWS", 64)
    asked = world.ask(LATER, 700)
    spec = world.spec.model_copy(update={"monitoring": world.spec.monitoring.model_copy(update={"window_rows": 500})})
    window = take_window(spec, world.workspace)
    table = frames.load_table(str(window.table), world.workspace)
    assert (window.rows, window.skipped) == (500, 200)
    assert table["age"].to_numpy() == pytest.approx(asked["age"].iloc[200:].to_numpy())
    assert np.all(table["at"].to_numpy()[1:] >= table["at"].to_numpy()[:-1])


def test_times_are_those_of_the_calendar(world: World) -> None:
    world.ask(LATER, 300)
    window = take_window(world.spec, world.workspace)
    assert window.to_at is not None
    assert LATER <= window.to_at < LATER + timedelta(days=1)
    assert window.to_at < datetime(2026, 2, 1, tzinfo=UTC)
