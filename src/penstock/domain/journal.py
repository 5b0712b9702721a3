"""Where sealed parts of the journal lie."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Segment:
    """A sealed part of one spool file: its whole lines from byte `start` to byte `end`, as Parquet under `digest`.

    `ids` is the digest of a `.npy` of dtype [("high", "<u8"), ("low", "<u8"), ("rows", "<u4")], sorted: the request ids
    as numbers, and how many rows each had. `from_at` and `to_at` are in the calendar that windows read.
    """

    project: str
    spool: str
    start: int
    end: int
    digest: str
    ids: str
    requests: int
    rows: int
    first_id: str
    last_id: str
    from_at: datetime
    to_at: datetime
    sealed_at: datetime
    number: int = 0
