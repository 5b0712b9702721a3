"""What runs, where and since when; quick, and with no heavy library."""

import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime

from penstock.domain.workspace import Workspace
from penstock.orchestration.processes import read_identity
from penstock.stack.parts import PARTS, Part, record_of, url_of
from penstock.stack.supervisor import part_states

PATIENCE_SECONDS = 2.0  # a part that needs longer to say that it is well is not
GIVEN_UP = {"FATAL", "UNKNOWN"}
RESTING = {"STOPPED", "STOPPING"}


@dataclass(frozen=True, slots=True)
class PartState:
    """One part: `running`, `starting`, `stopped` or `failed`; where it answers, and since when (ISO 8601, UTC)."""

    name: str
    state: str
    url: str | None
    since: str | None


def status(workspace: Workspace) -> list[PartState]:
    """Return the state of every part; of a workspace that is not there, all stopped."""
    words = part_states(workspace)
    with ThreadPoolExecutor(len(PARTS)) as threads:
        return list(threads.map(lambda part: _state_of(part, words, workspace), PARTS))


def is_up(workspace: Workspace) -> bool:
    """Return whether every part runs and answers."""
    return all(part.state == "running" for part in status(workspace))


def serves_commands(workspace: Workspace) -> bool:
    """Return whether a command can run its flow: every server answers, and the rest lives, heard of lately or not."""
    return all(part.state == "running" or (part.url is None and part.state == "starting") for part in status(workspace))


def _state_of(part: Part, words: dict[str, str] | None, workspace: Workspace) -> PartState:
    identity = read_identity(record_of(part.name, workspace))
    since = None if identity is None else identity.since
    told = None if since is None else datetime.fromtimestamp(since, UTC).isoformat(timespec="seconds")
    word = None if words is None else words.get(part.name)
    return PartState(part.name, _name(part, word, since, workspace), url_of(part, workspace), told)


def _name(part: Part, word: str | None, since: float | None, workspace: Workspace) -> str:
    if word in GIVEN_UP:
        return "failed"
    if word in RESTING or (word is None and since is None):
        return "stopped"
    return "running" if since is not None and is_well(part, since, workspace) else "starting"


def is_well(part: Part, since: float, workspace: Workspace) -> bool:
    """Return whether a part that has lived since a time (seconds since 1970) does its work."""
    if part.ready is not None:
        return part.ready(workspace, since)
    return answers(f"{url_of(part, workspace)}{part.health}")


def answers(url: str) -> bool:
    """Return whether a page of loopback answers well."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # loopback needs no proxy, whatever is set
    try:
        with opener.open(url, timeout=PATIENCE_SECONDS) as response:
            return 200 <= int(response.status) < 300  # noqa: PLR2004  HTTP: success
    except urllib.error.HTTPError as error:
        error.close()
        return False
    except (OSError, ValueError):
        return False
