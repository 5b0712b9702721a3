"""Commands that use what is served: predictions of a table, labels, keys."""

from pathlib import Path

import click

from penstock.cli.main import json_option
from penstock.cli.output import Output, table
from penstock.cli.stack import require_stack
from penstock.errors import NotFound
from penstock.serving import auth, scoring
from penstock.serving.files.outputs import is_database
from penstock.store import access, ledger, records, schema
from penstock.store.ledger import Act
from penstock.store.workspace import actor, find_workspace


@click.command()
@click.argument("name")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", "out", help="Where to write: a .csv or .parquet file, or a database's table as env:NAME#TABLE."
)
@click.option("--explain", is_flag=True, help="Add what each column contributed to each prediction.")
@json_option
def predict(name: str, file: Path, out: str | None, explain: bool, as_json: bool) -> None:
    """Predict every row of FILE with the released version of project NAME; the same answers as online."""
    workspace, output = find_workspace(), Output(as_json=as_json)
    schema.migrate(workspace)
    records.project_path(name, workspace)
    if not file.exists():
        raise NotFound(f"The file {str(file)!r} must exist, but does not. Give the path of a CSV or Parquet file.")
    target = out or str(file.with_name(f"{file.stem}.predictions.csv"))
    placed = target if is_database(target) else str(Path(target).resolve())
    rows = scoring.score_table(name, str(file.resolve()), placed, explain, workspace)
    output.answer(
        {"project": name, "rows": rows, "output": target},
        lambda: click.echo(f"Wrote {rows} predictions to {target}."),
    )


@click.command()
@click.argument("name")
@click.argument("file", type=click.Path(path_type=Path))
@json_option
def label(name: str, file: Path, as_json: bool) -> None:
    """Bring the true values of answered rows of project NAME.

    FILE has the columns request_id, row, value and perhaps observed_at; or the project's id column, its target and,
    if there is one, its time column: a label is then of the row that was answered for that time.
    """
    from penstock.serving.files.label_tables import label_file

    workspace, output = find_workspace(), Output(as_json=as_json)
    schema.migrate(workspace)
    records.project_path(name, workspace)
    require_stack(workspace)
    reasons: list[str] = []
    counts = label_file(name, file, workspace, reasons.append)
    for reason in reasons:
        output.note(reason)
    body = {
        "accepted": counts.accepted,
        "superseded": counts.superseded,
        "unknown": counts.unknown,
        "reasons": reasons,
    }
    said = (
        f"{counts.accepted} accepted, {counts.superseded} of them in place of another value, {counts.unknown} unknown."
    )
    output.answer(body, lambda: click.echo(said))


@click.group()
def keys() -> None:
    """Make, list and revoke keys of the inference service."""


@keys.command("create")
@click.argument("name")
@click.option("--project", "projects", multiple=True, help="A project that the key opens; none given: all.")
@json_option
def create(name: str, projects: tuple[str, ...], as_json: bool) -> None:
    """Make a key called NAME, and show it this once."""
    workspace, output = find_workspace(), Output(as_json=as_json)
    schema.migrate(workspace)
    for project in projects:
        records.project_path(project, workspace)
    key = auth.create_key(name, projects, workspace)
    ledger.record_act(Act(actor(), "key.created", None, name, {"projects": list(projects)}), workspace)
    output.answer({"key": key}, lambda: click.echo(key))


@keys.command("list")
@json_option
def list_them(as_json: bool) -> None:
    """List every key by its name; keys themselves are kept nowhere."""
    workspace, output = find_workspace(), Output(as_json=as_json)
    schema.migrate(workspace)
    known = access.list_keys(workspace)
    body = {
        "keys": [
            {
                "name": key.name,
                "projects": list(key.projects),
                "created_at": key.created_at.isoformat(),
                "revoked_at": key.revoked_at.isoformat() if key.revoked_at else None,
            }
            for key in known
        ]
    }
    rows = [
        (key.name, ", ".join(key.projects) or "all projects", "revoked" if key.revoked_at else "in use")
        for key in known
    ]
    output.answer(body, lambda: click.echo(table(rows) or "There are none yet."))


@keys.command("revoke")
@click.argument("name")
@json_option
def revoke(name: str, as_json: bool) -> None:
    """Revoke the key called NAME; the service refuses it within two seconds."""
    workspace, output = find_workspace(), Output(as_json=as_json)
    schema.migrate(workspace)
    access.revoke_key(name, workspace)
    ledger.record_act(Act(actor(), "key.revoked", None, name, {}), workspace)
    output.answer({"revoked": name}, lambda: click.echo(f"The key {name!r} is revoked."))
