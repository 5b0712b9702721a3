"""How an application gets in front of a server's own middleware."""

from typing import Any, ClassVar

from penstock.serving.http.application import Application
from penstock.serving.http.exchange import Receive, Scope, Send


class FastPath:
    """Plain ASGI middleware that answers every HTTP request itself.

    At the server's start it moves in front of the other middleware, which costs a task, a timer and a span a request.
    """

    application: ClassVar[Application | None] = None

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what is no HTTP request."""
        if scope["type"] == "http" and FastPath.application is not None:
            await FastPath.application(scope, receive, send)
            return
        if scope["type"] == "lifespan":
            server = scope["app"]
            server.middleware_stack = FastPath(server.middleware_stack)
        await self.app(scope, receive, send)
