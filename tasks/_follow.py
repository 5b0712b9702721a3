"""The progress of a long task in the Prefect UI, from what the library logs of it; nothing depends on it."""

import contextvars
import logging
import threading
from typing import Any

from prefect.artifacts import create_progress_artifact, update_progress_artifact
from prefect.client.schemas.objects import State, TaskRun

EVERY_SECONDS = 3.0  # each update is a call to the server, and a search tells twice a second
PERCENT = 100.0

log = logging.getLogger("penstock")
watched = logging.getLogger("penstock.progress")
following: dict[str, "Follower"] = {}


class Follower(logging.Handler):
    """Keeps one progress artifact at what was logged last, from a thread of its own, so that no search waits for it."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.last: tuple[float, str] | None = None
        self.ended = threading.Event()
        context = contextvars.copy_context()
        self.thread = threading.Thread(target=lambda: context.run(self._show), name="follow", daemon=True)

    def emit(self, record: logging.LogRecord) -> None:
        """Take what a record says, if it says how far the task is."""
        share = getattr(record, "share", None)
        if share is not None:
            self.last = (round(PERCENT * float(share), 1), record.getMessage())

    def _show(self) -> None:
        """Show what was said last every few seconds, and at the end; a server that is away must not end the task."""
        artifact, shown = None, None
        try:
            while not self.ended.wait(EVERY_SECONDS):
                if self.last is not None and self.last != shown:
                    shown = self.last
                    artifact = _put(artifact, *shown)
            if artifact is not None and self.last is not None:
                _put(artifact, PERCENT, self.last[1])
        except Exception:
            log.warning("The progress of a task could not be shown.", exc_info=True)


def _put(artifact: Any, percent: float, said: str) -> Any:
    if artifact is None:
        return create_progress_artifact(progress=percent, key="search-progress", description=said)
    update_progress_artifact(artifact, progress=percent, description=said)
    return artifact


def follow(task: Any, run: TaskRun, state: State[Any]) -> None:
    """Begin to show how far a task is."""
    del task, state
    follower = following[str(run.id)] = Follower()
    if watched.getEffectiveLevel() > logging.INFO:
        watched.setLevel(logging.INFO)
    watched.addHandler(follower)
    follower.thread.start()


def leave(task: Any, run: TaskRun, state: State[Any]) -> None:
    """End with what was said last."""
    del task, state
    follower = following.pop(str(run.id), None)
    if follower is not None:
        watched.removeHandler(follower)
        follower.ended.set()
        follower.thread.join(EVERY_SECONDS)
