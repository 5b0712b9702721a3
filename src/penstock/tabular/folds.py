"""Folds of a table that no project keeps: nothing is held out, and what belongs together stays together."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from penstock.data.sides.digests import Digests, combine, value_digests
from penstock.data.sides.hash_split import HashRule, assign_by_hash, need_folds
from penstock.data.sides.repeats import alike_by_chance, is_counter, tell_apart
from penstock.data.sides.time_split import assign_by_time
from penstock.errors import DataError

FOLDS = 5


@dataclass(frozen=True, slots=True, eq=False)
class Folds:
    """Which fold validates each row.

    `order` are the rows' positions in the table, in time order if the folds are; `fold` int8 and `group` uint64 are in
    that order.
    """

    order: NDArray[np.int64]
    fold: NDArray[np.int8]
    group: Digests
    count: int
    time_ordered: bool


def deal(
    frame: pd.DataFrame, codes: NDArray[np.int64], groups: pd.Series | None, times: pd.Series | None, seed: int
) -> Folds:
    """Give every row a fold.

    Parameters
    ----------
    frame
        The features in canonical types, shape (n_rows, n_columns).
    codes
        The class of each row, 0 for all of a regression, shape (n_rows,).
    groups
        Which rows belong together, shape (n_rows,); those without a group, or all if None, by the same features.
    times
        When each row is from, shape (n_rows,): a fold is judged by models of older rows, whatever the groups: a block
        of time mostly holds groups of earlier ones, and rows left out for that would never be learnt from. None:
        order means nothing.
    seed
        Decides the folds where time does not.

    Raises
    ------
    DataError
        If times are no dates or numbers, or if times or groups leave no rows to learn from and others to judge by.
    """
    need_rows(frame)
    group = _groups(frame, groups)
    if times is None:
        rule = HashRule(0.0, FOLDS, "estimators", seed, np.empty(0, np.uint64))
        fold, count = assign_by_hash(group, codes, rule)
        remedy = "Bring more rows." if groups is None else "Give `groups` with more values, or none."
        need_folds((fold, count), group, codes, remedy)
        return Folds(np.arange(len(frame)), fold, group, count, time_ordered=False)
    moments = _moments(times)
    fold, count = assign_by_time(moments, codes, None, FOLDS)
    order = np.argsort(moments, kind="stable")
    return Folds(order, fold[order], group[order], count, time_ordered=True)


def need_rows(frame: pd.DataFrame) -> None:
    """Make sure that there is a row to learn from, and one to judge by.

    Raises
    ------
    DataError
        If there is not.
    """
    if len(frame) < 2:  # noqa: PLR2004  see above
        raise DataError(f"At least 2 rows must be there to learn from, but n_samples = {len(frame)}.")


def _groups(frame: pd.DataFrame, given: pd.Series | None) -> Digests:
    """Return which rows belong together; rows without a group are not one large one."""
    if given is None:
        return _together(frame)
    groups, missing = value_digests(given), given.isna().to_numpy()
    if missing.any():
        groups[missing] = _together(frame[missing])
    return groups


def _together(frame: pd.DataFrame) -> Digests:
    """Return which rows are copies of each other: the same features, unless few levels make rows alike by chance.

    Columns count by their place: an array and a table of the same values are dealt alike.
    """
    columns = [(str(place), frame[name]) for place, name in enumerate(frame)]
    found = {place: value_digests(values) for place, values in columns if not is_counter(values)}
    found = found or {place: value_digests(values) for place, values in columns}
    content = combine(found, len(frame))
    return tell_apart(content) if alike_by_chance(found, len(frame)) else content


def _moments(times: pd.Series) -> NDArray[Any]:
    """Return times as moments; numbers order rows as well as dates do."""
    if times.dtype.kind == "M":
        return times.to_numpy("datetime64[us]")
    if times.dtype.kind not in "iuf":
        raise DataError(f"`time` must hold dates or numbers, but holds values such as {times.iloc[0]!r}.")
    ranks = times.rank(method="dense")
    moments = np.full(len(times), np.datetime64("NaT", "us"))
    known = ranks.notna().to_numpy()
    moments[known] = ranks.to_numpy()[known].astype(np.int64).astype("datetime64[us]")
    return moments
