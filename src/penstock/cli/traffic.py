"""Commands that move traffic, and that say who moved it."""

from datetime import UTC, datetime
from typing import Any

import click

from penstock.cli.incident import entry_of, show_incident
from penstock.cli.main import json_option
from penstock.cli.output import Output, table
from penstock.cli.stack import require_stack
from penstock.domain.releases import Release
from penstock.domain.workspace import Workspace
from penstock.errors import Refused, SourceUnavailable, SpecError
from penstock.rollout import aliases, history
from penstock.rollout import release as releases
from penstock.rollout.writing import Cause
from penstock.store import audit_heads, ledger, records, schema
from penstock.store.projects import open_project
from penstock.store.workspace import actor, find_workspace, use_environment


@click.command()
@click.argument("name")
@click.argument("version")
@click.option("--reason", default="", help="Why; it stands in the audit.")
@json_option
def release(name: str, version: str, reason: str, as_json: bool) -> None:
    """Give all traffic of project NAME to VERSION, a held version too."""
    workspace, output = _workspace(name), Output(as_json=as_json)
    require_stack(workspace)
    made = releases.release_version(name, version, actor=actor(), reason=reason, workspace=workspace)
    _tell(_follow(made, output, workspace), output)


@click.command()
@click.argument("name")
@click.option("--reason", default="", help="Why; it stands in the audit.")
@json_option
def rollback(name: str, reason: str, as_json: bool) -> None:
    """Give all traffic of project NAME back to the version that answered before."""
    workspace, output = _workspace(name), Output(as_json=as_json)
    made = releases.roll_back(name, actor=actor(), reason=reason, workspace=workspace)
    _tell(_follow(made, output, workspace), output)


@click.command()
@click.argument("identity", metavar="ID", type=int)
@click.option("--reason", default="", help="Why; it stands in the audit.")
@json_option
def approve(identity: int, reason: str, as_json: bool) -> None:
    """Let the release ID, which waits for approval, begin."""
    workspace, output, waiting = _waiting(identity, as_json=as_json)
    spec = open_project(waiting.project, workspace)
    made = releases.approve_release(waiting, spec, Cause(actor(), reason), workspace)
    _tell(_follow(made, output, workspace), output)


@click.command()
@click.argument("identity", metavar="ID", type=int)
@click.option("--reason", default="", help="Why; it stands in the audit.")
@json_option
def reject(identity: int, reason: str, as_json: bool) -> None:
    """Refuse the release ID, which waits for approval; its version returns by `penstock release` only."""
    workspace, output, waiting = _waiting(identity, as_json=as_json)
    made = releases.reject_release(waiting, Cause(actor(), reason), workspace)
    _tell(_follow(made, output, workspace), output)


@click.command()
@click.argument("name")
@click.option("--at", "moment", help="Only entries up to this time (ISO 8601).")
@click.option(
    "--incident",
    is_flag=False,
    flag_value="last",
    metavar="[ID]",
    help="The story of a decision to retrain, or the last.",
)
@json_option
def audit(name: str, moment: str | None, incident: str | None, as_json: bool) -> None:
    """Say who did what in project NAME, when and why."""
    workspace, output = _workspace(name), Output(as_json=as_json)
    if incident is not None:
        show_incident(name, incident, _time(moment), output, workspace)
        return
    entries = ledger.list_audit(name, workspace, _time(moment))
    body = {"entries": [entry_of(entry) for entry in entries]}
    rows = [(entry.at.isoformat(" ", "seconds")[:19], entry.actor, entry.action, entry.reason) for entry in entries]
    output.answer(body, lambda: click.echo(table(rows) or "Nothing has happened yet."))


@click.command()
@json_option
def audit_verify(as_json: bool) -> None:
    """Check that no entry of the audit was changed or taken out, the last ones included.

    Where its chain ended is kept apart from it: in a file of the workspace, and with each release in MLflow.
    """
    workspace, output = find_workspace(), Output(as_json=as_json)
    schema.migrate(workspace)
    found = audit_heads.verify(workspace)
    for said in found.not_asked:
        output.note(f"What MLflow says of the audit's end could not be asked: {said}")
    if found.broken is not None:
        raise Refused(f"Every entry of the audit must follow from the one before, but entry {found.broken} does not.")
    if found.missing is not None:
        raise Refused(found.missing)
    body = {"broken": None, "entries": found.entries, "not_asked": list(found.not_asked)}
    said = f"Every one of {found.entries} entries follows from the one before, and none is missing at the end."
    output.answer(body, lambda: click.echo(said))


def _workspace(name: str) -> Workspace:
    workspace = find_workspace()
    use_environment(workspace)
    schema.migrate(workspace)
    records.project_path(name, workspace)
    return workspace


def _waiting(identity: int, *, as_json: bool) -> tuple[Workspace, Output, Release]:
    workspace = find_workspace()
    use_environment(workspace)
    schema.migrate(workspace)
    return workspace, Output(as_json=as_json), history.find_release(identity, workspace)


def _follow(made: Release, output: Output, workspace: Workspace) -> Release:
    try:
        return aliases.write_alias(made, workspace)
    except SourceUnavailable as error:
        output.note(f"Traffic has moved; the alias in MLflow follows later: {error.message}")
        return made


def _tell(made: Release, output: Output) -> None:
    body: dict[str, Any] = {
        "project": made.project,
        "version": made.version,
        "release": {"state": made.state, "weights": made.weights},
    }
    said = "answers everything." if made.state == "serving" else f"is at {made.weights.get(made.version, 0):g} %."
    output.answer(body, lambda: click.echo(f"Version {made.version} of {made.project} {said}"))


def _time(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise SpecError(f"--at must be a time such as '2026-03-01T09:00', but is {text!r}.") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
