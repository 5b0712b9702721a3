"""The audit of one incident: its story on a page, and the same as JSON."""

from datetime import datetime
from typing import Any

import click

from penstock.cli.output import Output
from penstock.domain.incidents import Line, Story
from penstock.domain.releases import AuditEntry
from penstock.domain.workspace import Workspace
from penstock.store import ledger


def entry_of(entry: AuditEntry) -> dict[str, Any]:
    """Return an entry of the audit as plain values."""
    return {
        "at": entry.at.isoformat(),
        "actor": entry.actor,
        "action": entry.action,
        "reason": entry.reason,
        "before": entry.before,
        "after": entry.after,
        "hash": entry.hash,
        "incident": entry.incident,
        "link": entry.link,
    }


def show_incident(project: str, incident: str, moment: datetime | None, output: Output, workspace: Workspace) -> None:
    """Print the story of an incident, up to a time if one is given."""
    from penstock.orchestration.incidents import tell_incident

    story = tell_incident(project, incident, workspace)
    lines = [line for line in story.lines if moment is None or line.at <= moment]
    entries = ledger.list_audit(project, workspace, moment, story.incident)
    told = [{"at": line.at.isoformat(), "who": line.who, "what": line.what, "link": line.link} for line in lines]
    body = {
        "entries": [entry_of(entry) for entry in entries],
        "incident": {**story.facts, "outcome": story.outcome, "lines": told},
    }
    output.answer(body, lambda: click.echo(_page(story, lines)))


def _page(story: Story, lines: list[Line]) -> str:
    """Return the story as text, each line with its time and, below it, its link."""
    page = [f"Incident {story.incident} of {story.project}", story.outcome, ""]
    for line in lines:
        page.append(f"{line.at.isoformat(' ', 'seconds')[:19]}  {line.who:12}  {line.what}")
        if line.link:
            page.append(f"{'':35}{line.link}")
    return "\n".join(page)
