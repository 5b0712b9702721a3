"""Wait until a rollout has come to its end, and say how it goes."""

import time

from penstock.cli.output import Output
from penstock.domain.releases import Release
from penstock.domain.workspace import Workspace
from penstock.errors import SpecError

POLL_SECONDS = 0.5
CHECK_SECONDS = 10.0  # whether `control`, which drives rollouts, still runs


def wait_for_end(release: Release | None, output: Output, workspace: Workspace) -> Release | None:
    """Return a release whose rollout has ended: it serves, was taken back, or was replaced.

    Raises
    ------
    SpecError
        If `control` does not run, so that the rollout would wait for ever.
    """
    from penstock.rollout.history import find_release

    told, checked = "", time.monotonic()
    while release is not None and (release := find_release(release.id, workspace)).active:
        if (said := _stage(release)) != told:
            output.note(said)
            told = said
        if time.monotonic() - checked > CHECK_SECONDS:
            _require_control(workspace)
            checked = time.monotonic()
        time.sleep(POLL_SECONDS)
    return release


def _stage(release: Release) -> str:
    if release.state == "pending_approval":
        return f"Release {release.id} waits for approval: `penstock approve {release.id}`."
    return f"Version {release.version} is at {release.weights.get(release.version, 0):g} %."


def _require_control(workspace: Workspace) -> None:
    from penstock.stack.state import status

    if any(part.name == "control" and part.state in ("stopped", "failed") for part in status(workspace)):
        raise SpecError("A rollout needs the part `control`, and it does not run. Start it with `penstock up`.")
