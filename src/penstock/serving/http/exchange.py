"""One request and one answer over ASGI: the body within its limit, and errors in their one form."""

from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from typing import Any, TypeVar

import msgspec

from penstock.data.decoding import shown
from penstock.serving.nesting import AT_THE_DOOR, need_depth

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Headers = Sequence[tuple[bytes, bytes]]

BODY_BYTES = 10_000_000
JSON = b"application/json"

GONE = 499  # as proxies write it down: the client left, and no answer was sent

encoder = msgspec.json.Encoder()
T = TypeVar("T")


class Problem(Exception):
    """A request that gets no answer but a status, a message and details."""

    def __init__(self, status: int, message: str, details: Sequence[Any] = (), headers: Headers = ()) -> None:
        super().__init__(message)
        self.status = status
        self.details = list(details)
        self.headers = headers

    @property
    def body(self) -> bytes:
        """The answer's body."""
        return encoder.encode({"error": {"message": str(self), "details": self.details}})


class Gone(Exception):
    """The client left before its request was whole."""


async def read_body(scope: Scope, receive: Receive) -> bytes:
    """Return the request's body.

    Raises
    ------
    Problem
        413 as soon as it is known to be over the limit.
    Gone
        If the client left.
    """
    length = find_header(scope, b"content-length")
    if length is not None and length.isdigit() and int(length) > BODY_BYTES:
        raise _too_large()
    message = await receive()
    body: bytes = message.get("body", b"")
    while message.get("more_body") and len(body) <= BODY_BYTES:
        message = await receive()
        body += message.get("body", b"")
    if len(body) > BODY_BYTES:
        raise _too_large()
    if message["type"] == "http.disconnect":
        raise Gone
    return body


def find_header(scope: Scope, name: bytes) -> bytes | None:
    """Return a header by its lower-case name, or None."""
    for key, value in scope["headers"]:
        if key == name:
            return bytes(value)
    return None


def decoded(decoder: msgspec.json.Decoder[T], body: bytes | msgspec.Raw, must: str) -> T:
    """Return what JSON holds.

    Raises
    ------
    Problem
        400 if it is not JSON or nests too deep, 422 if it is not what it must be.
    """
    try:
        if isinstance(body, bytes):  # else a part of one that was looked at
            need_depth(body, AT_THE_DOOR)
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        found = shown(str(error))
        raise Problem(422, f"The body must {must}: {error}.", [detail(None, None, must, found)]) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Problem(400, f"The body must be JSON, but is not: {error}.") from error
    except RecursionError as error:
        raise Problem(400, str(error)) from error


async def answer(send: Send, status: int, body: bytes, kind: bytes = JSON, headers: Headers = ()) -> None:
    """Send a whole answer."""
    given = [(b"content-type", kind), (b"content-length", b"%d" % len(body)), *headers]
    await send({"type": "http.response.start", "status": status, "headers": given})
    await send({"type": "http.response.body", "body": body})


def detail(row: int | None, column: str | None, must: str, found: str) -> Mapping[str, Any]:
    """Return one detail of a 422."""
    return {"row": row, "column": column, "must": must, "found": found}


def _too_large() -> Problem:
    return Problem(413, f"A request must be at most {BODY_BYTES // 1_000_000} MB, but is larger. Send it in parts.")
