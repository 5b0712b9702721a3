"""The demo, from an empty folder to a served model."""

import json
import signal
from pathlib import Path

import click

from penstock.cli.main import json_option
from penstock.store.workspace import demo_exits, find_workspace, inherited_environment


@click.command()
@click.option("--folder", type=click.Path(path_type=Path), default=Path("penstock-demo"), help="Where the demo plays.")
@click.option("--exit", "ends", is_flag=True, help="End by itself, as with DEMO_EXIT=1.")
@json_option
def demo(folder: Path, ends: bool, as_json: bool) -> None:
    """Show the main job on a real data set: the hourly bike rentals of 2011.

    Stays up until Ctrl-C, and then leaves no process behind.
    """
    from penstock.demo.story import Stage, play
    from penstock.stack.supervision import down

    folder.mkdir(parents=True, exist_ok=True)
    workspace = find_workspace(folder=folder)
    stage = Stage(folder.resolve(), inherited_environment(workspace), lambda text: click.echo(text, err=as_json))
    try:
        ending = play(stage)
        if as_json:
            click.echo(json.dumps({**ending.answer, "scenes": ending.seconds}))
        if not (ends or demo_exits()):
            click.echo("Everything stays up until Ctrl-C.", err=as_json)
            signal.pause()
    except KeyboardInterrupt:
        click.echo("\nEnding the stack.", err=as_json)
    finally:
        down(workspace)
