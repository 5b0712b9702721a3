"""What every drift detector must do, drop-ins from elsewhere included."""

from dataclasses import replace

import numpy as np
import pytest

from penstock.monitoring.detectors._base import Column, DriftDetector, Kind
from penstock.plugins import find_plugins

DETECTORS = find_plugins("penstock.monitoring.detectors", DriftDetector)
CASES: list[tuple[str, Kind]] = [(name, kind) for name in DETECTORS for kind in sorted(DETECTORS[name].kinds)]
each_case = pytest.mark.parametrize(("name", "kind"), CASES)
LEVELS = tuple(f"level {place}" for place in range(40))
ALARM = 1e-4


def column(kind: Kind, rows: int, seed: int, missing: float = 0.1) -> Column:
    """Rows of one distribution: a skewed number, or a category with common and rare levels."""
    random = np.random.default_rng(seed)
    gone = random.random(rows) < missing
    if kind == "number":
        return Column(kind, np.where(gone, np.nan, random.lognormal(size=rows)), np.ones(rows))
    shares = 1 / np.arange(1, 36)
    codes = random.choice(35, rows, p=shares / shares.sum())
    return Column(kind, np.where(gone, -1, codes), np.ones(rows), LEVELS)


def moved(kind: Kind, rows: int, seed: int) -> Column:
    """Rows that differ in everything: other values, new levels, more of them missing."""
    found = column(kind, rows, seed, missing=0.5)
    if kind == "number":
        return replace(found, values=found.values * 5 + 3)
    return replace(found, values=np.where(found.values >= 0, found.values % 5 + 35, -1))


def mixed(kind: Kind, rows: int) -> Column:
    """Rows of which a third differ."""
    quiet, other = column(kind, rows, 2), moved(kind, rows, 3)
    return replace(quiet, values=np.where(np.arange(rows) % 3 == 0, other.values, quiet.values))


def test_each_has_a_name_a_threshold_and_kinds() -> None:
    for name, detector in DETECTORS.items():
        assert detector.name == name
        assert detector.threshold > 0
        assert detector.kinds


@each_case
@pytest.mark.parametrize("rows", [200, 2_000, 50_000])
def test_its_effect_of_no_change_is_near_zero_whatever_the_rows(name: str, kind: Kind, rows: int) -> None:
    detector = DETECTORS[name]()
    found = [detector.measure(column(kind, 20_000, 1), column(kind, rows, seed)) for seed in range(2, 12)]
    effects = [each.effect for each in found if each is not None]
    assert len(effects) == 10
    assert max(effects) < detector.threshold
    assert np.mean(effects) < 0.1 * detector.threshold
    assert all(effect >= 0 for effect in effects)


@each_case
def test_no_change_is_seldom_called_unlikely(name: str, kind: Kind) -> None:
    detector = DETECTORS[name]()
    found = [detector.measure(column(kind, 5_000, seed), column(kind, 1_000, seed + 500)) for seed in range(200)]
    values = np.array([each.p_value for each in found if each is not None])
    assert ((values >= 0) & (values <= 1)).all()
    assert (values < 0.01).mean() < 0.05


@each_case
@pytest.mark.parametrize("rows", [200, 20_000])
def test_a_great_change_is_above_its_threshold_and_unlikely(name: str, kind: Kind, rows: int) -> None:
    detector = DETECTORS[name]()
    found = detector.measure(column(kind, 20_000, 1), moved(kind, rows, 2))
    assert found is not None
    assert found.effect > detector.threshold
    assert found.p_value < ALARM
    assert found.detail


@each_case
def test_its_effect_of_a_change_is_that_of_few_rows_as_of_many(name: str, kind: Kind) -> None:
    detector = DETECTORS[name]()
    few, many = (detector.measure(column(kind, 20_000, 1), mixed(kind, rows)) for rows in (2_000, 50_000))
    assert few is not None
    assert many is not None
    assert few.effect == pytest.approx(many.effect, rel=0.3)


@each_case
def test_rows_of_weight_zero_do_not_count(name: str, kind: Kind) -> None:
    detector = DETECTORS[name]()
    reference, quiet, other = column(kind, 20_000, 1), column(kind, 1_000, 2), moved(kind, 1_000, 3)
    both = Column(kind, np.concatenate([quiet.values, other.values]), np.repeat([2.0, 0.0], 1_000), quiet.levels)
    found = detector.measure(reference, both)
    assert found is not None
    assert found.effect < 0.5 * detector.threshold


@each_case
def test_hardly_any_rows_or_one_value_is_no_alarm(name: str, kind: Kind) -> None:
    detector = DETECTORS[name]()
    reference = column(kind, 5_000, 1)
    few = column(kind, 3, 2)
    constant = replace(reference, values=np.full(5_000, 1.0 if kind == "number" else 1))
    empty = replace(reference, values=np.full(5_000, np.nan if kind == "number" else -1))
    for pair in ((reference, few), (constant, constant), (empty, empty)):
        found = detector.measure(*pair)
        assert found is None or (found.effect == 0 and found.p_value > ALARM)


@each_case
def test_a_value_never_seen_is_measured(name: str, kind: Kind) -> None:
    detector = DETECTORS[name]()
    reference, current = column(kind, 5_000, 1), column(kind, 500, 2)
    far = replace(current, values=np.full(500, 1e9 if kind == "number" else 39))
    found = detector.measure(reference, far)
    assert found is not None
    assert np.isfinite(found.effect)
