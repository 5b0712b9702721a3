"""The stages of a flow: their seconds, and their names as they begin."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager

progress = logging.getLogger("penstock.progress")


class Stages:
    """Measures each stage of a flow run, and tells the log when one begins and ends."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._start = time.perf_counter()

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        """Measure a stage; a stage entered twice adds up."""
        begin = time.perf_counter()
        progress.info("%s ...", name, extra={"stage": name, "state": "begun"})
        try:
            yield
        finally:
            took = time.perf_counter() - begin
            self.seconds[name] = round(self.seconds.get(name, 0.0) + took, 3)
            progress.info("%s %.1f s", name, took, extra={"stage": name, "state": "ended", "seconds": took})

    def ended(self) -> dict[str, float]:
        """Return the seconds of each stage, and of all with what lies between."""
        return {**self.seconds, "total": round(time.perf_counter() - self._start, 3)}
