"""Which versions answer at one moment, and which of them a caller gets; needs no store."""

import hashlib
import math
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from penstock.domain.releases import Release
from penstock.serving.session import LoadedBundle

WHOLE = 100.0


@dataclass(frozen=True, slots=True)
class LiveVersion:
    """A version that answers, or is kept warm with weight 0."""

    version: str
    weight: float
    state: str
    bundle: LoadedBundle


@dataclass(slots=True)
class Validity:
    """Until when a challenger's weight counts, in seconds since 1970: renewed in place, so that nothing is swapped."""

    until: float = math.inf


@dataclass(frozen=True, slots=True)
class Route:
    """What answers for one project: every live version, and who gets which share of the callers.

    `shares` holds the upper ends of the versions' shares of 0 to 100, in an order that lets a growing share keep
    the callers that it has; `release` is the number of the release that says so. During a rollout `champion` and
    `challenger` are its versions, and the challenger's share counts while `validity` lasts; `shadows` answer the same
    rows once more after the answer has left, and nobody sees what they say.
    """

    project: str
    release: int
    live: Mapping[str, LiveVersion] = field(default_factory=dict)
    shares: tuple[tuple[float, LiveVersion], ...] = ()
    champion: LiveVersion | None = None
    challenger: LiveVersion | None = None
    shadows: tuple[LiveVersion, ...] = ()
    validity: Validity = field(default_factory=Validity)

    @property
    def main(self) -> LiveVersion | None:
        """The version with the largest share, or None if nothing answers."""
        return max((version for _, version in self.shares), key=lambda version: version.weight, default=None)

    @property
    def reserve(self) -> LiveVersion | None:
        """The version that answers where another fails: the champion of a rollout, or what has the largest share."""
        return self.champion or self.main

    def choose(self, caller: Any = None) -> LiveVersion | None:
        """Return the version that answers a caller: always the same for the same id while a release lasts.

        Parameters
        ----------
        caller
            The value of the id column; None draws a version by the weights.
        """
        drawn = self.draw(caller)
        return self.champion if drawn is not None and self.has_lapsed(drawn) else drawn

    def has_lapsed(self, live: LiveVersion) -> bool:
        """Return whether a version's share counts no more: a challenger's, which nobody has renewed in time."""
        return live is self.challenger and time.time() > self.validity.until

    def share_of(self, live: LiveVersion) -> float:
        """Return the percent of callers that a version answers now."""
        if self.challenger is None or time.time() <= self.validity.until:
            return live.weight
        return 0.0 if live is self.challenger else live.weight + self.challenger.weight * (live is self.champion)

    def draw(self, caller: Any = None) -> LiveVersion | None:
        """Return the version in whose share a caller lies, whether that still counts or not."""
        if len(self.shares) <= 1:
            return self.shares[0][1] if self.shares else None
        point = random.random() * WHOLE if caller is None else place_of(self.project, self.release, caller)  # noqa: S311
        return next((version for upper, version in self.shares if point < upper), self.shares[-1][1])


@dataclass(frozen=True, slots=True)
class Failure:
    """A version that should answer and could not be loaded."""

    project: str
    version: str
    reason: str


@dataclass(frozen=True, slots=True)
class Routing:
    """All that the service serves at one moment; replaced whole, never changed."""

    routes: Mapping[str, Route] = field(default_factory=dict)
    failures: tuple[Failure, ...] = ()
    problem: str | None = "The releases were not read yet."


def place_of(project: str, release: int, caller: object) -> float:
    """Return where a caller lies between 0 and 100; it depends on nothing else."""
    digest = hashlib.blake2b(f"{project}\0{release}\0{caller}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / (1 << 64) * WHOLE


def wanted(release: Release) -> list[tuple[str, float, str]]:
    """Return the versions that a release keeps live, with weight and state: those with weight, then the warm ones."""
    weights = {version: weight for version, weight in release.weights.items() if weight > 0}
    live: list[tuple[str, float, str]] = [
        (version, weight, "serving" if version == release.champion else release.state)
        for version, weight in weights.items()
    ]
    warm_ones = dict.fromkeys(version for version in (release.version, release.previous) if version is not None)
    live += [
        (version, 0.0, release.state if release.active and version == release.version else "warm")
        for version in warm_ones
        if version not in weights
    ]
    return live


def shares_of(live: Mapping[str, LiveVersion], release: Release) -> tuple[tuple[float, LiveVersion], ...]:
    """Return the upper ends of the shares, the released version's first."""
    weighted = sorted(
        (version for version in live.values() if version.weight > 0),
        key=lambda version: (version.version != release.version, version.version),
    )
    total = sum(version.weight for version in weighted)
    shares, upper = [], 0.0
    for version in weighted:
        upper += version.weight / total * WHOLE
        shares.append((upper, version))
    return tuple(shares)
