"""What people ask for in MLflow's registry, against what answers.

The newest release is the truth about traffic. The alias `champion` as it was last seen, but not as it should be, is
stale and is written. An alias that has changed is a person's request: it is written down, and once the alias has
rested, the last request is followed, proposed or refused. While MLflow is down nothing happens, and nothing is lost.
"""

import logging
from datetime import UTC, datetime, timedelta

import msgspec

from penstock.domain.events import ALIAS_REFUSED, Notice
from penstock.domain.releases import AliasRequest, Release
from penstock.domain.workspace import Workspace
from penstock.errors import NotFound, Refused, SourceUnavailable
from penstock.rollout import admission, aliases, history, release
from penstock.rollout.admission import judged
from penstock.rollout.writing import Cause
from penstock.store import outbox, records, registry_aliases
from penstock.store.alias_requests import add_request, list_requests, overtake_requests, settle_request
from penstock.store.database import connect, reading
from penstock.store.ledger import Act, append_audit
from penstock.store.projects import open_project

logger = logging.getLogger(__name__)

ACTOR = "unknown (alias moved in MLflow)"
SEEN = "alias_before_release"
SETTLE_SECONDS = 4.0  # an alias that moves again within this has not come to rest: traffic follows its last value only


class Seen(msgspec.Struct, frozen=True):
    """The alias value last seen of a project that has no release yet, whose row would say so."""

    version: str | None = None


def reconcile_aliases(workspace: Workspace) -> list[Release]:
    """Write aliases that are stale, and follow or refuse aliases that people moved: what `control` does at each tick.

    Parameters
    ----------
    workspace
        Where MLflow and the releases are.

    Returns
    -------
    list of Release
        What people's requests have moved.

    Raises
    ------
    PenstockError
        If a project cannot be reconciled, and is tried again at the next tick; the others were.
    """
    moved, failed = [], []
    released = {newest.project: newest for newest in records.newest_releases(workspace)}
    for project in records.list_projects(workspace):
        try:
            newest = released.get(project)
            after = begin(project, workspace) if newest is None else reconcile(newest, workspace)
        except SourceUnavailable as error:
            logger.debug("%s", error)  # `status` says that MLflow is down; nothing is lost meanwhile
            continue
        except Exception as error:  # noqa: BLE001  one project's alias holds up no other
            failed.append(error)
            continue
        if after is not None:
            moved.append(after)
    if failed:
        raise failed[0]
    return moved


def reconcile(newest: Release, workspace: Workspace) -> Release | None:
    """Bring one project's alias and traffic together; return the release that a person's request has made.

    Raises
    ------
    SourceUnavailable
        If MLflow does not answer.
    """
    found = registry_aliases.find_alias(newest.project, workspace)
    current = _see(newest, found, workspace)
    if current is None:
        return None
    requests = list_requests(newest.project, workspace, "open")
    if requests:
        if datetime.now(UTC) - requests[-1].seen_at < timedelta(seconds=SETTLE_SECONDS):
            return None
        moved = _answer(current, requests[-1], workspace)
        if moved is not None:
            return moved
    if found != current.champion:
        aliases.put_alias(current.project, current.champion, workspace)
        aliases.remember(current, current.champion, workspace)
    return None


def begin(project: str, workspace: Workspace) -> Release | None:
    """Follow or refuse an alias that a person set before anything answers; return the release that this has made.

    A version that may not answer is refused, and the alias taken away, as there is none to put it back to. The first
    version that answers needs nobody's agreement, whoever asks for it: there is no champion that could go on answering.

    Raises
    ------
    SourceUnavailable
        If MLflow does not answer.
    """
    if not records.list_versions(project, workspace):
        return None  # there is nothing to name; and two who ask a new MLflow at once make its tables twice
    found = registry_aliases.find_alias(project, workspace)
    seen = records.find_record(SEEN, project, project, Seen, workspace) or Seen()
    if found != seen.version and not _see_first(project, seen.version, found, workspace):
        return None
    requests = list_requests(project, workspace, "open")
    if requests:
        if datetime.now(UTC) - requests[-1].seen_at < timedelta(seconds=SETTLE_SECONDS):
            return None
        moved = _answer(None, requests[-1], workspace)
        if moved is not None:
            return moved
    if found is not None:
        with reading(workspace).begin() as connection:
            if history.newest(connection, project) is not None:
                return None  # released meanwhile: the alias may name what answers
        registry_aliases.drop_alias(project, workspace)
        records.save_record(SEEN, project, project, Seen(), workspace)
    return None


