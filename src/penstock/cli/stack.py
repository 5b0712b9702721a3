"""Commands for the processes of this machine."""

from dataclasses import asdict
from typing import Any

import click

from penstock.cli.main import json_option
from penstock.cli.output import Output, table
from penstock.domain.workspace import Workspace
from penstock.errors import SpecError
from penstock.store.workspace import find_workspace, use_environment


@click.command()
@json_option
def up(as_json: bool) -> None:
    """Start the stack on this machine, and wait until every part answers."""
    from penstock.stack.supervision import up as start

    workspace, output = find_workspace(), Output(as_json=as_json)
    use_environment(workspace)
    parts = [asdict(part) for part in start(workspace, output.note)]
    output.answer({"parts": parts}, lambda: click.echo(_parts(parts)))


@click.command()
@json_option
def down(as_json: bool) -> None:
    """End the stack; running flow runs are handed back first."""
    from penstock.stack.supervision import down as end

    workspace, output = find_workspace(create=False), Output(as_json=as_json)
    use_environment(workspace)
    end(workspace, output.note)
    output.answer({"stopped": True}, lambda: click.echo("Nothing runs."))


@click.command()
@json_option
def status(as_json: bool) -> None:
    """Say what runs, where and since when, and which version of each project answers."""
    from penstock.stack.state import status as state

    workspace, output = find_workspace(create=False), Output(as_json=as_json)
    parts = [asdict(part) for part in state(workspace)]
    projects = _projects(workspace)
    body = {"parts": parts, "projects": projects}
    output.answer(body, lambda: click.echo("\n\n".join(filter(None, [_parts(parts), _served(projects)]))))


@click.command()
@json_option
def doctor(as_json: bool) -> None:
    """Examine this machine and the workspace, and say what to do about what is found."""
    from penstock.stack.doctor import examine

    workspace, output = find_workspace(create=False), Output(as_json=as_json)
    checks = [asdict(check) for check in examine(workspace)]
    rows = [(check["state"], check["name"], check["found"], check["advice"]) for check in checks]
    output.answer({"checks": checks}, lambda: click.echo(table(rows)))


def require_stack(workspace: Workspace, *, whole: bool = False) -> None:
    """Raise unless the stack is up: some of it, as traffic is moved though MLflow is down, or the whole."""
    from penstock.stack.state import serves_commands
    from penstock.stack.state import status as state

    up = serves_commands(workspace) if whole else any(part.state == "running" for part in state(workspace))
    if not up:
        raise SpecError("This command needs the stack, and it is not up. Start it with `penstock up`.")


def _projects(workspace: Workspace) -> list[dict[str, Any]]:
    if workspace.database_server is None and not (workspace.home / "penstock.db").exists():
        return []
    from penstock.store import records

    projects = []
    for name in records.list_projects(workspace):
        release = records.newest_release(name, workspace)
        champion = release.champion if release else None
        projects.append({"name": name, "champion": champion, "weights": release.weights if release else {}})
    return projects


def _parts(parts: list[dict[str, Any]]) -> str:
    return table([(part["name"], part["state"], part["url"] or "", part["since"] or "") for part in parts])


def _shared(project: dict[str, Any]) -> str:
    """Return who answers which share of the callers, while a rollout is under way."""
    weights = {version: weight for version, weight in project["weights"].items() if version != project["champion"]}
    return ", ".join(f"version {version} at {weight:g} %" for version, weight in weights.items())


def _served(projects: list[dict[str, Any]]) -> str:
    return table(
        [
            (each["name"], f"version {each['champion']}" if each["champion"] else "not released", _shared(each))
            for each in projects
        ]
    )
