"""How a graph compares with the Python model that it was made from, on held-out and on hard rows."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from penstock.domain.features import InputColumn
from penstock.domain.models import Certificate

LARGEST_PROBABILITY_DIFFERENCE = 1e-3
SMALLEST_VALUE_TOLERANCE = 1e-4
RELATIVE_VALUE_TOLERANCE = 1e-5
ROWS_PER_FLIP = 10_000
MOST_HARD_ROWS = 3000
MOST_LISTED = 10

Values = NDArray[Any]

_HARD: dict[str, tuple[Any, ...]] = {
    "number": (np.nan, 0.0, -1.0, 1e-30, 1e9, -1e9, 1e30, -1e30),
    "boolean": (None, True, False),
    "string": (np.nan, "", "a level that no row had", "\u00fc\u2603 \u4f60\u597d", "long " * 1000),
    "date": (pd.NaT, pd.Timestamp("1900-01-01"), pd.Timestamp("1969-12-31 23:59:59"), pd.Timestamp("2100-12-31")),
}
_DTYPES = {"number": "float64", "boolean": "object", "string": "object", "date": "datetime64[us]"}


@dataclass(frozen=True, slots=True)
class HardRows:
    """Rows with one column each set to a missing, unseen or extreme value, and what was set, as text."""

    frame: pd.DataFrame
    names: tuple[str, ...]


def make_hard_rows(frame: pd.DataFrame, columns: tuple[InputColumn, ...]) -> HardRows:
    """Return rows that are missing, unseen or extreme in one column after the other, and one in all.

    Parameters
    ----------
    frame
        Rows to start from, shape (n_rows, n_columns), in canonical types; at least one.
    columns
        The columns to vary.
    """
    changes = [(column, value) for column in columns for value in _HARD[column.type]][: MOST_HARD_ROWS - 1]
    start = np.arange(len(changes) + 1) % len(frame)
    hard = frame.iloc[start].reset_index(drop=True)
    hard = hard.astype({column.name: _DTYPES[column.type] for column in columns})
    names = []
    for row, (column, value) in enumerate(changes):
        hard.loc[row, column.name] = value
        text = repr(value) if len(repr(value)) <= MOST_LISTED * 4 else f"{repr(value)[:MOST_LISTED]}..."
        names.append(f"{column.name} = {text}")
    for column in columns:
        hard.loc[len(changes), column.name] = _HARD[column.type][0]
    return HardRows(hard.astype(_strings(columns)), (*names, "every column missing"))


def certify(python: Values, graph: Values, choose: Callable[[Values], Values] | None, names: list[str]) -> Certificate:
    """Compare answers, row by row.

    Parameters
    ----------
    python, graph
        Probabilities of shape (n_rows, n_classes), or values of shape (n_rows, 1).
    choose
        From probabilities to positions of classes, shape (n_rows,); None for values.
    names
        What the rows are called in the list of the worst, length n_rows.

    Returns
    -------
    Certificate
        `largest_difference` and `tolerance` are those of the worst row: the one whose difference is the largest part
        of its tolerance.
    """
    difference = _difference(python, graph)
    flips = np.zeros(len(python), bool) if choose is None else choose(python) != choose(graph)
    if choose is None:
        size = np.nan_to_num(np.abs(python[:, 0]), posinf=0.0)
        tolerance = np.maximum(SMALLEST_VALUE_TOLERANCE, RELATIVE_VALUE_TOLERANCE * size)
    else:
        tolerance = np.full(len(python), LARGEST_PROBABILITY_DIFFERENCE)
    part = np.minimum(difference / tolerance, sys.float_info.max)  # infinite differences stay in order
    worst = int(np.argmax(part))
    allowed = len(python) // ROWS_PER_FLIP
    order = np.lexsort((-part, ~flips))[:MOST_LISTED]
    return Certificate(
        rows=len(python),
        largest_difference=float(difference[worst]),
        tolerance=float(tolerance[worst]),
        label_flips=int(flips.sum()),
        allowed_flips=allowed,
        held=bool(part[worst] <= 1 and flips.sum() <= allowed),
        worst=tuple(_line(names[row], python[row], graph[row], flipped=bool(flips[row])) for row in order),
    )


def _difference(python: Values, graph: Values) -> NDArray[np.float64]:
    """Return the largest difference of each row; what neither can say is no difference."""
    with np.errstate(invalid="ignore"):
        apart = np.abs(python.astype(np.float64) - graph.astype(np.float64))
    same = (np.isnan(python) & np.isnan(graph)) | (python == graph)
    largest: NDArray[np.float64] = np.where(same, 0.0, np.where(np.isnan(apart), np.inf, apart)).max(axis=1)
    return largest


def _strings(columns: tuple[InputColumn, ...]) -> dict[str, str]:
    return {column.name: "str" for column in columns if column.type == "string"}


def _line(name: str, python: Values, graph: Values, *, flipped: bool) -> str:
    with np.errstate(invalid="ignore"):
        apart = np.abs(python - graph)
    largest = 0 if np.isnan(apart).all() else int(np.nanargmax(apart))
    other = ", another label" if flipped else ""
    return f"{name}: {float(python[largest]):.7g} in Python, {float(graph[largest]):.7g} by the graph{other}"
