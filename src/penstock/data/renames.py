"""Which new column is likely to be a removed one under another name."""

import difflib
import re

import numpy as np
import pandas as pd

from penstock.data.profiling import as_text
from penstock.data.types.canonical import canonical_type

ALIKE = 0.8  # share of two distributions that overlaps; less is another column
SAMPLE = 20_000  # rows; enough to tell distributions apart to a hundredth
MANY_LEVELS = 50  # above this single values hardly repeat, and their form is compared
FORM_WEIGHT = 0.95  # values of one form are weaker evidence than the same values


def find_renames(old: pd.DataFrame, new: pd.DataFrame) -> tuple[tuple[str, str, float], ...]:
    """Match removed columns with added ones by how much their values' distributions overlap.

    Parameters
    ----------
    old
        The removed columns, as they were in the last accepted table.
    new
        The added columns of the new table.

    Returns
    -------
    tuple of (old name, new name, likeness)
        Likeness is the overlap of the distributions, 0 to 1; each column is in one match at most.
    """
    pairs = [
        (likeness(old[before], new[after]), _same_name(str(before), str(after)), str(before), str(after))
        for before in old
        for after in new
    ]
    matches: list[tuple[str, str, float]] = []
    taken: set[tuple[str, str]] = set()
    for alike, _, before, after in sorted(pairs, reverse=True):
        if alike >= ALIKE and not taken & {("old", before), ("new", after)}:
            matches.append((before, after, round(alike, 3)))
            taken |= {("old", before), ("new", after)}
    return tuple(matches)


def likeness(old: pd.Series, new: pd.Series) -> float:
    """Return how much the distributions of two columns overlap, 0 to 1; 0 if their types differ."""
    if canonical_type(old) != canonical_type(new):
        return 0.0
    before, after = old.dropna().iloc[:SAMPLE], new.dropna().iloc[:SAMPLE]
    if before.empty or after.empty:
        return 0.0
    if canonical_type(old) in {"number", "date"} and before.nunique() > MANY_LEVELS:
        return 1 - _distance(before.to_numpy().astype(np.float64), after.to_numpy().astype(np.float64))
    levels = _overlap(before.map(as_text), after.map(as_text))
    if canonical_type(old) != "string" or before.nunique() <= MANY_LEVELS:
        return levels
    return max(levels, FORM_WEIGHT * _overlap(before.map(_form), after.map(_form)))


def _same_name(old: str, new: str) -> float:
    return difflib.SequenceMatcher(None, old.lower(), new.lower()).ratio()


def _distance(old: np.ndarray, new: np.ndarray) -> float:
    """Return the largest difference of the distribution functions (Kolmogorov and Smirnov)."""
    points = np.sort(np.concatenate([old, new]))
    shares = [np.searchsorted(np.sort(values), points, side="right") / len(values) for values in (old, new)]
    return float(np.abs(shares[0] - shares[1]).max())


def _overlap(old: pd.Series, new: pd.Series) -> float:
    shares = [values.value_counts(normalize=True) for values in (old, new)]
    return float(pd.concat(shares, axis=1).fillna(0.0).min(axis=1).sum())


def _form(text: str) -> str:
    """Return a text with its letters and digits made alike: `C-0042` has the form `a-9`."""
    return re.sub(r"[^\W\d_]+", "a", re.sub(r"\d+", "9", text))
