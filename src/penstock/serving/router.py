"""Which version answers: follows the newest releases and swaps what is served in one assignment."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from sqlalchemy.exc import SQLAlchemyError

from penstock.domain.evaluation import Held
from penstock.domain.releases import Release
from penstock.domain.workspace import Workspace
from penstock.errors import PenstockError
from penstock.serving.http.routes import Failure, LiveVersion, Route, Routing, Validity, shares_of, wanted
from penstock.serving.session import LoadedBundle
from penstock.store import artifacts, records

logger = logging.getLogger(__name__)

POLL_SECONDS = 0.5
RETRY_SECONDS = 10.0  # a bundle that did not load is tried again: its bucket may have been away


class Router:
    """Follows the releases of a workspace in a thread of its own.

    A version whose bundle cannot be loaded or does not have the content that its digest names is never served:
    what answered before goes on answering, and the failure is told.
    """

    def __init__(self, workspace: Workspace, beside: tuple[Callable[[], None], ...] = ()) -> None:
        """Follow the releases of `workspace`; `beside` is called as often as they are read."""
        self.workspace = workspace
        self.beside = beside
        self.current = Routing()
        self._bundles: dict[str, LoadedBundle] = {}
        self._validities: dict[int, Validity] = {}
        self._seen: object = None
        self._retry = 0.0
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Read the releases once, then follow them until `stop`."""
        self._poll()
        self._thread = threading.Thread(target=self._follow, name="penstock-router", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def refresh(self) -> None:
        """Read the releases, and load and swap what changed."""
        try:
            releases = records.newest_releases(self.workspace)
            projects = records.list_projects(self.workspace)
            held = records.newest_records("held", Held, self.workspace)
        except SQLAlchemyError as error:
            self._tell(error)
            return
        self._renew(releases)
        settled = not self.current.failures or time.monotonic() < self._retry
        known = [replace(release, valid_until=None, alias_seen=None) for release in releases]
        if (seen := (known, projects, held)) == self._seen and self.current.problem is None and settled:
            return
        self._swap(releases, projects, held)
        self._seen, self._retry = seen, time.monotonic() + RETRY_SECONDS

    def _follow(self) -> None:
        while not self._stop.wait(POLL_SECONDS):
            self._poll()

    def _poll(self) -> None:
        for act in (self.refresh, *self.beside):
            try:
                act()
            except Exception:
                logger.exception("What the service follows could not be read; it goes on with what it has.")

    def _tell(self, error: Exception) -> None:
        problem = f"The releases could not be read: {type(error).__name__}."
        if problem != self.current.problem:
            logger.error("%s %s", problem, error)
        # what answers goes on answering by the last word
        self.current = Routing(self.current.routes, self.current.failures, problem)

    def _renew(self, releases: list[Release]) -> None:
        """Let the weights of challengers count until they were last renewed; routes read it where it stands."""
        lasting = {each.id: each.valid_until for each in releases if each.active and each.valid_until is not None}
        self._validities = {number: self._validities.get(number, Validity()) for number in lasting}
        for number, until in lasting.items():
            self._validities[number].until = until.timestamp()

    def _swap(self, releases: list[Release], projects: list[str], held: dict[str, Held]) -> None:
        failures: list[Failure] = []
        routes = {project: Route(project, 0) for project in projects}
        for release in releases:
            route, failed = self._route_of(release, held.get(release.project))
            routes[release.project] = route
            failures.extend(failed)
        for failure in set(failures) - set(self.current.failures):
            logger.error("Version %s of %s is not served: %s", failure.version, failure.project, failure.reason)
        self.current = Routing(routes, tuple(failures), None)
        served = {id(live.bundle) for route in routes.values() for live in route.live.values()}
        self._bundles = {digest: bundle for digest, bundle in self._bundles.items() if id(bundle) in served}

    def _route_of(self, release: Release, held: Held | None) -> tuple[Route, list[Failure]]:
        live: dict[str, LiveVersion] = {}
        failures: list[Failure] = []
        for version, weight, state in [*wanted(release), *beside(release, held)]:
            try:
                live[version] = LiveVersion(version, weight, state, self._load(release.project, version))
            except Exception as error:  # noqa: BLE001  whatever is wrong with one bundle, the others answer
                reason = error.message if isinstance(error, PenstockError) else type(error).__name__
                failures.append(Failure(release.project, version, reason))
        before = self.current.routes.get(release.project)
        if any(release.weights.get(failure.version, 0) > 0 for failure in failures) and before and before.shares:
            return before, failures
        shadows = tuple(each for each in live.values() if each.state in ("shadow", "held"))
        shares = shares_of(live, release)
        if not release.active:
            return Route(release.project, release.id, live, shares, shadows=shadows), failures
        pair = live.get(release.champion), live.get(release.version)
        validity = self._validities.get(release.id, Validity())
        return Route(release.project, release.id, live, shares, *pair, shadows, validity), failures

    def _load(self, project: str, version: str) -> LoadedBundle:
        digest = records.find_version(project, version, self.workspace).bundle
        if digest not in self._bundles:
            bundle = LoadedBundle.open(artifacts.local_folder(digest, self.workspace))
            warm(bundle)
            self._bundles[digest] = bundle
            logger.info("Version %s of %s is loaded.", version, project)
        return self._bundles[digest]


def beside(release: Release, held: Held | None) -> list[tuple[str, float, str]]:
    """Return the held challenger that is shadowed beside a release, unless a rollout is under way."""
    if held is None or release.active or held.champion != release.champion or held.version in release.weights:
        return []
    return [(held.version, 0.0, "held")]


def warm(bundle: LoadedBundle) -> None:
    """Run a graph once, so that no caller waits for its first call."""
    nothing = {column.name: np.array([None], object) for column in bundle.decoder.decoding.columns}
    bundle.answer_columns(nothing)
