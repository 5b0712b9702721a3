"""How far the inputs of a window have moved from those that the serving version was trained on."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches

import numpy as np
from numpy.typing import NDArray

from penstock.domain.monitoring import ColumnDrift, DriftReport, Window
from penstock.domain.workspace import Workspace
from penstock.errors import SpecError
from penstock.evaluation.wording import count, figure
from penstock.monitoring.detectors._base import Column, DriftDetector, Moved
from penstock.monitoring.matching import match, phases, stretches
from penstock.monitoring.reference import (
    Rows,
    as_rows,
    current_frame,
    find_trained,
    reference_frame,
    watched,
)
from penstock.plugins import find_plugins
from penstock.spec import ProjectSpec

FALSE_ALARMS = 0.0005  # share of quiet windows with a drifted column by chance, over all columns and detectors
USUAL = 0.9  # of the reference's own stretches, how many a column must have moved further than


@dataclass(frozen=True, slots=True)
class Watch:
    """A detector with the effect above which a column drifted."""

    detector: DriftDetector
    threshold: float


def measure_drift(window: Window, spec: ProjectSpec, workspace: Workspace) -> DriftReport | None:
    """Measure how far a window's columns have moved from the rows that the serving version was trained on.

    Watched are the features that the version uses; not the target, the id, the time column and other dates. A column
    drifted if its effect, less what chance shows in so many rows, is above the detector's threshold (project file,
    `drift`), and if chance would show as much in less than one of 1,000 quiet windows, all columns together; and if it
    moved further than stretches of the reference do among themselves. Rows are compared with rows of the same part of
    the week, so that a window shorter than a weekly cycle does not show it as drift (see `matching`).

    Parameters
    ----------
    window
        The window.
    spec
        The project: its thresholds and seed.
    workspace
        Where tables and records are.

    Returns
    -------
    DriftReport or None
        None for a window with too few rows.

    Raises
    ------
    SpecError
        If `drift` names a detector that there is not.
    NotFound
        If what the version was trained on is gone.
    """
    watches = find_watches(spec.drift)
    if window.table is None:
        return None
    trained = find_trained(spec.name, window.version, workspace)
    columns = watched(trained, spec)
    reference = reference_frame(trained, columns, spec, workspace)
    current = current_frame(window.table, columns, spec, workspace)
    sides = as_rows(reference, current, columns, spec.time)
    found, notes = compare(*sides, watches)
    importance = {each.column: each.value for each in trained.explanation.importances}
    return DriftReport(
        project=spec.name,
        reference=trained.split.dataset,
        reference_rows=len(reference),
        rows=window.rows,
        columns=tuple(replace(each, importance=importance.get(each.column, 0.0)) for each in found),
        notes=notes,
    )


def find_watches(thresholds: Mapping[str, float]) -> tuple[Watch, ...]:
    """Return every detector with its threshold: the project file's, else its own.

    Raises
    ------
    SpecError
        If a name is none of a detector.
    """
    known = find_plugins("penstock.monitoring.detectors", DriftDetector)
    for name in thresholds:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            hint = f"Did you mean {near[0]!r}?" if near else f"There are: {', '.join(known)}."
            raise SpecError(f"`drift` must name detectors, but names {name!r}. {hint}", [name])
    return tuple(Watch(kind(), thresholds.get(name, kind.threshold)) for name, kind in known.items())


def compare(
    reference: Rows, current: Rows, watches: tuple[Watch, ...]
) -> tuple[tuple[ColumnDrift, ...], tuple[str, ...]]:
    """Return how far each column has moved, by the detector that shows most, and notes on how rows were compared.

    Parameters
    ----------
    reference, current
        Rows with the same columns.
    watches
        The detectors.

    Returns
    -------
    tuple of ColumnDrift
        One a column, the largest effect (in thresholds) first.
    tuple of str
    """
    cycle = phases(reference.times, current.times)
    weights = match(*cycle) if cycle else (np.ones(reference.count), np.ones(current.count))
    tests = sum(column.kind in watch.detector.kinds for column in current.columns.values() for watch in watches)
    alarm = FALSE_ALARMS / max(tests, 1)
    parts = stretches(reference.times, current.times)
    found = []
    for name, column in current.columns.items():
        pair = (_weighted(reference.columns[name], weights[0]), _weighted(column, weights[1]))
        moves = [
            _judge(name, pair, watch, alarm, Own(reference.columns[name], cycle[0] if cycle else None, parts))
            for watch in watches
            if column.kind in watch.detector.kinds
        ]
        shown = [move for move in moves if move is not None]
        if shown:
            found.append(max(shown, key=lambda move: (move.drifted, move.effect / move.threshold)))
    found.sort(key=lambda move: (move.drifted, move.effect / move.threshold), reverse=True)
    return tuple(found), _notes(weights, cycled=cycle is not None)


@dataclass(frozen=True, slots=True)
class Own:
    """A column of the reference with its own stretches in time, and the part of the week of each row."""

    column: Column
    phase: NDArray[np.int64] | None
    parts: list[NDArray[np.bool_]]

    def usual(self, detector: DriftDetector) -> float:
        """Return how far most stretches of the reference are from its other rows.

        A stretch may have fewer rows than the window, so what chance shows in them is taken off once more.
        """
        moves = [moved for part in self.parts if (moved := self._moved(detector, part)) is not None]
        effects = [max(0.0, moved.effect - moved.noise) for moved in moves]
        return float(np.quantile(effects, USUAL)) if effects else 0.0

    def _moved(self, detector: DriftDetector, part: NDArray[np.bool_]) -> Moved | None:
        rest, stretch = self.column.only(~part), self.column.only(part)
        if self.phase is not None:
            weights = match(self.phase[~part], self.phase[part])
            rest, stretch = _weighted(rest, weights[0]), _weighted(stretch, weights[1])
        return detector.measure(rest, stretch)


def _weighted(column: Column, weights: NDArray[np.float64]) -> Column:
    return replace(column, weights=weights)


def _judge(name: str, pair: tuple[Column, Column], watch: Watch, alarm: float, own: Own) -> ColumnDrift | None:
    moved = watch.detector.measure(*pair)
    if moved is None:
        return None
    drifted = moved.effect > watch.threshold and moved.p_value < alarm
    threshold, detail = watch.threshold, moved.detail
    if drifted and (usual := own.usual(watch.detector)) > 0:
        threshold += usual
        drifted = moved.effect > threshold
        detail += f"; stretches of the reference as long as the window differ by up to {figure(usual, 2)}"
    return ColumnDrift(name, watch.detector.name, moved.effect, threshold, drifted, detail)


def _notes(weights: tuple[NDArray[np.float64], NDArray[np.float64]], *, cycled: bool) -> tuple[str, ...]:
    if not cycled:
        return ("Rows were compared whatever the day and hour they came: the rows do not say when that was.",)
    left_out = int(np.count_nonzero(weights[1] == 0))
    notes = ["Rows were compared with rows of the same weekdays and quarters of the day."]
    if left_out:
        notes.append(
            f"{count(left_out, 'row was', 'rows were')} left out: the reference has few of that weekday and hour."
        )
    return tuple(notes)
