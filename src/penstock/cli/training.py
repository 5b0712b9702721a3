"""Commands from a file to a served model."""

import contextlib
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from penstock.cli.leaderboard import leaderboard
from penstock.cli.main import json_option
from penstock.cli.outcome import answering, ending, tell, telling_a_block
from penstock.cli.output import Output
from penstock.cli.progress import progress_on
from penstock.cli.projects import check_there, columns_said, draft, find_project
from penstock.cli.stack import require_stack
from penstock.cli.waiting import wait_for_end
from penstock.domain.outcomes import Outcome
from penstock.domain.workspace import Workspace
from penstock.errors import SpecError
from penstock.store import schema
from penstock.store.projects import project_file
from penstock.store.workspace import find_workspace, use_environment


def column_options(command: Any) -> Any:
    """Give a command the options that say what columns are."""
    for option in (
        click.option("--id", "identity", help="The column that names a row; `none` for none."),
        click.option("--time", "moment", help="The column that orders rows; `none` for none."),
        click.option("--target", help="The column to predict."),
    ):
        command = option(command)
    return command


@click.command()
@click.argument("name")
@click.option("--data", "path", required=True, type=click.Path(path_type=Path), help="A CSV or Parquet file.")
@column_options
@json_option
def init(name: str, path: Path, target: str | None, moment: str | None, identity: str | None, as_json: bool) -> None:
    """Write projects/NAME.yaml, with what the data says and a comment for each setting."""
    output, workspace = Output(as_json=as_json), _workspace()
    check_there(path, pattern=True)
    if target is None:
        raise SpecError(f"A project needs the column to predict: add --target COLUMN. {columns_said(path)}")
    file, notes = draft(name, path, target, {"time": moment, "id": identity}, workspace)
    body = {"project": name, "file": str(file), "notes": notes}
    output.answer(body, lambda: click.echo("\n".join([f"Wrote {file}.", *notes])))


@click.command()
@click.argument("what")
@column_options
@click.option("--seconds", type=click.FloatRange(min=0, min_open=True), help="Seconds for the search.")
@click.option("--quarantine", is_flag=True, help="Go on without the rows that fail, however many.")
@click.option("--wait", is_flag=True, help="Wait for the rollout's end.")
@json_option
def run(
    what: str,
    target: str | None,
    moment: str | None,
    identity: str | None,
    seconds: float | None,
    quarantine: bool,
    wait: bool,
    as_json: bool,
) -> int:
    """Make a served model of WHAT, a file with --target or a project's name: the main job.

    The project of a file is named after its stem. The stack is started if it is not up.
    """
    output, workspace, began = Output(as_json=as_json), _workspace(), time.perf_counter()
    name, notes = find_project(what, target, {"time": moment, "id": identity}, workspace)
    for note in notes:
        output.note(note)
    drafted = time.perf_counter()
    _start_stack(workspace, output)
    started = time.perf_counter()
    outcome, around = _train({"project": name, "seconds": seconds, "quarantine": quarantine}, output, workspace)
    if wait:
        outcome = replace(outcome, release=wait_for_end(outcome.release, output, workspace))
    trained = time.perf_counter()
    body = answering(outcome, workspace)
    ended = time.perf_counter()
    body["seconds"] = {
        "init": round(drafted - began, 3),
        "up": round(started - drafted, 3),
        **around,
        "answer": round(ended - trained, 3),
        "total": round(ended - began, 3),
    }
    from penstock.serving.auth import project_key

    body["key"] = project_key(name, workspace)
    output.answer(body, lambda: tell(body, outcome))
    return ending(body, output)


