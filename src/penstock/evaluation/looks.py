"""How often rows were looked at, and what error a look may spend on them.

The first look at rows spends 80 % of the error that may be spent on them; the k-th look that shares rows with
earlier ones spends 6 / (pi^2 (k - 1)^2) of the rest. The shares of all looks to come add up to 1 (Euler 1735), so by
the union bound (Bonferroni 1936) all looks together err no more often than the error asks for, however many there
are and however alike the challengers; alpha spending after Lan and DeMets (1983). Rows that no look has seen start
the series anew. Most of the error goes to the first look because most challengers get one.
"""

import math

import numpy as np
from numpy.typing import NDArray

from penstock.domain.workspace import Workspace
from penstock.store import frames, records

FIRST_SHARE = 0.8


def spend(look: int, error: float) -> float:
    """Return the error that a look may spend, of all that may be spent on its rows.

    Parameters
    ----------
    look
        1 for the first look at the rows, and so on.
    error
        One minus the confidence, 0 to 1.

    Returns
    -------
    float
        The one-sided error of this look's interval.
    """
    if look == 1:
        return error * FIRST_SHARE
    return error * (1 - FIRST_SHARE) * 6 / (math.pi * (look - 1)) ** 2


def take_look(project: str, pair: str, digests: NDArray[np.uint64], workspace: Workspace) -> int:
    """Count a look at rows, and return which it is: one more than the earlier looks that share a row with it.

    A pair that was judged before keeps its place, so that a run that was killed looks once.

    Parameters
    ----------
    project
        The project.
    pair
        What is compared, such as the ids of two trainings; its kind stands before the first colon, and looks of
        different kinds do not count against each other.
    digests
        The row digests looked at, shape (n_rows,).
    workspace
        Where looks are kept.

    Returns
    -------
    int
        1 where no earlier look shares a row.
    """
    rows = np.unique(np.asarray(digests, dtype=np.uint64))
    records.save_look(project, pair, frames.save_array(rows, workspace), workspace)
    earlier = 0
    shared: dict[str, bool] = {}
    for known, digest in records.list_looks(project, workspace):
        if known == pair:
            break
        if known.split(":", 1)[0] != pair.split(":", 1)[0]:
            continue
        if digest not in shared:
            shared[digest] = bool(np.isin(rows, frames.load_array(digest, workspace), assume_unique=True).any())
        earlier += shared[digest]
    return earlier + 1
