"""Let challengers answer the same rows once more, after the answer has left, where nobody waits for it.

One thread works through a short queue for at most a fifth of its time; what does not fit is dropped and counted, so
callers never wait for a shadow. Champion and challenger are timed in the same thread, by turns, on the same rows.
"""

import logging
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import Any

import msgspec

from penstock.serving.http.routes import LiveVersion, Route
from penstock.serving.journals.shadow_spool import Shadowed, ShadowSpool
from penstock.serving.session import Answer, LoadedBundle

logger = logging.getLogger(__name__)

MOST_WAITING = 256
MOST_ROWS = 100  # of one request: decoding many would hold the interpreter's lock while callers wait for it
REST = 4.0  # seconds of rest for each second of work
LONGEST_ERROR = 500


@dataclass(frozen=True, slots=True)
class Task:
    """An answered request to be answered once more: `rows` is the JSON that was journalled."""

    request_id: str
    at: str
    route: Route
    answered_by: LiveVersion
    caller: Any
    rows: bytes


@dataclass(slots=True)
class Shadowing:
    """Runs shadows in a thread of its own; `offer` never waits."""

    spool: ShadowSpool
    rows: Counter[tuple[str, str]] = field(default_factory=Counter)
    failed: Counter[tuple[str, str]] = field(default_factory=Counter)
    dropped: Counter[str] = field(default_factory=Counter)
    _queue: "SimpleQueue[Task | None]" = field(default_factory=SimpleQueue)
    _ending: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None
    _turn: int = 0

    def start(self) -> None:
        """Begin to work through the queue."""
        self._thread = threading.Thread(target=self._follow, name="penstock-shadows", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread; what waits is left undone."""
        self._ending.set()
        self._queue.put(None)
        if self._thread is not None:
            self._thread.join()
        self.spool.close()

    def offer(self, task: Task) -> None:
        """Take a task if there is room for it."""
        if self._queue.qsize() >= MOST_WAITING:
            self.dropped[task.route.project] += 1
        else:
            self._queue.put(task)

    def do(self, task: Task) -> None:
        """Let every shadow of a task's route answer its rows, and write down what it says."""
        rows = msgspec.json.decode(task.rows)[:MOST_ROWS]
        for shadow in task.route.shadows:
            if shadow.version == task.answered_by.version:
                continue
            said = self._compare(task, shadow, rows)
            if said is None:
                continue
            key = task.route.project, shadow.version
            self.rows[key] += len(rows)
            self.failed[key] += said.error is not None
            self.spool.append(said)

    def _follow(self) -> None:
        while (task := self._queue.get()) is not None and not self._ending.is_set():
            began = time.perf_counter()
            try:
                self.do(task)
            except Exception:
                logger.exception("A request could not be shadowed; the next one is.")
            self._ending.wait((time.perf_counter() - began) * REST)

    def _compare(self, task: Task, shadow: LiveVersion, rows: list[dict[str, Any]]) -> Shadowed | None:
        """Let both versions answer, by turns first; None if it is the one that answered before that fails now."""
        self._turn += 1
        facts = (task.request_id, task.at, task.route.project, shadow.version, task.answered_by.version)
        champion, challenger = task.answered_by.bundle, shadow.bundle
        if self._turn % 2:
            before, after = _timed(champion, rows), _timed(challenger, rows)
        else:
            after, before = _timed(challenger, rows), _timed(champion, rows)
        if isinstance(before, str):
            return None
        if isinstance(after, str):
            return Shadowed(*facts, error=after, id=task.caller)
        return Shadowed(*facts, after[0], before[0], after[1], before[1], id=task.caller)


def _timed(bundle: LoadedBundle, rows: list[dict[str, Any]]) -> tuple[float, list[Answer]] | str:
    """Return the milliseconds that a bundle takes for rows and its answers, or how it failed."""
    began = time.perf_counter()
    try:
        answers = bundle.predict_rows(rows)
    except Exception as error:  # noqa: BLE001  every kind of failure counts against the version
        return f"{type(error).__name__}: {error}"[:LONGEST_ERROR]
    return (time.perf_counter() - began) * 1000, answers
