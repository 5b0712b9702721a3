"""Drift of a window beside the rows that the serving version was trained on."""

from datetime import timedelta

import numpy as np
import pytest
from numpy.typing import NDArray

from penstock.domain.monitoring import DriftReport
from penstock.errors import SpecError
from penstock.monitoring.detectors._base import Column
from penstock.monitoring.drift import compare, find_watches, measure_drift
from penstock.monitoring.matching import match, phases, stretches
from penstock.monitoring.reference import Rows
from penstock.monitoring.windows import take_window
from tests.unit.monitoring.world import DAYS, QUIET, START, Shift, World

LATER = START + timedelta(days=DAYS + 5)  # a Saturday


def drift_of(world: World, shift: Shift = QUIET, rows: int = 600, **thresholds: float) -> DriftReport:
    world.ask(LATER, rows, shift)
    spec = world.spec.model_copy(update={"drift": thresholds})
    found = measure_drift(take_window(spec, world.workspace), spec, world.workspace)
    assert found is not None
    return found


def test_a_quiet_saturday_is_no_drift(world: World) -> None:
    found = drift_of(world)
    assert found.drifted == ()
    assert {column.column for column in found.columns} == {"age", "load", "idle", "plan", "paid", "note"}
    assert found.reference == world.trained.split.dataset
    assert found.notes[0] == "Rows were compared with rows of the same weekdays and quarters of the day."


def test_moved_columns_are_named_with_what_moved(world: World) -> None:
    found = drift_of(world, Shift({"age": 1.0, "plan": 0.35}))
    assert set(found.drifted) == {"age", "plan"}
    age = next(column for column in found.columns if column.column == "age")
    assert age.importance == 0.2
    assert "of the reference" in age.detail
    assert age.effect > age.threshold >= 0.2


def test_missing_values_are_drift_of_their_own(world: World) -> None:
    found = drift_of(world, Shift(missing={"age": 0.4}))
    assert found.drifted == ("age",)
    assert found.columns[0].detector == "missing"
    assert found.columns[0].detail.startswith("missing: 0.0% of the reference")


def test_thresholds_out_of_reach_call_nothing_drifted(world: World) -> None:
    found = drift_of(world, Shift({"age": 3.0}), psi=1e9, missing=1e9, levels=1e9)
    assert found.drifted == ()
    assert found.columns[0].effect > 1


def test_a_threshold_of_the_project_file_counts(world: World) -> None:
    found = drift_of(world, Shift({"age": 0.4}), rows=1000, psi=0.03)
    assert found.drifted == ("age",)
    assert found.columns[0].effect < 0.2


def test_an_unknown_detector_is_a_fault_of_the_project_file(world: World) -> None:
    with pytest.raises(SpecError, match="Did you mean 'psi'"):
        drift_of(world, pis=0.1)


def test_dates_the_target_and_the_time_column_are_not_watched(world: World) -> None:
    names = {column.column for column in drift_of(world).columns}
    assert not names & {"when", "target"}


def test_every_detector_watches() -> None:
    assert {watch.detector.name for watch in find_watches({})} == {"levels", "missing", "psi"}


def test_a_column_that_wanders_anyway_must_move_further() -> None:
    random = np.random.default_rng(1)
    hours = np.datetime64("2024-01-01", "us") + np.arange(8760).astype("m8[h]")
    autumn = np.datetime64("2024-12-31", "us") + np.arange(30 * 24).astype("m8[h]")
    season = np.cos(np.arange(8760) / 8760 * 2 * np.pi)
    reference = Rows(
        {"warm": plain(2 * season + random.normal(size=8760)), "x": plain(random.normal(size=8760))}, hours
    )
    winter = {"warm": plain(2 + random.normal(size=720)), "x": plain(1 + random.normal(size=720))}
    found = {column.column: column for column in compare(reference, Rows(winter, autumn), find_watches({}))[0]}
    assert found["x"].drifted
    assert not found["warm"].drifted
    assert found["warm"].effect > 0.2
    assert "stretches of the reference" in found["warm"].detail


def plain(values: NDArray[np.float64]) -> Column:
    return Column("number", values, np.ones(values.size))


def test_stretches_are_as_long_as_the_window() -> None:
    moments = np.datetime64("2025-01-01", "us") + np.arange(4000).astype("m8[h]")
    window = np.datetime64("2025-07-01", "us") + np.arange(200).astype("m8[h]")
    parts = stretches(moments, window)
    assert 6 <= len(parts) <= 24
    assert all(part.sum() >= 100 for part in parts)
    assert stretches(moments, moments) == []


def test_rows_are_matched_by_weekday_and_quarter_of_the_day() -> None:
    hours = np.datetime64("2025-01-06", "us") + np.arange(7 * 24 * 10).astype("m8[h]")
    friday = np.datetime64("2025-03-07T12", "us") + np.arange(6).astype("m8[h]")
    found = phases(hours, friday)
    assert found is not None
    weights, kept = match(*found)
    assert kept == pytest.approx(1.0)
    matched = hours[weights > 0]
    assert set(((matched.astype("M8[D]").astype(int) + 3) % 7).tolist()) == {4}
    assert matched.size == 60


def test_rows_of_days_that_the_reference_does_not_know_are_left_out() -> None:
    reference, current = np.repeat([0, 1], 100), np.array([0] * 60 + [5] * 40)
    weights, kept = match(reference, current)
    assert kept[:60] == pytest.approx(1 / 0.6)
    assert not kept[60:].any()
    assert weights.mean() == pytest.approx(1.0)
    everything, whole = match(reference, np.full(100, 5))
    assert everything == pytest.approx(1.0)
    assert whole == pytest.approx(1.0)


def test_without_times_rows_are_compared_as_they_are(world: World) -> None:
    world.spec = world.spec.model_copy(update={"time": None})
    found = drift_of(world)
    assert "the rows do not say when" in found.notes[0]