@click.command()
@click.argument("name")
@click.option("--seconds", type=click.FloatRange(min=0, min_open=True), help="Seconds for the search.")
@click.option("--quarantine", is_flag=True, help="Go on without the rows that fail, however many.")
@click.option("--no-release", is_flag=True, help="Judge, but leave traffic alone.")
@click.option("--wait", is_flag=True, help="Wait for the rollout's end.")
@json_option
def train(name: str, seconds: float | None, quarantine: bool, no_release: bool, wait: bool, as_json: bool) -> int:
    """Search, judge and, if it is better, release a new version of project NAME."""
    output, workspace = Output(as_json=as_json), _workspace()
    project_file(name, workspace)
    require_stack(workspace, whole=True)
    wanted = {"project": name, "seconds": seconds, "quarantine": quarantine, "release": not no_release}
    outcome, around = _train(wanted, output, workspace)
    if wait:
        outcome = replace(outcome, release=wait_for_end(outcome.release, output, workspace))
    body = {**answering(outcome, workspace), "seconds": around}
    output.answer(body, lambda: _tell_trained(body, outcome, workspace))
    return ending(body, output)


@click.command()
@click.argument("name")
@click.option("--seconds", type=click.FloatRange(min=0, min_open=True), help="Seconds for the search, in all.")
@click.option("--quarantine", is_flag=True, help="Go on without the rows that fail, however many.")
@click.option("--no-release", is_flag=True, help="Judge, and release nothing.")
@json_option
def resume(name: str, seconds: float | None, quarantine: bool, no_release: bool, as_json: bool) -> int:
    """Go on with the training of project NAME that was stopped, on the rows that it was begun with.

    What its search has tried counts, and so do the seconds that it took. The project file may have been edited:
    budget, families, spaces, sampler, limits.
    """
    output, workspace = Output(as_json=as_json), _workspace()
    project_file(name, workspace)
    from penstock.data.training import find_stopped

    find_stopped(name, workspace)
    require_stack(workspace, whole=True)
    wanted = {"project": name, "seconds": seconds, "quarantine": quarantine, "release": not no_release, "resume": True}
    outcome, around = _train(wanted, output, workspace)
    body = {**answering(outcome, workspace), "seconds": around}
    output.answer(body, lambda: _tell_trained(body, outcome, workspace))
    return ending(body, output)


def _tell_trained(body: dict[str, Any], outcome: Outcome, workspace: Workspace) -> None:
    click.echo()
    click.echo(leaderboard(outcome.project, outcome.version, workspace))
    tell(body, outcome)


def _workspace() -> Workspace:
    workspace = find_workspace()
    use_environment(workspace)
    schema.migrate(workspace)
    return workspace


def _start_stack(workspace: Workspace, output: Output) -> None:
    from penstock.stack.state import serves_commands

    if serves_commands(workspace):
        return
    from penstock.stack.supervision import up

    up(workspace, output.note)


def _train(wanted: dict[str, Any], output: Output, workspace: Workspace) -> tuple[Outcome, dict[str, float]]:
    """Run the flow in this process; return what it came to, and seconds by stage with what lies around them.

    Parameters
    ----------
    wanted
        The flow's parameters.
    output
        Where the verdict goes if the training is refused; then the command ends.
    workspace
        Where it runs.
    """
    began = time.perf_counter()
    sys.path.insert(0, str(workspace.app))
    from penstock.orchestration.runs import running_in_process

    with (
        telling_a_block(wanted["project"], output),
        contextlib.redirect_stdout(sys.stderr),
        progress_on(sys.stderr),
        running_in_process(workspace),
    ):
        from flows.train import train as flow

        loaded = time.perf_counter()
        try:
            outcome = flow(**wanted)
        except KeyboardInterrupt:
            click.echo(f"\nNothing is lost: `penstock resume {wanted['project']}` goes on with it.", err=True)
            raise
    ended = time.perf_counter()
    stages = {stage: took for stage, took in outcome.seconds.items() if stage != "total"}
    around = {
        "load": round(loaded - began, 3),
        **stages,
        "prefect": round(ended - loaded - sum(stages.values()), 3),
        "total": round(ended - began, 3),
    }
    return outcome, around
