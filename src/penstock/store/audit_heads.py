"""Where the audit's chain ended, kept apart from its table: a file of the workspace, and tags of released versions.

A chain whose last entries were taken out follows from itself; only what was told elsewhere shows that they were there.
"""

import json
import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from penstock.domain.releases import Release
from penstock.domain.workspace import Workspace
from penstock.errors import Refused, SourceUnavailable
from penstock.store import ledger, records, registry_aliases
from penstock.store.ledger import Head

FILE = "audit-head.json"
COUNT, HASH = "penstock.audit_count", "penstock.audit_head"  # tags of a registered version
STAMP = "audit_stamp"

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Told:
    """A head of the chain, and where it was told."""

    where: str
    head: Head


@dataclass(frozen=True, slots=True)
class Stamp:
    """The release of a project whose version was tagged last, and with which head."""

    project: str
    release: int
    head: Head


@dataclass(frozen=True, slots=True)
class Verified:
    """What was found of the audit: its entries, the first one that does not follow, what is missing, who was not asked.

    `missing` is a sentence, None if nothing is; `not_asked` says of each place that could not be asked, and why.
    """

    entries: int
    broken: int | None
    missing: str | None
    not_asked: tuple[str, ...]


def keep_head(workspace: Workspace) -> Head | None:
    """Write down where the chain ends, unless it lacks what was written down before; return that end.

    Parameters
    ----------
    workspace
        Its file is replaced whole, and what it said stays where the chain does not hold that any more.

    Returns
    -------
    Head or None
        None while there is no entry.

    Raises
    ------
    Refused
        If the chain lacks entries that were there.
    """
    kept = find_kept(workspace)
    lack = None if kept is None else _lack(Told(_file_name(workspace), kept), workspace)
    if lack is not None:
        raise Refused(f"{lack} `penstock audit-verify` says more.")
    head = ledger.find_head(workspace)
    if head is not None and head != kept:
        _replace(workspace.home / FILE, json.dumps({"count": head.count, "hash": head.hash}))
    return head


def find_kept(workspace: Workspace) -> Head | None:
    """Return what the workspace's file says of the chain's end, None if there is no file."""
    path = workspace.home / FILE
    if not path.exists():
        return None
    said = json.loads(path.read_text())
    return Head(int(said["count"]), str(said["hash"]))


def stamp_releases(workspace: Workspace) -> list[str]:
    """Tag the version of each project's newest release with the chain's end, once a release; return the projects.

    Releases never wait for it: it is done when MLflow answers.

    Raises
    ------
    Refused
        If the chain lacks entries that were there: nothing is written over what shows it.
    """
    due = [release for release in records.newest_releases(workspace) if not _is_stamped(release, workspace)]
    head = keep_head(workspace) if due else None
    if head is None:
        return []
    stamped = []
    for release in due:
        try:
            for name, value in ((COUNT, str(head.count)), (HASH, head.hash)):
                registry_aliases.set_tag(release.project, release.version, (name, value), workspace)
        except SourceUnavailable as error:
            logger.debug("%s", error)  # `status` says that MLflow is down, and the next call does it
            continue
        records.save_record(
            STAMP, release.project, release.project, Stamp(release.project, release.id, head), workspace
        )
        stamped.append(release.project)
    return stamped


def verify(workspace: Workspace) -> Verified:
    """Hold the audit against itself, and against what was told of its end in the workspace and in MLflow.

    Parameters
    ----------
    workspace
        Where the audit is kept. MLflow need not answer.
    """
    kept = find_kept(workspace)
    told = [] if kept is None else [Told(_file_name(workspace), kept)]
    not_asked = []
    for project in records.list_projects(workspace):
        try:
            told += _tagged(project, workspace)
        except SourceUnavailable as error:
            not_asked.append(error.message)
    lacks = [lack for each in sorted(told, key=lambda each: -each.head.count) if (lack := _lack(each, workspace))]
    head = ledger.find_head(workspace)
    return Verified(
        entries=head.count if head else 0,
        broken=ledger.first_broken(workspace),
        missing=lacks[0] if lacks else None,
        not_asked=tuple(dict.fromkeys(not_asked)),
    )


def _is_stamped(release: Release, workspace: Workspace) -> bool:
    """Return whether there is nothing to tag: a rollout has not ended, or its version was tagged."""
    if release.state != "serving":
        return True
    last = records.find_record(STAMP, release.project, release.project, Stamp, workspace)
    return last is not None and last.release == release.id


def _tagged(project: str, workspace: Workspace) -> Iterator[Told]:
    for version, tags in registry_aliases.list_tags(project, workspace).items():
        if COUNT in tags and HASH in tags:
            where = f"version {version} of {project!r} in MLflow"
            yield Told(where, Head(int(tags[COUNT]), tags[HASH]))


def _lack(told: Told, workspace: Workspace) -> str | None:
    """Return what the chain lacks of what was told of it, in a sentence; None if it holds that."""
    there, count = ledger.hash_of(told.head.count, workspace), told.head.count
    if there == told.head.hash:
        return None
    if there is not None:
        return f"Entry {count} of the audit must be the one that {told.where} names, but is another."
    newest = ledger.find_head(workspace)
    entries = newest.count if newest else 0
    return (
        f"The audit must have at least {count} entries, as {told.where} says, but has {entries}: "
        f"the tail from entry {entries + 1} on is missing."
    )


def _file_name(workspace: Workspace) -> str:
    return f"the file {workspace.home / FILE}"


def _replace(path: Path, text: str) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with temporary.open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
