"""Request ids: UUIDv7, ascending within a process, so that a journal file is sorted by them."""

import math
import re
import secrets
import time

TAIL_BITS = 74  # what a UUIDv7 holds besides milliseconds, version and variant
LENGTH = 36
LARGEST_STEP = 1 << 32
FORM = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


class RequestIds:
    """Gives ids one after the other; each is larger than the one before, as text too."""

    __slots__ = ("_milliseconds", "_tail")

    def __init__(self) -> None:
        self._milliseconds = 0
        self._tail = 0

    def next(self) -> str:
        """Return the next id."""
        now = time.time_ns() // 1_000_000
        if now > self._milliseconds:
            self._milliseconds = now
            self._tail = secrets.randbits(TAIL_BITS - 1)
        else:  # the same millisecond, or a clock that was set back
            self._tail += 1 + secrets.randbelow(LARGEST_STEP)
        return _format(self._milliseconds, self._tail)


def seconds_of(request_id: str) -> float:
    """Return when an id was given, in seconds since 1970; of a made-up one perhaps a time that no calendar has."""
    return int(request_id[:8] + request_id[9:13], 16) / 1000


def first_id_at(seconds: float) -> str:
    """Return the smallest id that can be given at a time, in seconds since 1970."""
    return _format(math.ceil(seconds * 1000), 0)


def is_request_id(text: str) -> bool:
    """Return whether text has the form of a UUIDv7 in lower case."""
    return FORM.fullmatch(text) is not None


def _format(milliseconds: int, tail: int) -> str:
    high, low = tail >> 62, tail & ((1 << 62) - 1)
    return (
        f"{milliseconds >> 16:08x}-{milliseconds & 0xFFFF:04x}-7{high:03x}"
        f"-{0x8000 | low >> 48:04x}-{low & 0xFFFFFFFFFFFF:012x}"
    )
