"""The command that watches what is served."""

import contextlib
import sys
from typing import Any

import click

from penstock.cli.main import json_option
from penstock.cli.output import Output, table
from penstock.cli.progress import progress_on
from penstock.cli.stack import require_stack
from penstock.domain.monitoring import Monitored
from penstock.domain.workspace import Workspace
from penstock.store import records, schema
from penstock.store.workspace import find_workspace, use_environment

SHOWN_COLUMNS = 10


@click.command()
@click.argument("name")
@json_option
def monitor(name: str, as_json: bool) -> None:
    """Watch one window of project NAME now: what moved, what was lost, and what follows."""
    output, workspace = Output(as_json=as_json), find_workspace()
    use_environment(workspace)
    schema.migrate(workspace)
    records.project_path(name, workspace)
    require_stack(workspace, whole=True)
    monitored = _monitor(name, workspace)
    body = watched(monitored, workspace)
    output.answer(body, lambda: click.echo(told(monitored, body)))


def watched(monitored: Monitored, workspace: Workspace) -> dict[str, Any]:
    """Return what machines are told of a window; what is not known is null."""
    window, performance, decision = monitored.window, monitored.performance, monitored.decision
    return {
        "project": window.project,
        "version": window.version,
        "window": {
            "number": window.number,
            "rows": window.rows,
            "from": window.from_at.isoformat() if window.from_at else None,
            "to": window.to_at.isoformat() if window.to_at else None,
        },
        "drifted": list(monitored.drift.drifted) if monitored.drift else [],
        "performance": {
            "measured": performance.measured,
            "low": performance.low,
            "high": performance.high,
            "estimated": performance.estimated,
            "estimated_low": performance.estimated_low,
            "estimated_high": performance.estimated_high,
            "expected": performance.expected,
            "metric": performance.metric,
            "labels": performance.labels,
        },
        "decision": {"id": decision.id, "verdict": decision.verdict, "reasons": list(decision.reasons)},
        "alerts": list(monitored.alerts),
        "incident": decision.id if decision.verdict == "retrain" else None,
        "report": _report(monitored, workspace),
    }


def told(monitored: Monitored, body: dict[str, Any]) -> str:
    """Return what a person is told of a window."""
    columns = monitored.drift.columns[:SHOWN_COLUMNS] if monitored.drift else ()
    rows = [
        (
            each.column,
            each.detector,
            f"{each.effect:.3f}",
            f"of {each.threshold:.3f}",
            "drifted" if each.drifted else "",
        )
        for each in columns
    ]
    lines = [*monitored.decision.reasons, *monitored.performance.notes]
    parts = ["\n".join(lines), table(rows), f"report    {body['report']}" if body["report"] else ""]
    if body["incident"]:
        parts.append(f"incident  {body['incident']}: `penstock audit {monitored.window.project} --incident` shows it")
    return "\n\n".join(part for part in parts if part)


def _report(monitored: Monitored, workspace: Workspace) -> str | None:
    if monitored.report is None:
        return None
    from penstock.monitoring.report import find_page

    return str(find_page(monitored, workspace))


def _monitor(name: str, workspace: Workspace) -> Monitored:
    """Run the flow in this process."""
    sys.path.insert(0, str(workspace.app))
    from penstock.orchestration.runs import running_in_process

    with contextlib.redirect_stdout(sys.stderr), progress_on(sys.stderr), running_in_process(workspace):
        from flows.monitor import monitor as flow

        return flow(project=name)
