"""A client of the inference service, as any user would write one: predictions and labels over HTTP, nothing else."""

import http.client
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import urlsplit

from penstock.errors import PenstockError, SourceUnavailable

SECONDS = 30.0  # for an answer
IDLE_SECONDS = 2.0  # after which the service may have let the connection go
OK = 200
MOST_LABELS = 1000  # a request

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Said:
    """What the service said of some rows: one prediction a row, in the form of `docs/reference/http.json`."""

    request_id: str
    version: str
    predictions: list[dict[str, Any]]


class Client:
    """Asks for predictions of one project and brings their labels, over one kept connection."""

    def __init__(self, url: str, project: str, key: str) -> None:
        """Ask the service at `url`, such as ``http://127.0.0.1:3000``, with a key that opens the project."""
        address = urlsplit(url)
        if address.hostname is None:
            raise PenstockError(f"The service's address must be such as 'http://127.0.0.1:3000', but is {url!r}.")
        self.project = project
        self._headers = {"Content-Type": "application/json", "Authorization": f"Bearer {key}"}
        kind = http.client.HTTPSConnection if address.scheme == "https" else http.client.HTTPConnection
        self._connection = kind(address.hostname, address.port, timeout=SECONDS)
        self._used = 0.0

    def predict(self, rows: Sequence[Row], version: str | None = None) -> Said:
        """Ask for predictions of rows, of a live version if it is named.

        Raises
        ------
        SourceUnavailable
            If the service does not answer, or not with predictions.
        """
        headers = {} if version is None else {"X-Penstock-Version": version}
        said = self._ask("POST", "predict", {"rows": list(rows)}, headers)
        return Said(said["request_id"], said["version"], said["predictions"])

    def label(self, labels: Sequence[Row]) -> dict[str, int]:
        """Bring labels, and return how many were accepted, superseded and unknown."""
        counts = {"accepted": 0, "superseded": 0, "unknown": 0}
        for start in range(0, len(labels), MOST_LABELS):
            said = self._ask("POST", "labels", {"labels": list(labels[start : start + MOST_LABELS])})
            counts = {name: counts[name] + said[name] for name in counts}
        return counts

    def versions(self) -> list[dict[str, Any]]:
        """Return the live versions with weight and state."""
        live: list[dict[str, Any]] = self._ask("GET", "versions")["versions"]
        return live

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Let the connection go."""
        self._connection.close()

    def _ask(self, method: str, call: str, body: object = None, headers: dict[str, str] | None = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        status, answer = self._exchange(
            method, f"/v1/{self.project}/{call}", data, {**self._headers, **(headers or {})}
        )
        if status != OK:
            raise SourceUnavailable(f"The service must answer a {call} call, but said {status}: {answer[:300]!r}.")
        return json.loads(answer)

    def _exchange(self, method: str, path: str, data: bytes | None, headers: dict[str, str]) -> tuple[int, bytes]:
        if time.monotonic() - self._used > IDLE_SECONDS:
            self._connection.close()
        try:
            self._connection.request(method, path, data, headers)
            response = self._connection.getresponse()
            answer = response.read()
            self._used = time.monotonic()
            return response.status, answer
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()  # the next request opens a new one
            raise SourceUnavailable(f"The service must answer, but did not: {type(error).__name__} {error}.") from error