def _see_first(project: str, before: str | None, found: str | None, workspace: Workspace) -> bool:
    """Remember the alias value of a project without a release, and write down the request that it is.

    Return whether there is still no release: what a training has released meanwhile is no person's request.
    """
    with connect(workspace).begin() as connection:
        if history.newest(connection, project) is not None:
            return False
        if found is None:
            overtake_requests(connection, project, "The alias was taken away.")
        elif not aliases.was_ours(project, found, workspace):
            add_request(connection, project, (before, found), ACTOR)
        records.put_record(connection, SEEN, project, project, Seen(found))
    return True


def _see(newest: Release, found: str | None, workspace: Workspace) -> Release | None:
    """Remember an alias value, and write down the request that it is; None if traffic was moved meanwhile."""
    ours = aliases.was_ours(newest.project, found, workspace)
    first = records.find_record(SEEN, newest.project, newest.project, Seen, workspace) or Seen()
    with connect(workspace).begin() as connection:
        current = history.newest(connection, newest.project)
        if current is None or current.id != newest.id or current.champion != newest.champion:
            return None
        if found == current.alias_seen:
            return current
        seen = current.alias_seen or first.version  # what was seen before the first release is no move after it
        if found == current.champion:
            overtake_requests(connection, newest.project, "The alias was moved back.")
        elif not ours and found != seen:
            add_request(connection, newest.project, (seen, found), ACTOR)
        records.put_record(connection, SEEN, newest.project, newest.project, Seen())
        return aliases.put_seen(connection, current, found)


def _answer(current: Release | None, last: AliasRequest, workspace: Workspace) -> Release | None:
    """Follow, propose or refuse the last request; those before it are overtaken. None if it is not followed."""
    try:
        return _follow(current, last, workspace)
    except (Refused, NotFound) as error:
        _refuse(current, last, error.message, workspace)
        return None


def _follow(current: Release | None, request: AliasRequest, workspace: Workspace) -> Release:
    project, version = request.project, request.version
    if version is None:
        raise Refused("The alias 'champion' must name a version, but was taken away.")
    judged(project, version, workspace)
    policy = open_project(project, workspace).rollout
    with reading(workspace).begin() as connection:
        if history.was_taken_back(connection, project, version):
            raise Refused(
                f"Version {version} of {project!r} was rolled back, so releasing it again needs a reason: "
                f"`penstock release {project} {version} --reason ...`."
            )
        asks = admission.asks_approval(connection, policy, project)
    came = "set" if request.before is None else f"moved from version {request.before}"
    cause = Cause(request.actor, f"The alias was {came} to version {version}.", request=request.number)
    if asks and current is not None and current.champion != version:
        return release.propose_release(project, version, cause, workspace)
    return release.release_for(project, version, cause, workspace)


def _refuse(current: Release | None, request: AliasRequest, reason: str, workspace: Workspace) -> None:
    """Refuse a request, unless it was overtaken meanwhile: the alias is put back, as what is stale is."""
    champion = None if current is None else current.champion
    act = Act(request.actor, "alias.refused", request.project, reason, champion, request.version)
    payload = {"version": request.version, "champion": champion, "reason": reason}
    with connect(workspace).begin() as connection:
        if not settle_request(connection, request.number, "refused", reason):
            return
        overtake_requests(connection, request.project, f"The alias was moved on to {request.version}.")
        append_audit(connection, act)
        outbox.post(connection, Notice(f"alias:{request.number}", ALIAS_REFUSED, request.project, payload))
