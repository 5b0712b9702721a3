"""A client that asks at a steady rate, and counts every answer."""

import http.client
import json
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit


@dataclass
class Traffic:
    """Asks one row at a time; `answers` says when each was answered, by which version, and its request id."""

    endpoint: str
    key: str
    rows: Sequence[dict[str, Any]]
    rate: float
    answers: list[tuple[float, str, str]] = field(default_factory=list)
    failures: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    _ending: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def flowing(self) -> Iterator["Traffic"]:
        """Ask while the block runs."""
        thread = threading.Thread(target=self._ask)
        thread.start()
        try:
            yield self
        finally:
            self._ending.set()
            thread.join()

    def since(self, moment: float) -> Counter[str]:
        """Return how many answers each version has given since a time."""
        return Counter(version for at, version, _ in list(self.answers) if at >= moment)

    def first_since(self, moment: float, version: str) -> float | None:
        """Return how many seconds after a time a version answered first, None if it has not."""
        return next((at - moment for at, by, _ in list(self.answers) if at >= moment and by == version), None)

    def last_other(self, version: str) -> float:
        """Return when another version answered last."""
        return max((at for at, by, _ in list(self.answers) if by != version), default=0.0)

    def wait_for(self, version: str, patience: float) -> float:
        """Wait until a version answers everything of the last second; return how long that took."""
        began = time.time()
        while time.time() - began < patience:
            recent = self.since(time.time() - 1.0)
            if recent and set(recent) == {version}:
                return self.last_other(version) - began
            time.sleep(0.05)
        raise AssertionError(f"version {version} must answer within {patience} s, but {self.since(began)} did")

    def _ask(self) -> None:
        address = urlsplit(self.endpoint)
        connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=10)
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
        due, number = time.perf_counter(), 0
        while not self._ending.is_set():
            body = json.dumps({"rows": [self.rows[number % len(self.rows)]]})
            began = time.perf_counter()
            try:
                connection.request("POST", address.path, body, headers)
                answer = connection.getresponse()
                said = answer.read()
                if answer.status == 200:
                    told = json.loads(said)
                    self.answers.append((time.time(), told["version"], told["request_id"]))
                else:
                    self.failures[f"{answer.status}: {said[:200]!r}"] += 1
            except (OSError, http.client.HTTPException) as error:
                self.failures[repr(error)] += 1
                connection.close()
            self.seconds.append(time.perf_counter() - began)
            due, number = max(due + 1 / self.rate, time.perf_counter() - 1), number + 1
            self._ending.wait(max(0.0, due - time.perf_counter()))
        connection.close()

    @property
    def figures(self) -> str:
        """How many were answered, how quickly, and how many failed."""
        took = sorted(self.seconds)
        half, tail = (took[int(len(took) * share)] * 1000 for share in (0.5, 0.95)) if took else (0.0, 0.0)
        failed = sum(self.failures.values())
        return f"{len(self.answers)} answers, {failed} failed, p50 {half:.1f} ms, p95 {tail:.1f} ms"


def tell(figures: str) -> None:
    """Print what was measured: `pytest -rP` shows it."""
    sys.stdout.write(f"{figures}\n")
