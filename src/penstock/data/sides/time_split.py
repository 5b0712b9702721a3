"""Sides and folds by time: the newest rows are held out, and a fold is judged by rows older than it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from penstock.data.sides.hash_split import ALWAYS_TRAINS, HOLDOUT, UNUSED, Assignment
from penstock.errors import DataError

Times = NDArray[np.datetime64]
Moment = np.datetime64

NEAR = 0.5  # how far from the wanted rows, in shares of them, a cut at a day's end may be
MOST_HELD = 0.5
DAYS_A_BLOCK = 4  # blocks of fewer days are cut where they fall


@dataclass(frozen=True, slots=True)
class Since:
    """What the champion knows: when its data ended, where it was cut, and how many rows a judgement needs."""

    end: Moment
    cut: Moment
    min_rows: int


def first_cut(times: Times, share: float) -> Moment:
    """Return when the holdout of a first file begins: its newest rows, cut at a day's end where the span allows.

    Parameters
    ----------
    times
        The times of the rows with a target, in order, shape (n_rows,).
    share
        Of the rows, above 0 and below 1.
    """
    wanted = max(1, round(share * len(times)))
    exact = times[-wanted]
    day = exact.astype("datetime64[D]")
    days = [day.astype(times.dtype), (day + 1).astype(times.dtype)]
    near = [cut for cut in days if abs(_from(times, cut) - wanted) <= NEAR * wanted and times[0] < cut]
    if near:
        return min(near, key=lambda cut: abs(_from(times, cut) - wanted))
    return exact if times[0] < exact else _second(times)


def later_cut(times: Times, since: Since) -> Moment:
    """Return when the holdout begins once a champion serves: the newest half of the rows since its data ended.

    At least `min_rows` are held out, at a day's end where that is near, but never a row older than the champion's own
    holdout: rows only ever move from holdout to training.
    """
    new = _after(times, since.end)
    if new == 0:
        return since.cut
    wanted = min(len(times), max((new + 1) // 2, since.min_rows))
    exact = times[-wanted]
    day = exact.astype("datetime64[D]").astype(times.dtype)
    cut = day if _from(times, day) <= (1 + NEAR) * wanted else exact
    return max(cut, since.cut)


def assign_by_time(times: Times, codes: NDArray[np.int64], cut: Moment | None, folds: int) -> tuple[Assignment, int]:
    """Give each row a side and a fold by its time.

    Parameters
    ----------
    times
        When each row is from, shape (n_rows,); rows without a time train in every fold.
    codes
        The class of each row, 0 for all of a regression, -1 without a target, shape (n_rows,).
    cut
        Rows from then on are held out; None holds out none.
    folds
        The most folds. They are contiguous blocks of time; what is older than the first trains in every fold.

    Returns
    -------
    assignment
        int8, shape (n_rows,), as `Split.assignment` says; held-out rows of a class that no training row has are -2.
    folds
        How many folds there are.

    Raises
    ------
    DataError
        If the rows before the cut cannot be cut into blocks with both of two classes.
    """
    assignment = np.full(len(times), UNUSED, np.int8)
    known = codes >= 0
    timed = known & ~np.isnat(times)
    held = timed & (times >= cut) if cut is not None else np.zeros(len(times), bool)
    training = timed & ~held
    assignment[known] = ALWAYS_TRAINS
    assignment[held] = HOLDOUT
    assignment[held & ~np.isin(codes, codes[known & ~held])] = UNUSED
    blocks, count = _blocks(times[training], codes[training], folds)
    assignment[training] = np.where(blocks == 0, ALWAYS_TRAINS, blocks - 1)
    return assignment, count


def widened(times: Times, codes: NDArray[np.int64], cut: Moment) -> Moment:
    """Return the latest cut, at or before the one given, that leaves both of two classes on either side.

    Raises
    ------
    DataError
        If there is none that holds out at most half of the rows.
    """
    classes = np.unique(codes)
    newest = min(times[codes == code].max() for code in classes)
    latest = min(cut, newest)
    if _from(np.sort(times), latest) > max(MOST_HELD * len(times), _from(np.sort(times), cut)):
        raise DataError(
            "The newest rows must hold both classes of the target, but the newest half holds one. "
            "Set `time: null` in the project file if the order of rows means nothing, or bring newer labels."
        )
    if len(np.unique(codes[times < latest])) < len(classes):
        raise DataError(
            "The rows before the holdout must hold both classes of the target, but hold one. Bring more rows."
        )
    return np.datetime64(latest)


def _blocks(times: Times, codes: NDArray[np.int64], folds: int) -> tuple[NDArray[np.int64], int]:
    """Cut training rows into one block that always trains and up to `folds` that follow, each with both classes."""
    binary = len(np.unique(codes)) == 2  # noqa: PLR2004  both classes must be in every block
    for count in range(folds, 0, -1):
        edges = _edges(np.sort(times), count)
        blocks = np.searchsorted(edges, times, side="right")
        if len(edges) == count and (not binary or _all_have(blocks, codes, count + 1)):
            return blocks, count
    raise DataError(
        "The rows that train must span at least two times, with every class of a binary target in each half, "
        "but do not. Set `time: null` in the project file if the order of rows means nothing."
    )


def _edges(times: Times, count: int) -> Times:
    """Return where blocks of like many rows begin, at a day's start where days are many."""
    edges = times[[len(times) * place // (count + 1) for place in range(1, count + 1)]]
    if times[-1] - times[0] >= np.timedelta64(DAYS_A_BLOCK * (count + 1), "D"):
        edges = edges.astype("datetime64[D]").astype(times.dtype)
    edges = np.unique(edges)
    return np.asarray(edges[edges > times[0]])


def _all_have(blocks: NDArray[np.int64], codes: NDArray[np.int64], count: int) -> bool:
    second = codes == codes.max()
    ones = np.bincount(blocks[second], minlength=count)
    return bool(np.all(ones > 0) and np.all(np.bincount(blocks, minlength=count) > ones))


def _from(times: Times, cut: Moment) -> int:
    """Return how many ordered times are at or after a moment."""
    return len(times) - int(np.searchsorted(times, cut, side="left"))


def _after(times: Times, moment: Moment) -> int:
    return len(times) - int(np.searchsorted(times, moment, side="right"))


def _second(times: Times) -> Moment:
    different = np.unique(times)
    if len(different) == 1:
        raise DataError(f"The time column must have at least two values, but all rows have {different[0]}.")
    return np.datetime64(different[1])
