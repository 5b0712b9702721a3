"""Which requests are sealed, and how many rows each had: from the segments' lists of ids, without their tables."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock.domain.journal import Segment
from penstock.domain.workspace import Workspace
from penstock.serving.journals.request_ids import is_request_id
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
        inside = wanted[bisect_left(wanted, segment.first_id) : bisect_right(wanted, segment.last_id)]
        if inside:
            found |= _rows_in(segment, inside, workspace)
    return found


def numbers_of(request_ids: Sequence[str]) -> NDArray[np.uint64]:
    """Return the high and the low half of ids as numbers, shape (2, n)."""
    raw = bytes.fromhex("".join(request_ids).replace("-", ""))
    return np.frombuffer(raw, ">u8").reshape(-1, 2).T.astype(np.uint64)


def _rows_in(segment: Segment, request_ids: Sequence[str], workspace: Workspace) -> dict[str, int]:
    ids = _loaded(segment.ids, workspace)
    high, low = numbers_of(request_ids)
    places = np.searchsorted(ids["high"], high)
    ends = np.searchsorted(ids["high"], high, side="right")
    found = {}
    for number, request_id in enumerate(request_ids):
        for place in range(places[number], ends[number]):  # the same millisecond, and the same few bits
            if ids["low"][place] == low[number]:
                found[request_id] = int(ids["rows"][place])
    return found


@lru_cache(maxsize=MOST_LOADED)
def _loaded(digest: str, workspace: Workspace) -> NDArray[Any]:
    """Return a segment's ids, in memory by need: they never change under their digest."""
    return np.asarray(np.load(artifacts.local_path(digest, workspace), mmap_mode="r", allow_pickle=False))
