"""Which looks of the judge shared rows: rows that no look has seen may spend the whole error anew."""

import numpy as np
from numpy.typing import NDArray

from penstock.domain.workspace import Workspace
from penstock.store import frames, records


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
