"""Where a model fails: slices found on out-of-fold rows and tested, with correction, on the holdout."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import stdtr

from penstock.domain.datasets import Split
from penstock.domain.evaluation import Slice
from penstock.evaluation.answers import Answers
from penstock.evaluation.intervals.dependence import standard_error
from penstock.evaluation.intervals.influence import estimate
from penstock.evaluation.metrics import shown
from penstock.evaluation.wording import figure

MAX_COLUMNS = 40
MAX_ROWS = 20_000  # of out-of-fold rows; enough to find a slice of 2 %
MIN_ROWS = 50  # below this a slice's score says little
MIN_SHARE = 0.02
MAX_LEVELS = 12
CANDIDATES = 10  # tested on the holdout; each more costs the others power
ERROR = 0.05


@dataclass(frozen=True, slots=True)
class Region:
    """The rows where a column has a value or lies in a range; `mask` of shape (n_rows,)."""

    column: str
    value: str
    mask: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Cut:
    """How a column is cut into regions, learnt on one table and applied to others."""

    column: str
    edges: tuple[float, ...] = ()
    levels: tuple[str, ...] = ()

    def regions(self, values: pd.Series) -> Iterator[Region]:
        """Give the rows of each region, and those without a value."""
        if self.edges:
            numbers = pd.to_numeric(values, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
            for words, low, high in self.ranges:
                yield Region(self.column, words, (numbers >= low) & (numbers < high))
        text = values.astype(object).where(values.notna(), None).map(str, na_action="ignore").to_numpy()
        for level in self.levels:
            yield Region(self.column, level, text == level)
        yield Region(self.column, "missing", values.isna().to_numpy())

    @property
    def ranges(self) -> list[tuple[str, float, float]]:
        """The ranges between the edges: words, lowest (included), highest (excluded)."""
        whole = [-np.inf, *self.edges, np.inf]
        words = [f"below {figure(self.edges[0])}"]
        words += [f"{figure(low)} to {figure(high)}" for low, high in zip(self.edges, self.edges[1:], strict=False)]
        words += [f"{figure(self.edges[-1])} and above"]
        return list(zip(words, whole[:-1], whole[1:], strict=True))


def find_cuts(
    table: pd.DataFrame,
    edges: tuple[float, ...] = (0.25, 0.5, 0.75),
    share: float = MIN_SHARE,
    levels: int = MAX_LEVELS,
) -> list[Cut]:
    """Return how each column of a table is cut: numbers at quantiles, everything else by its frequent levels."""
    cuts = []
    for name in list(table.columns)[:MAX_COLUMNS]:
        values = table[name]
        if pd.api.types.is_datetime64_any_dtype(values):
            continue
        if pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values) and values.nunique() > 6:  # noqa: PLR2004
            found = np.unique(values.quantile(list(edges)).to_numpy(dtype=np.float64))
            cuts.append(Cut(str(name), edges=tuple(float(edge) for edge in found if np.isfinite(edge))))
            continue
        counts = values.dropna().astype(object).map(str).value_counts()
        cuts.append(Cut(str(name), levels=tuple(counts[counts >= share * len(values)].index[:levels])))
    return cuts


def find_slices(
    metric: str, out_of_fold: Answers, holdout: Answers, table: pd.DataFrame, split: Split
) -> tuple[tuple[Slice, ...], int]:
    """Return where the model is worse than on the rest, shown on both sides, and how many slices were tested.

    Slices are looked for on out-of-fold rows; the worst are tested on the holdout, one-sided, and their p-values
    corrected for their number (Holm 1979, A simple sequentially rejective multiple test procedure).

    Parameters
    ----------
    metric
        The name of one of `METRICS`.
    out_of_fold, holdout
        What the model said of training rows and of held-out rows.
    table
        The dataset version's columns to slice by; its rows are those that `Answers.row` counts.
    split
        Which rows belong together.

    Returns
    -------
    tuple[tuple[Slice, ...], int]
        Slices with a corrected p-value below 5 %, worst first; and how many were tested.
    """
    searched = _some(out_of_fold)
    inside = table.iloc[searched.row]
    cuts = find_cuts(inside)
    found = []
    for cut in cuts:
        for region in cut.regions(inside[cut.column]):
            tested = _test(metric, searched, region.mask, split)
            if tested is not None and tested[0] < 0:
                found.append((tested[2], cut, region.value))
    worst = sorted(found, key=lambda entry: entry[0])[:CANDIDATES]
    worst = [entry for entry in worst if entry[0] < ERROR]
    return _confirm(metric, [(cut, value) for _, cut, value in worst], holdout, table, split), len(worst)


def _some(answers: Answers) -> Answers:
    if answers.rows <= MAX_ROWS:
        return answers
    return answers.take(np.linspace(0, answers.rows - 1, MAX_ROWS).astype(np.int64))


def _confirm(
    metric: str, worst: list[tuple[Cut, str]], holdout: Answers, table: pd.DataFrame, split: Split
) -> tuple[Slice, ...]:
    outside = table.iloc[holdout.row]
    slices = []
    for cut, value in worst:
        region = next(region for region in cut.regions(outside[cut.column]) if region.value == value)
        tested = _test(metric, holdout, region.mask, split)
        if tested is not None:
            gap, score, p_value = tested
            rows = int(region.mask.sum())
            slices.append(Slice(cut.column, value, rows, shown(metric, score), gap, p_value))
    corrected = holm([entry.p_value for entry in slices])
    kept = [
        Slice(entry.column, entry.value, entry.rows, entry.score, entry.gap, p)
        for entry, p in zip(slices, corrected, strict=True)
        if p < ERROR and entry.gap < 0
    ]
    return tuple(sorted(kept, key=lambda entry: entry.p_value))


def holm(p_values: list[float]) -> list[float]:
    """Return p-values corrected for their number (Holm 1979)."""
    order = np.argsort(p_values)
    stepped = np.array(p_values, dtype=np.float64)[order] * np.arange(len(p_values), 0, -1)
    corrected = np.empty(len(p_values))
    corrected[order] = np.minimum(np.maximum.accumulate(stepped), 1.0)
    return [float(value) for value in corrected]


def _test(metric: str, answers: Answers, mask: NDArray[Any], split: Split) -> tuple[float, float, float] | None:
    """Return the gap of a slice's score to the rest's, the score, and the one-sided p-value; None if too small."""
    inside = int(mask.sum())
    if inside < max(MIN_ROWS, MIN_SHARE * answers.rows) or inside > 0.5 * answers.rows:
        return None
    sides = []
    for rows in (mask, ~mask):
        part = answers.take(rows)
        if part.classes and np.unique(part.target).size < min(2, len(part.classes)):
            return None
        found = estimate(metric, part.target, part.predictions, part.choosing)
        sides.append((found.score, *standard_error(found.influence, part.dependence(split), found.classes)))
    error = float(np.hypot(sides[0][1], sides[1][1]))
    gap = sides[0][0] - sides[1][0]
    if not np.isfinite(error) or error == 0:
        return None
    return gap, sides[0][0], float(stdtr(min(sides[0][2], sides[1][2]), gap / error))
