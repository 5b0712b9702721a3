"""The inference service: BentoML's server, with our application in front of everything else.

Start it with ``bentoml serve penstock.serving.service:Inference``; the workspace is the environment's.
"""

import gc
import logging

import bentoml

from penstock.serving.auth import Keys
from penstock.serving.http.application import Application, Parts
from penstock.serving.http.front import FastPath
from penstock.serving.http.shadowing import Shadowing
from penstock.serving.journal import Journal
from penstock.serving.journals.shadow_spool import ShadowSpool
from penstock.serving.labels import WorkspaceDesk
from penstock.serving.router import Router
from penstock.store.workspace import find_workspace

# fewer and rarer collections: at BentoML's defaults a full one stops the process for 120 to 280 ms
COLLECT_AFTER = (50_000, 20, 100)


@bentoml.service(
    name="inference",
    workers=1,
    traffic={"timeout": 60},
    logging={"access": {"enabled": False}},
    metrics={"enabled": False},
    tracing={"excluded_urls": ".*"},
)
class Inference:
    """Answers for every project of a workspace."""

    def __init__(self) -> None:
        self.workspace = find_workspace()
        keys = Keys(self.workspace)
        self.journal = Journal(self.workspace)
        self.router = Router(self.workspace, beside=(keys.refresh,))
        self.shadowing = Shadowing(ShadowSpool(self.workspace))
        desk = WorkspaceDesk(self.workspace)
        self.application = Application(
            Parts(lambda: self.router.current, keys, self.journal, self.workspace.now, desk, self.shadowing)
        )

    @bentoml.on_startup  # type: ignore[untyped-decorator]
    def start(self) -> None:
        """Load what is released, and then answer."""
        _tell_on_standard_error()
        self.router.start()
        self.shadowing.start()
        gc.collect()
        gc.freeze()
        gc.set_threshold(*COLLECT_AFTER)
        FastPath.application = self.application

    @bentoml.on_shutdown  # type: ignore[untyped-decorator]
    def stop(self) -> None:
        """End the threads that follow the releases and the shadows, and close the journal's files."""
        self.router.stop()
        self.shadowing.stop()
        self.journal.close()


def _tell_on_standard_error() -> None:
    """Let our own log be read where BentoML's is, which sets up its own alone."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s [%(levelname)s] [%(name)s] %(message)s"))
    logger = logging.getLogger("penstock")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)


Inference.add_asgi_middleware(FastPath)  # type: ignore[attr-defined]  # the decorator made it a BentoML service
