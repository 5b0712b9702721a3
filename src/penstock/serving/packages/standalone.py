"""One bundle behind the service's HTTP, with no records: what a Bento carries."""

import hashlib
import hmac
import logging
from pathlib import Path

import msgspec

from penstock.domain.workspace import Workspace
from penstock.serving.http.application import Application, Parts
from penstock.serving.http.doors import Opening
from penstock.serving.http.routes import WHOLE, LiveVersion, Route, Routing
from penstock.serving.journal import Journal
from penstock.serving.session import LoadedBundle
from penstock.store.workspace import api_key, home_folder

logger = logging.getLogger(__name__)

VERSION = "version.json"


class Served(msgspec.Struct, frozen=True):
    """Which version a Bento serves, of which project."""

    project: str
    version: str


class OneKey:
    """Opens for one key; without one, for nobody."""

    def __init__(self, key: str | None) -> None:
        self._hash = None if not key else hashlib.sha256(key.encode()).digest()

    def opening(self, token: str, project: str) -> Opening:
        """Say whether it is the key; it opens everything."""
        del project
        given = hashlib.sha256(token.encode()).digest()
        return "opens" if self._hash is not None and hmac.compare_digest(given, self._hash) else "unknown"

    def look_again(self, asked: float) -> None:
        """There is nothing to read anew."""


def open_application(folder: Path, key: str | None = None, home: Path | None = None) -> Application:
    """Serve the bundle in a folder.

    Parameters
    ----------
    folder
        The bundle's files, and `version.json`.
    key
        The key that opens; `PENSTOCK_API_KEY` by default.
    home
        Where the journal is written; `PENSTOCK_HOME` or `./.penstock` by default.

    Returns
    -------
    Application
        It takes no labels and no flags, which need records.
    """
    served = msgspec.json.decode((folder / VERSION).read_bytes(), type=Served)
    key = key or api_key()
    if key is None:
        logger.warning("No key opens this service: set PENSTOCK_API_KEY.")
    live = LiveVersion(served.version, WHOLE, "serving", LoadedBundle.open(folder))
    route = Route(served.project, 0, {served.version: live}, ((WHOLE, live),))
    routing = Routing({served.project: route}, (), None)
    workspace = Workspace(home=home or home_folder(), app=folder)
    return Application(Parts(lambda: routing, OneKey(key), Journal(workspace), workspace.now))
