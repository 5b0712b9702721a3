"""The inference service's HTTP, as a plain ASGI application: who asks, for what, and how errors look.

The order of checks: who asks (401), what for (404, 403, 405), how much of it (429, 413), whether it is JSON (400),
whether it fits (422).
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

import msgspec

from penstock.data.decoding import RowErrors, shown
from penstock.domain.releases import LabelCounts
from penstock.errors import NotFound
from penstock.serving.http import exchange, openapi
from penstock.serving.http.answering import Answered, answer_rows, pinned_version, write_down
from penstock.serving.http.doors import Doors, Opening
from penstock.serving.http.exchange import Problem, Receive, Scope, Send, decoded, encoder
from penstock.serving.http.meters import CONTENT_TYPE, Meters
from penstock.serving.http.routes import LiveVersion, Route, Routing
from penstock.serving.http.shadowing import Shadowing, Task
from penstock.serving.journal import Journal

logger = logging.getLogger(__name__)

MOST_LABELS = 10_000
LARGE_BYTES = 100_000  # a larger request is answered in a thread, so that small ones need not wait for it
MOST_LARGE = 4
MOST_OPEN = 1000
V1_PARTS = 4  # of "/v1/churn/predict"

Reply = tuple[int, bytes, bytes]


class Desk(Protocol):
    """Whoever takes what people say of answers; every call may block."""

    def accept(self, project: str, labels: list[Any]) -> LabelCounts:
        """Keep labels."""
        ...

    def flag(self, project: str, given: Any) -> None:
        """Put a row into the review queue."""
        ...


@dataclass(frozen=True, slots=True)
class Parts:
    """What an application is made of: what it serves, to whom, where it writes, the time it writes, and its shadows."""

    routing: Callable[[], Routing]
    doors: Doors
    journal: Journal
    now: Callable[[], datetime]
    desk: Desk | None = None
    shadowing: Shadowing | None = None


@dataclass(slots=True)
class Call:
    """One request on its way: what came, since when, and what answers for its project."""

    scope: Scope
    receive: Receive
    started: float
    route: Route


class Labelled(msgspec.Struct):
    """The body of a labels call."""

    labels: list[Any]


_labelled = msgspec.json.Decoder(Labelled)
_anything = msgspec.json.Decoder()


class Application:
    """Answers `/v1/...`, `/livez`, `/readyz`, `/metrics`, `/docs` and `/openapi.json`."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self.meters = Meters(parts.routing, parts.shadowing)
        self._open = 0
        self._large = 0
        self._threads = ThreadPoolExecutor(MOST_LARGE, "penstock-large")  # labels that wait for a lock do not fill it
        self._reader = ThreadPoolExecutor(1, "penstock-keys")  # strangers wait here, and for each other only
        self._calls: dict[str, tuple[str, Callable[[Call], Awaitable[bytes]]]] = {
            "predict": ("POST", self._predict),
            "versions": ("GET", self._versions),
            "schema": ("GET", self._schema),
            "labels": ("POST", self._labels),
            "flags": ("POST", self._flags),
        }
        self._pages: dict[str, Callable[[], Reply]] = {
            "/livez": lambda: (200, b'{"live":true}', exchange.JSON),
            "/readyz": self._ready,
            "/metrics": lambda: (200, self.meters.text(), CONTENT_TYPE),
            "/docs": lambda: (200, openapi.page(), b"text/html; charset=utf-8"),
            "/openapi.json": lambda: (200, encoder.encode(openapi.document()), exchange.JSON),
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        started = time.perf_counter()
        path: str = scope["path"]
        parts = path.split("/")
        project, name = (parts[2], parts[3]) if len(parts) == V1_PARTS and parts[1] == "v1" else ("", "")
        self._open += 1
        try:
            if name:
                reply = 200, await self._call(project, name, (scope, receive, started)), exchange.JSON
            else:
                reply = self._page(path, scope["method"])
            status = reply[0]
            await exchange.answer(send, *reply)
        except Problem as problem:
            status = problem.status
            await exchange.answer(send, status, problem.body, headers=problem.headers)
        except exchange.Gone:
            status = exchange.GONE
        except Exception:
            logger.exception("A call of %r failed.", name or path)
            status = 500
            await exchange.answer(send, status, Problem(status, "The service failed; its log says why.").body)
        finally:
            self._open -= 1
        self._count(project, name, status, time.perf_counter() - started)

    def _count(self, project: str, name: str, status: int, seconds: float) -> None:
        known = project if project in self.parts.routing().routes else ""
        self.meters.count(known, name if name in self._calls else "", status, seconds)

    # --- pages ----------------------------------------------------------------------------------------------------

    def _page(self, path: str, method: str) -> Reply:
        page = self._pages.get(path)
        if page is None:
            raise Problem(404, "There is no such page. `/docs` lists the calls.")
        if method not in ("GET", "HEAD"):
            raise _wrong_method("GET")
        return page()

    def _ready(self) -> Reply:
        routing = self.parts.routing()
        body = {
            "ready": routing.problem is None,
            "problem": routing.problem,
            "projects": {name: [*route.live] for name, route in routing.routes.items()},
            "failed": [
                {"project": failure.project, "version": failure.version, "reason": failure.reason}
                for failure in routing.failures
            ],
        }
        return 200 if routing.problem is None else 503, encoder.encode(body), exchange.JSON

    # --- who asks for what ----------------------------------------------------------------------------------------

    async def _call(self, project: str, name: str, request: tuple[Scope, Receive, float]) -> bytes:
        scope = request[0]
        opening = await self._opening(scope, project)
        route = self.parts.routing().routes.get(project)
        if route is None or name not in self._calls:
            what = f"project {shown(project)}" if route is None else f"call {shown(name)}"
            raise Problem(404, f"There is no {what}. `/docs` lists the calls.")
        if opening == "elsewhere":
            raise Problem(403, f"The key must open project {project!r}, but opens others only.")
        method, call = self._calls[name]
        if scope["method"] != method:
            raise _wrong_method(method)
        if self._open > MOST_OPEN:
            raise _too_many()
        return await call(Call(*request, route))

    async def _opening(self, scope: Scope, project: str) -> Opening:
        header = exchange.find_header(scope, b"authorization") or b""
        token = header[7:].strip().decode("latin-1") if header[:7].lower() == b"bearer " else ""
        doors = self.parts.doors
        opening = doors.opening(token, project) if token else "unknown"
        if opening == "unknown" and token:
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(self._reader, doors.look_again, time.monotonic())
            opening = doors.opening(token, project)
        if opening == "unknown":
            found = "has none" if not token else "has one that is not known"
            message = f"A request must carry a key, as `Authorization: Bearer KEY`, but {found}."
            raise Problem(401, message, headers=[(b"www-authenticate", b"Bearer")])
        return opening

    # --- calls ----------------------------------------------------------------------------------------------------

    async def _predict(self, call: Call) -> bytes:
        pinned = pinned_version(call.route, exchange.find_header(call.scope, b"x-penstock-version"))
        body = await exchange.read_body(call.scope, call.receive)
        if len(body) <= LARGE_BYTES:
            answered = answer_rows(call.route, pinned, body)
        else:
            answered = await self._in_thread(call.route, pinned, body)
        self.meters.count_rows(call.route.project, answered)
        seconds, at = time.perf_counter() - call.started, self.parts.now()
        request_id, reply = write_down(answered, call.route, self.parts.journal, at, seconds)
        if call.route.shadows and self.parts.shadowing is not None:
            task = Task(request_id, at.isoformat(), call.route, answered.live, answered.caller, answered.rows)
            # called when this request is done with, so after its answer has left
            asyncio.get_running_loop().call_soon(self.parts.shadowing.offer, task)
        return reply

    async def _in_thread(self, route: Route, pinned: LiveVersion | None, body: bytes) -> Answered:
        if self._large >= MOST_LARGE:
            raise _too_many()
        self._large += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._threads, answer_rows, route, pinned, body)
        finally:
            self._large -= 1

    async def _versions(self, call: Call) -> bytes:
        live = [
            {"version": live.version, "weight": call.route.share_of(live), "state": live.state}
            for live in call.route.live.values()
        ]
        return encoder.encode({"versions": live})

    async def _schema(self, call: Call) -> bytes:
        main = call.route.main
        if main is None:
            raise Problem(404, f"Project {call.route.project!r} has no version that answers yet.")
        return encoder.encode(main.bundle.schema)

    async def _labels(self, call: Call) -> bytes:
        body = await exchange.read_body(call.scope, call.receive)
        labels = decoded(_labelled, body, "be an object with `labels`, a list of labels").labels
        if len(labels) > MOST_LABELS:
            raise Problem(413, f"A request must have at most {MOST_LABELS} labels, but has {len(labels)}.")
        counts = await self._at_desk(lambda desk: desk.accept(call.route.project, labels))
        return encoder.encode(counts)

    async def _flags(self, call: Call) -> bytes:
        body = await exchange.read_body(call.scope, call.receive)
        given = decoded(_anything, body, "")
        await self._at_desk(lambda desk: desk.flag(call.route.project, given))
        return encoder.encode({"request_id": given["request_id"], "row": given["row"], "state": "queued"})

    async def _at_desk(self, act: Callable[[Desk], LabelCounts | None]) -> LabelCounts | None:
        if self.parts.desk is None:
            raise Problem(404, "This service takes no labels and no flags: it serves one bundle, and keeps no records.")
        try:
            return await asyncio.to_thread(act, self.parts.desk)
        except RowErrors as errors:
            raise Problem(422, errors.message, errors.details) from errors
        except NotFound as error:
            raise Problem(404, error.message) from error


def _wrong_method(right: str) -> Problem:
    return Problem(405, f"The call must be made with {right}.", headers=[(b"allow", right.encode())])


def _too_many() -> Problem:
    return Problem(429, "Too many requests are on their way. Ask again in a second.", headers=[(b"retry-after", b"1")])
