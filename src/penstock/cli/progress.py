"""How long work goes, on a terminal: one line a stage, the search's line rewritten as it goes."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO


class ProgressHandler(logging.Handler):
    """Prints the log of `penstock.progress`; on a terminal the running line is rewritten."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__(logging.INFO)
        self.stream = stream
        self.rewrites = stream.isatty()

    def emit(self, record: logging.LogRecord) -> None:
        """Print one record."""
        text, running = record.getMessage(), getattr(record, "state", "") != "ended"
        if self.rewrites:
            self.stream.write(f"\r\033[K  {text}" + ("" if running else "\n"))
        elif not running:
            self.stream.write(f"  {text}\n")
        self.stream.flush()


@contextmanager
def progress_on(stream: TextIO) -> Iterator[None]:
    """Print progress on a stream while the block runs."""
    logger, handler = logging.getLogger("penstock.progress"), ProgressHandler(stream)
    level = logger.level
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
