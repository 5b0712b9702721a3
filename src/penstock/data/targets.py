"""What a target column asks for: its problem, its classes, its positive."""

import numpy as np
import pandas as pd

from penstock.data.types.canonical import canonical_type
from penstock.domain.datasets import Problem
from penstock.errors import DataError

MOST_WHOLE_CLASSES = 10  # more different whole numbers are an amount more often than names of classes
MOST_CLASSES = 1000
PAIRS = (("yes", "no"), ("y", "n"), ("true", "false"), ("t", "f"), ("1", "0"), ("positive", "negative"))
PAIR_SHARE = 0.6  # of the rows: two words that mean yes and no, in this share, leave no room for a third class

Value = str | int | float | bool


def check_target(frame: pd.DataFrame, target: str, problem: Problem | None = None) -> None:
    """Make sure that there is something to learn.

    Raises
    ------
    DataError
        If the target is not among the columns, or has no or one value, or its type does not suit the problem.
    """
    if target not in frame:
        raise DataError(
            f"The source must have the target column {target!r}, but has {', '.join(map(str, frame.columns))}.",
            list(frame.columns),
        )
    values = frame[target].dropna()
    if values.empty:
        raise DataError(
            f"The target column {target!r} must have a value in some rows, but is empty in all {len(frame)}."
        )
    if values.nunique() == 1:
        found = plain(values.iloc[0])
        raise DataError(
            f"The target column {target!r} must have at least two values, but all {len(values)} rows have {found!r}."
        )
    kind = canonical_type(frame[target])
    if kind == "date":
        raise DataError(f"The target column {target!r} must hold numbers, texts, or true and false, but holds dates.")
    if problem == "regression" and kind == "string":
        must = f"The target column {target!r} of a regression must hold numbers"
        raise DataError(f"{must}, but holds texts such as {values.iloc[0]!r}.")
    if problem != "regression" and kind == "string" and values.nunique() > MOST_CLASSES:
        must = f"The target column {target!r} must have at most {MOST_CLASSES} classes"
        raise DataError(f"{must}, but has {values.nunique()} different texts.")


def infer_problem(values: pd.Series) -> tuple[Problem, str]:
    """Return the problem that a target's values ask for, and why."""
    present = values.dropna()
    distinct = present.nunique()
    if distinct == 2:  # noqa: PLR2004  two classes
        return "binary", "the target has two values"
    if canonical_type(values) == "boolean" or known_pair(values) is not None:
        return "binary", "the target says yes or no; its other values are rare and look like faults"
    if canonical_type(values) == "string":
        return "multiclass", f"the target has {distinct} different texts"
    whole = bool((present % 1 == 0).all())
    span = float(present.max() - present.min()) + 1
    if whole and distinct <= MOST_WHOLE_CLASSES and span <= 2 * distinct:
        return "multiclass", f"the target has {distinct} different whole numbers"
    return "regression", f"the target has {distinct} different numbers"


def infer_positive(values: pd.Series) -> Value:
    """Return the class that a binary problem looks for: the rarer one, and of two equal ones the larger."""
    counts = values.dropna().value_counts()
    pair = known_pair(values) or tuple(counts.index[:2])
    rarer = sorted(pair, key=lambda value: (counts[value], -_order(value)))
    return plain(rarer[0])


def known_pair(values: pd.Series) -> tuple[object, object] | None:
    """Return the two values that mean yes and no, if a target has them and little else."""
    counts = values.dropna().value_counts()
    named = {_word(value): value for value in reversed(counts.index)}
    for pair in PAIRS:
        if all(word in named for word in pair):
            found = (named[pair[0]], named[pair[1]])
            if counts[list(found)].sum() >= PAIR_SHARE * counts.sum() and len(counts) <= 2 * MOST_WHOLE_CLASSES:
                others = [value for value in counts.index if value not in found]
                numeric = isinstance(found[0], (int, float, np.integer, np.floating))
                # 0, 1, 2, ... are counts or classes; 0, 1 and 99 are not
                if not (numeric and any(0 <= float(other) <= len(counts) for other in others)):
                    return found
    return None


def plain(value: object) -> Value:
    """Return a value of a column as a plain Python value."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if isinstance(value, (str, int, float, bool)) else str(value)


def _word(value: object) -> str:
    return str(plain(value)).strip().lower()


def _order(value: object) -> float:
    try:
        return float(str(plain(value)))
    except ValueError:
        return 0.0 if _word(value) in {pair[1] for pair in PAIRS} else 1.0
