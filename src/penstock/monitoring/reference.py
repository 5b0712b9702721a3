"""What a window is compared with: the training rows of the version that serves, and rows as detectors take them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from penstock.data.types.conforming import as_text
from penstock.domain.features import ColumnPlan
from penstock.domain.outcomes import Trained
from penstock.domain.workspace import Workspace
from penstock.errors import NotFound
from penstock.monitoring.detectors._base import Column, Kind
from penstock.monitoring.windows import stored_name
from penstock.spec import ProjectSpec
from penstock.store import frames, records

SAMPLE = 20_000  # reference rows: shares of a tenth are then known to 1 in 50
MOST_CURRENT = 100_000  # rows of a window that are compared: more tell an effect no better
HELD_OUT, UNUSED = -1, -2


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows as detectors take them: columns by name, and when each row was (None where that is not known)."""

    columns: dict[str, Column]
    times: NDArray[Any] | None

    @property
    def count(self) -> int:
        """The number of rows."""
        return next((column.values.size for column in self.columns.values()), 0)


def find_trained(project: str, version: str, workspace: Workspace) -> Trained:
    """Return everything that the training of a version made.

    Raises
    ------
    NotFound
        If its record is gone.
    """
    trained = records.find_record("trained", version, project, Trained, workspace)
    if trained is None:
        raise NotFound(f"What version {version} of {project!r} was trained on must be kept, but its record is gone.")
    return trained


def watched(trained: Trained, spec: ProjectSpec) -> tuple[ColumnPlan, ...]:
    """Return the features that are watched: all but dates, which move on by nature, and the columns of the rows' order.

    Rows are compared with rows of the same part of the week (see `phases`), so that nothing of a date is left to
    watch but its year and season.
    """
    left_out = {spec.target, spec.time, spec.id}
    return tuple(column for column in trained.plan.used if column.treatment != "date" and column.name not in left_out)


def reference_frame(
    trained: Trained, columns: tuple[ColumnPlan, ...], spec: ProjectSpec, workspace: Workspace
) -> pd.DataFrame:
    """Return a seeded sample of the rows that a version was trained on, in their order, with their time."""
    assignment = np.asarray(frames.load_array(trained.split.assignment, workspace))
    rows = np.flatnonzero((assignment != HELD_OUT) & (assignment != UNUSED))
    if rows.size > SAMPLE:
        rows = np.sort(np.random.default_rng(spec.seed).choice(rows, SAMPLE, replace=False))
    names = [column.name for column in columns]
    table = frames.load_table(trained.split.dataset, workspace, [*names, *([spec.time] if spec.time else [])])
    return table.iloc[rows].reset_index(drop=True)


def current_frame(table: str, columns: tuple[ColumnPlan, ...], spec: ProjectSpec, workspace: Workspace) -> pd.DataFrame:
    """Return the rows of a window, a seeded sample of a large one."""
    names = [*(column.name for column in columns), *([spec.time] if spec.time else [])]
    frame = frames.load_table(table, workspace, [stored_name(name) for name in names])
    frame.columns = pd.Index(names)
    if len(frame) > MOST_CURRENT:
        rows = np.sort(np.random.default_rng(spec.seed).choice(len(frame), MOST_CURRENT, replace=False))
        frame = frame.iloc[rows].reset_index(drop=True)
    return frame


def as_rows(
    reference: pd.DataFrame, current: pd.DataFrame, columns: tuple[ColumnPlan, ...], time: str | None
) -> tuple[Rows, Rows]:
    """Return two tables as detectors take them, with levels in common; a text counts by its number of words."""
    sides: tuple[dict[str, Column], dict[str, Column]] = ({}, {})
    for column in columns:
        both = _encoded(reference[column.name], current[column.name], column)
        for side, encoded in zip(sides, both, strict=True):
            side[column.name] = encoded
    return Rows(sides[0], _times(reference, time)), Rows(sides[1], _times(current, time))


def kind_of(column: ColumnPlan) -> Kind:
    """Return whether a column is watched as numbers or as levels."""
    return (
        "number"
        if column.treatment == "text" or (column.treatment, column.type) == ("number", "number")
        else ("category")
    )


def _encoded(reference: pd.Series, current: pd.Series, column: ColumnPlan) -> tuple[Column, Column]:
    series = (reference, current)
    if kind_of(column) == "number":
        turn = _words if column.treatment == "text" else _numbers
        first, second = (Column("number", turn(values), np.ones(len(values))) for values in series)
        return first, second
    texts = pd.concat([as_text(values).replace("", np.nan) for values in series], ignore_index=True)
    codes, found = pd.factorize(texts)
    levels = tuple(str(level) for level in found)
    parts = np.split(codes.astype(np.int64), [len(reference)])
    first, second = (Column("category", part, np.ones(part.size), levels) for part in parts)
    return first, second


def _numbers(values: pd.Series) -> NDArray[np.float64]:
    return values.to_numpy(dtype=np.float64, na_value=np.nan)


def _words(values: pd.Series) -> NDArray[np.float64]:
    counts = np.asarray(values.str.count(r"\w+"), dtype=np.float64)
    return np.where(counts > 0, counts, np.nan)


def _times(frame: pd.DataFrame, time: str | None) -> NDArray[Any] | None:
    """Return when rows were; None where most do not say."""
    if time is None or time not in frame or frame[time].notna().mean() <= 0.5 or frame[time].dtype.kind != "M":  # noqa: PLR2004
        return None
    times: NDArray[Any] = frame[time].to_numpy("datetime64[us]")
    return times
