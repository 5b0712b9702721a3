"""Which rows are worth a label next."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from penstock.evaluation.answers import Answers
from penstock.evaluation.insight.slices import MIN_ROWS, Region, find_cuts
from penstock.evaluation.metrics import SMALLEST, Values

MAX_UNLABELLED = 2000
NAMED = 20
RARE = 0.15  # a segment with a larger share than this has labels enough
FEWEST = 20
MAX_LETTERS = 40  # of a value, in a line for a person
SURE = 2.0  # standard errors by which a segment's error must be above the others'


@dataclass(frozen=True, slots=True)
class Segment:
    """Few rows on which the model is worse: what they share, their number, and how much larger their error is."""

    where: str
    rows: int
    ratio: float


def most_uncertain(
    table: pd.DataFrame, rows: NDArray[np.int64], predict: Callable[[pd.DataFrame], Values], seed: int
) -> tuple[int, ...]:
    """Return the rows without a target that a classifier is least sure of (Lewis and Gale 1994), least sure first.

    Parameters
    ----------
    table
        The dataset version with the model's columns.
    rows
        Positions of the rows without a target.
    predict
        Gives probabilities of shape (n_rows, n_classes).
    seed
        Which rows are looked at when there are more than 2,000.
    """
    if rows.size > MAX_UNLABELLED:
        rows = np.sort(np.random.default_rng(seed).choice(rows, MAX_UNLABELLED, replace=False))
    p = np.clip(np.asarray(predict(table.iloc[rows].reset_index(drop=True))), SMALLEST, 1.0)
    entropy = -(p * np.log(p)).sum(axis=1)
    return tuple(int(row) for row in rows[np.argsort(-entropy, kind="stable")][:NAMED])


def errors_of(answers: Answers) -> Values:
    """Return the error of each row: log loss for classes, absolute error for values."""
    if not answers.classes:
        return np.abs(answers.target - answers.predictions)
    own = answers.predictions[np.arange(answers.rows), answers.target.astype(np.int64)]
    return -np.log(np.clip(own, SMALLEST, 1.0))


def worst_segment(out_of_fold: Answers, table: pd.DataFrame) -> Segment | None:
    """Return the segment of few rows whose out-of-fold error is surely larger than elsewhere, or None.

    Parameters
    ----------
    out_of_fold
        Out-of-fold predictions with their targets.
    table
        The dataset version's columns; its rows are those that `Answers.row` counts.
    """
    errors = errors_of(out_of_fold)
    inside = table.iloc[out_of_fold.row]
    best: tuple[float, Segment] | None = None
    fewest = max(FEWEST, min(MIN_ROWS, out_of_fold.rows // 100))
    for cut in find_cuts(inside, edges=(0.05, 0.1, 0.9, 0.95), share=0.0, levels=50):
        for region in cut.regions(inside[cut.column]):
            rows = int(region.mask.sum())
            if not fewest <= rows <= RARE * out_of_fold.rows:
                continue
            lead = _lead(errors, region.mask)
            if lead > SURE and (best is None or lead > best[0]):
                ratio = float(errors[region.mask].mean() / max(float(errors[~region.mask].mean()), 1e-12))
                best = lead, Segment(_where(region, ranges=bool(cut.edges)), rows, ratio)
    return best[1] if best else None


def _where(region: Region, *, ranges: bool) -> str:
    """Return what the rows of a region share, in words."""
    if region.value == "missing":
        return f"{region.column} is missing"
    value = region.value if len(region.value) <= MAX_LETTERS else f"{region.value[: MAX_LETTERS - 1]}…"
    return f"{region.column} is {value}" if ranges else f"{region.column} = {value}"


def _lead(errors: Values, mask: NDArray[np.bool_]) -> float:
    inside, outside = errors[mask], errors[~mask]
    error = float(np.sqrt(inside.var(ddof=1) / inside.size + outside.var(ddof=1) / outside.size))
    return float(inside.mean() - outside.mean()) / error if error > 0 else 0.0
