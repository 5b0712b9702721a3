"""Commands for rows that were set aside."""

import click

from penstock.cli.main import json_option
from penstock.cli.output import Output, table
from penstock.domain.datasets import ValidationReport
from penstock.store import records, schema
from penstock.store.workspace import find_workspace


@click.group()
def quarantine() -> None:
    """List rows that were set aside, and re-admit them."""


@quarantine.command("list")
@click.argument("name")
@json_option
def list_them(name: str, as_json: bool) -> None:
    """List what was set aside of project NAME's tables, oldest first, with the reasons."""
    workspace, output = find_workspace(), Output(as_json=as_json)
    schema.migrate(workspace)
    records.project_path(name, workspace)
    reports = records.list_records("validation", name, ValidationReport, workspace)
    aside = [(report.quarantine[:12], report) for report in reports if report.quarantine]
    body = [
        {"id": name, "rows": report.quarantined, "blocked": report.blocked, "reasons": report.reasons}
        for name, report in aside
    ]
    rows = [(name, str(report.quarantined), " ".join(report.reasons)) for name, report in aside]
    output.answer({"quarantined": body}, lambda: click.echo(table(rows) or "Nothing was set aside."))


@quarantine.command("readmit")
@click.argument("name")
@click.argument("identity", metavar="ID")
@click.option("--row", "rows", multiple=True, type=int, help="A row's position in the file; none given: all.")
@json_option
def readmit(name: str, identity: str, rows: tuple[int, ...], as_json: bool) -> None:
    """Let rows in that were set aside: the next run of project NAME takes them as they are."""
    from penstock.data.checks.quarantine import readmit as let_in

    workspace, output = find_workspace(), Output(as_json=as_json)
    schema.migrate(workspace)
    records.project_path(name, workspace)
    let = let_in(name, identity, rows or "all", workspace)
    count = len(let.rows)
    output.answer({"readmitted": count}, lambda: click.echo(f"{count} rows are let in at the next run."))
