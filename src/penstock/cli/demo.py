"""The demo's story, and a stream of customers to try the loop with."""

import json
import re
import signal
from pathlib import Path
from typing import Any

import click

from penstock.cli.main import json_option
from penstock.cli.output import Output
from penstock.domain.workspace import PROJECT_NAME, Workspace
from penstock.errors import SpecError
from penstock.store.workspace import api_key, demo_exits, find_workspace, inherited_environment

PRESETS = ["price-rise", "new-reasons", "older-customers"]  # a test holds them against demo.presets
JUDGE_HELD = 3


def day(text: str) -> int:
    """Return the number of a day of the stream, which is said as `12` or `day-12`."""
    found = re.fullmatch(r"(?:day-)?([1-9][0-9]{0,5})", text)
    if found is None:
        raise click.BadParameter(f"A day of the stream must be such as 'day-12', but is {text!r}.")
    return int(found.group(1))


@click.group(invoke_without_command=True)
@click.option("--folder", type=click.Path(path_type=Path), default=Path("penstock-demo"), help="Where the demo plays.")
@click.option("--exit", "ends", is_flag=True, help="End by itself, as with DEMO_EXIT=1.")
@json_option
@click.pass_context
def demo(context: click.Context, folder: Path, ends: bool, as_json: bool) -> None:
    """Tell the whole story on a real data set, the hourly bike rentals of 2011 and 2012.

    Stays up until Ctrl-C, and then leaves no process behind. Ends with exit code 3 if the judge holds.
    """
    if context.invoked_subcommand is not None:
        return
    from penstock.demo.stage import Stage, is_own, make_room
    from penstock.demo.story import play
    from penstock.stack.supervision import down

    folder.mkdir(parents=True, exist_ok=True)
    workspace = find_workspace(folder=folder, create=False)
    if is_own(folder, workspace):
        down(workspace)
    make_room(folder, workspace)
    stage = Stage(folder.resolve(), inherited_environment(workspace), lambda text: click.echo(text, err=as_json))
    held = False
    try:
        ending = play(stage)
        held = ending.held is not None
        if as_json:
            click.echo(json.dumps(ending.body))
        if not (ends or demo_exits()):
            click.echo("Everything stays up until Ctrl-C.", err=as_json)
            signal.pause()
    except KeyboardInterrupt:
        click.echo("\nEnding the stack.", err=as_json)
    finally:
        down(workspace)
    if held:
        context.exit(JUDGE_HELD)


@demo.command()
@click.option("--project", required=True, help="A project that predicts `churned` of the generator's customers.")
@click.option("--url", help="Where the service answers; this workspace's by default.")
@click.option("--key", help="A key that opens the project; PENSTOCK_API_KEY or the project's own by default.")
@click.option("--days", type=click.IntRange(min=1), default=30, help="How many days.")
@click.option("--from-day", type=day, metavar="DAY", default="day-1", help="The first day, to go on with a stream.")
@click.option("--rows-per-day", type=click.IntRange(min=1), default=300, help="Customers of a day, over a week.")
@click.option("--rows-per-request", type=click.IntRange(1, 10_000), default=1, help="Customers of a request.")
@click.option("--drift-at", type=day, metavar="DAY", help="The day on which the business changes, such as day-12.")
@click.option("--drift", type=click.Choice(PRESETS), default="price-rise", help="What changes.")
@click.option("--label-delay-days", type=click.IntRange(min=0), default=2, help="When labels follow.")
@click.option("--no-labels", is_flag=True, help="Bring no labels.")
@click.option("--time-scale", type=click.FloatRange(min=1), default=2000.0, help="Calendar seconds in one of the wall.")
@click.option("--seed", type=int, default=7, help="The seed of the table; the same seed sends the same rows.")
@json_option
def stream(
    project: str, url: str | None, key: str | None, no_labels: bool, drift_at: int | None, as_json: bool, **plan: Any
) -> None:
    """Send the generator's customers from where its table ends, and later what became of them.

    Speaks only HTTP. Prints a line a day, and with --json the counts at the end, with the quality of each day against
    the truth.
    """
    from penstock.demo.client import Client
    from penstock.demo.stream import Plan
    from penstock.demo.stream import stream as send

    output, workspace = Output(as_json=as_json), find_workspace(create=False)
    tell = output.note if as_json else click.echo
    with Client(url or workspace.serving_url, project, key or _key(project, workspace)) as client:
        came = send(Plan(**plan, drift_at=drift_at, labels=not no_labels), client, tell)
    said = f"{came.asked} asked, {came.answered} answered, {came.failed} failed, {came.labelled} labelled."
    output.answer({"project": project, **came.body}, lambda: click.echo(said))


@demo.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--rows", type=click.IntRange(min=1), default=10_000, help="How many customers, spread over a year.")
@click.option("--seed", type=int, default=7, help="Decides everything.")
@json_option
def data(file: Path, rows: int, seed: int, as_json: bool) -> None:
    """Write the generator's table to FILE, CSV: customers of a subscription business, some of whom leave."""
    from penstock.demo.generator import make_table

    file.parent.mkdir(parents=True, exist_ok=True)
    make_table(rows, seed).frame.to_csv(file, index=False)
    body = {"file": str(file), "rows": rows, "target": "churned"}
    Output(as_json=as_json).answer(
        body, lambda: click.echo(f"Wrote {rows} customers to {file}; the target is churned.")
    )


def _key(project: str, workspace: Workspace) -> str:
    """Return the key that a caller of this machine has at hand: the environment's, or the project's own."""
    given = api_key()
    if given is not None:
        return given
    file = workspace.secrets / f"{project}.key"
    if not re.fullmatch(PROJECT_NAME, project) or not file.exists():
        raise SpecError(
            f"The stream needs a key that opens project {project!r}: give --key or PENSTOCK_API_KEY. "
            f"`penstock run` prints one, and `penstock keys create NAME` makes one."
        )
    return file.read_text().strip()
