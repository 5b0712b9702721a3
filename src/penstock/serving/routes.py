"""Which versions answer at one moment, and which of them a caller gets; needs no store."""

import hashlib
import random
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


@dataclass(frozen=True, slots=True)
class Route:
    """What answers for one project: every live version, and who gets which share of the callers.

    `shares` holds the upper ends of the versions' shares of 0 to 100, in an order that lets a growing share keep
    the callers that it has; `release` is the number of the release that says so.
    """

    project: str
    release: int
    live: Mapping[str, LiveVersion] = field(default_factory=dict)
    shares: tuple[tuple[float, LiveVersion], ...] = ()

    @property
    def main(self) -> LiveVersion | None:
        """The version with the largest share, or None if nothing answers."""
        return max((version for _, version in self.shares), key=lambda version: version.weight, default=None)

    def choose(self, caller: Any = None) -> LiveVersion | None:
        """Return the version that answers a caller: always the same for the same id while a release lasts.

        Parameters
        ----------
        caller
            The value of the id column; None draws a version by the weights.
        """
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
    live: list[tuple[str, float, str]] = [(version, weight, release.state) for version, weight in weights.items()]
    if release.state in ("serving", "partial", "shadow", "pending_approval", "rolled_back"):
        warm_ones = dict.fromkeys(version for version in (release.version, release.previous) if version is not None)
        shadows = release.state == "shadow"
        live += [
            (version, 0.0, "shadow" if shadows and version == release.version else "warm")
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
