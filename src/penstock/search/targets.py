"""A target column as a search learns from it, and what it predicts of it as a table."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from penstock.domain.datasets import Problem
from penstock.domain.models import Target
from penstock.errors import DataError


def codes_of_target(
    values: pd.Series, problem: Problem, positive: Target | None
) -> tuple[NDArray[Any], tuple[Target, ...]]:
    """Return what a search learns from.

    Parameters
    ----------
    values
        The target column of the training rows, without gaps.
    problem
        A regression learns values, the others class codes.
    positive
        The class that a binary problem looks for; None for the others.

    Returns
    -------
    target : shape (n_rows,), int64 codes or float64 values
    classes : the classes in the codes' order, the positive one last; none for a regression

    Raises
    ------
    DataError
        If a binary target has not two values, or none of them is the positive one.
    """
    if problem == "regression":
        return values.to_numpy(dtype=np.float64), ()
    codes, uniques = pd.factorize(values, sort=True)
    classes = tuple(_plain(value) for value in uniques)
    if problem == "binary":
        place = next((place for place, value in enumerate(classes) if _same(value, positive)), None)
        if place is None or len(classes) != 2:  # noqa: PLR2004  binary
            raise DataError(
                f"The target {values.name!r} must have two values in the training rows, one of them {positive!r}, "
                f"but has {', '.join(map(repr, classes))}."
            )
        if place == 0:
            return 1 - codes.astype(np.int64), classes[::-1]
    return codes.astype(np.int64), classes


def out_of_fold_table(predictions: NDArray[np.float64], positions: NDArray[np.int64]) -> pd.DataFrame:
    """Return out-of-fold predictions as a table: those that there are, in the dataset version's order."""
    wide = predictions.reshape(len(predictions), -1)
    known = np.isfinite(wide).all(axis=1)
    names = ["prediction"] if predictions.ndim == 1 else [f"p{code}" for code in range(wide.shape[1])]
    table = pd.DataFrame(wide[known], columns=names)
    table.insert(0, "row", positions[known])
    return table.sort_values("row", ignore_index=True)


def _same(value: Target, other: object) -> bool:
    return value == other or str(value).lower() == str(other).lower()


def _plain(value: object) -> Target:
    """Return a value as JSON has it: a whole float is a whole number."""
    plain = value.item() if isinstance(value, np.generic) else value
    if isinstance(plain, float) and plain.is_integer():
        return int(plain)
    return plain if isinstance(plain, str | int | float) else str(plain)
