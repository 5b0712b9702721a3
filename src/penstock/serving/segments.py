"""Which requests are sealed, and how many rows each had: from the segments' lists of ids, without their tables."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock.domain.journal import Segment
from penstock.domain.workspace import Workspace
from penstock.serving.request_ids import is_request_id
from penstock.store import artifacts
from penstock.store.segments import segments_between

MOST_LOADED = 64


def sealed_rows(request_ids: Iterable[str], project: str, workspace: Workspace) -> dict[str, int]:
    """Return how many rows each request had, for those that are sealed.

    Parameters
    ----------
    request_ids
        Any texts.
    project
        Whose journal is searched.
    workspace
        Where the segments lie.

    Returns
    -------
    dict
        Without the requests that are in no segment.
    """
    wanted = sorted({each for each in request_ids if is_request_id(each)})
    if not wanted:
        return {}
    found: dict[str, int] = {}
    for segment in segments_between(wanted[0], wanted[-1], project, workspace):
        for request_id in wanted[bisect_left(wanted, segment.first_id) :]:
            if request_id > segment.last_id:
                break
            rows = _rows_in(segment, request_id, workspace)
            if rows is not None:
                found[request_id] = rows
    return found


def numbers_of(request_ids: Sequence[str]) -> NDArray[np.uint64]:
    """Return the high and the low half of ids as numbers, shape (2, n)."""
    raw = bytes.fromhex("".join(request_ids).replace("-", ""))
    return np.frombuffer(raw, ">u8").reshape(-1, 2).T.astype(np.uint64)


def _rows_in(segment: Segment, request_id: str, workspace: Workspace) -> int | None:
    ids = _loaded(segment.ids, workspace)
    number = int(request_id.replace("-", ""), 16)
    high, low = number >> 64, number & ((1 << 64) - 1)
    place = bisect_left(range(len(ids)), (high, low), key=lambda at: (int(ids[at]["high"]), int(ids[at]["low"])))
    if place == len(ids) or (int(ids[place]["high"]), int(ids[place]["low"])) != (high, low):
        return None
    return int(ids[place]["rows"])


@lru_cache(maxsize=MOST_LOADED)
def _loaded(digest: str, workspace: Workspace) -> NDArray[Any]:
    """Return a segment's ids, in memory by need: they never change under their digest."""
    return np.asarray(np.load(artifacts.local_path(digest, workspace), mmap_mode="r", allow_pickle=False))
