"""What scikit-learn asks of every estimator's X and y, with its own words for what does not hold."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.utils import assert_all_finite, check_array, check_consistent_length, column_or_1d
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import validate_data

from penstock.data.targets import plain
from penstock.domain.datasets import Problem
from penstock.errors import DataError
from penstock.tabular.learning import Table


def with_gaps(tags: Any) -> Any:
    """Return scikit-learn's tags of an estimator that takes missing values, texts and categories."""
    tags.input_tags.allow_nan = True
    tags.input_tags.string = True
    tags.input_tags.categorical = True
    return tags


def features(estimator: Any, table: Any, y: Any = None, *, reset: bool) -> Any:
    """Return X as a data frame or an array of two dimensions.

    Parameters
    ----------
    estimator
        Told, or asked, the number and the names of columns.
    table
        What its user gave as X.
    y
        Checked for being there when `reset`.
    reset
        Whether the columns are learnt, rather than compared.

    Raises
    ------
    ValueError, TypeError
        As scikit-learn does: for one dimension, no rows or columns, sparse or complex values, other columns.
    """
    if reset and y is None:
        name = type(estimator).__name__
        raise ValueError(f"This {name} estimator requires y to be passed, but the target y is None.")
    if hasattr(table, "columns") and hasattr(table, "dtypes"):
        _check_size(table.shape)
    else:
        table = check_array(table, dtype=None, ensure_all_finite=False, estimator=estimator, input_name="X")
    return validate_data(estimator, table, reset=reset, skip_check_array=True)


def target(y: Any) -> NDArray[Any]:
    """Return the classes as given, shape (n_rows,).

    Raises
    ------
    ValueError
        If a class is missing, or the values are not classes.
    """
    column = np.asarray(column_or_1d(y, warn=True))
    if column.dtype.kind in "fc":
        assert_all_finite(column, input_name="y")
    if pd.isna(column).any():
        raise ValueError("Input y contains NaN.")
    check_classification_targets(column)
    return column


def classes_of(column: NDArray[Any], rows: int) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Return the classes in order, and the code of each row.

    Raises
    ------
    ValueError
        If there are not as many as rows, or there is one class.
    """
    if len(column) != rows:
        raise ValueError(f"Found input variables with inconsistent numbers of samples: [{rows}, {len(column)}]")
    classes, codes = np.unique(column, return_inverse=True)
    if len(classes) < 2:  # noqa: PLR2004  nothing to tell apart
        raise ValueError(f"The target must have at least 2 classes, but has 1 class: {plain(classes[0])!r}.")
    return classes, codes.astype(np.int64)


def classification(frame: pd.DataFrame, codes: NDArray[np.int64], classes: NDArray[Any]) -> Table:
    """Return a table with classes as its target."""
    problem: Problem = "binary" if len(classes) == 2 else "multiclass"  # noqa: PLR2004  binary
    return Table(frame, codes, problem, tuple(plain(name) for name in classes))


def values(y: Any) -> NDArray[np.float64]:
    """Return the values to predict, shape (n_rows,).

    Raises
    ------
    ValueError
        If a value is missing, infinite or no number.
    """
    column = np.asarray(column_or_1d(y, warn=True))
    if column.dtype.kind in "fc":
        assert_all_finite(column, input_name="y")
    numbers: NDArray[np.float64] = column.astype(np.float64)
    assert_all_finite(numbers, input_name="y")
    return numbers


def same_length(table: Any, column: NDArray[Any]) -> None:
    """Make sure that there is a value a row.

    Raises
    ------
    ValueError
        If there is not.
    """
    check_consistent_length(table, column)


@contextmanager
def refusals() -> Iterator[None]:
    """Say as a ValueError, which scikit-learn's tools expect, what is not as it must be in the data."""
    try:
        yield
    except DataError as error:
        raise ValueError("\n".join([str(error), *map(str, error.details)])) from error


def _check_size(shape: tuple[int, ...]) -> None:
    for place, what in enumerate(("sample", "feature")):
        if shape[place] < 1:
            raise ValueError(f"Found array with 0 {what}(s) (shape={shape}) while a minimum of 1 is required.")
