"""Ask a packaged service its examples: run as a module from a Bento's sources, which stand first on `sys.path`."""

import asyncio
import importlib
import sys
from pathlib import Path
from typing import Any

import msgspec

import penstock

SMOKE_KEY = "smoke"
LARGEST_DIFFERENCE = 1e-5

Found = dict[str, Any]


async def ask(app: Any, path: str, body: bytes) -> tuple[int, bytes]:
    """Post a body to an ASGI application, and return status and body of its answer."""
    sent = [{"type": "http.request", "body": body, "more_body": False}]
    said: list[Any] = []

    async def receive() -> Any:
        return sent.pop() if sent else {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        said.append(message)

    headers = [(b"authorization", b"Bearer " + SMOKE_KEY.encode()), (b"content-type", b"application/json")]
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": headers,
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 2),
    }
    await app(scope, receive, send)
    return said[0]["status"], b"".join(message.get("body", b"") for message in said[1:])


async def smoke(folder: Path) -> str:
    """Start the service, ask it the bundle's examples, and return what is wrong; nothing is ""."""
    served = msgspec.json.decode((folder / "bundle" / "version.json").read_bytes())
    examples = msgspec.json.decode((folder / "bundle" / "examples.json").read_bytes())
    app = importlib.import_module("service").Inference.to_asgi()
    async with app.router.lifespan_context(app):
        # a server's first call of the application is its lifespan, in which the fast path moves to the front
        status, body = await ask(
            app, f"/v1/{served['project']}/predict", msgspec.json.encode({"rows": examples["rows"]})
        )
    if status != 200:  # noqa: PLR2004  OK
        return f"The examples were answered with {status}: {body.decode(errors='replace')[:500]}"
    answered = msgspec.json.decode(body)
    if answered["version"] != served["version"]:
        return f"Version {served['version']} must answer, but {answered['version']} did."
    return differences(examples["predictions"], answered["predictions"])


def differences(wanted: list[Found], found: list[Found]) -> str:
    """Return how answers differ from those wanted, "" if they do not."""
    if len(wanted) != len(found):
        return f"There must be {len(wanted)} answers, but are {len(found)}."
    for row, (one, other) in enumerate(zip(wanted, found, strict=True)):
        if not _same(one, other):
            return f"Example {row} must be answered {one!r}, but is {other!r}."
    return ""


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(one[name], other[name]) for name in one)
    if isinstance(one, float) and isinstance(other, (int, float)) and not isinstance(other, bool):
        return abs(one - other) <= LARGEST_DIFFERENCE * max(1.0, abs(one))
    return type(one) is type(other) and bool(one == other)


def main() -> None:
    """Print what was found."""
    folder = Path(sys.path[0]).resolve()
    wrong = asyncio.run(smoke(folder))
    if not wrong and folder not in Path(penstock.__file__).resolve().parents:
        wrong = "The service must run from the code that the Bento carries, but ran from another."
    sys.stdout.write(msgspec.json.encode({"passed": not wrong, "detail": wrong}).decode())


if __name__ == "__main__":
    main()
