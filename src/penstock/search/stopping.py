"""Ctrl-C during a search: once takes the best so far, twice ends everything."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType


@dataclass(slots=True)
class Stop:
    """Whether a person has asked a search to end early."""

    wanted: bool = False

    def asked(self) -> bool:
        """Return whether it is to end."""
        return self.wanted


@contextmanager
def stop_on_interrupt(tell: Callable[[], None]) -> Iterator[Stop]:
    """Take the first interrupt as a wish to stop, and tell of it; the second is what it always is.

    Elsewhere than in a process's main thread, where no signal can be taken, nothing changes.
    """
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def hear(number: int, frame: FrameType | None) -> None:
        del number, frame
        if stop.wanted:
            raise KeyboardInterrupt
        stop.wanted = True
        tell()

    before = signal.signal(signal.SIGINT, hear)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)
