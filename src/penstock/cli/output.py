"""What commands print: one JSON object for programs, plain lines for people, progress on standard error."""

import json
import sys
from collections.abc import Callable, Sequence
from typing import Any

import click

from penstock.errors import PenstockError


class Output:
    """Where a command's answer, notes and errors go."""

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json

    def answer(self, body: dict[str, Any], tell: Callable[[], None]) -> None:
        """Print the answer: `body` as JSON, or what `tell` prints."""
        if self.as_json:
            click.echo(json.dumps(body, default=str))
        else:
            tell()

    def note(self, text: str) -> None:
        """Tell a person how it goes; never on standard output."""
        click.echo(text, err=True)

    def error(self, error: PenstockError, *, blocked: str | None = None) -> None:
        """Say what must hold, what was found and what to do; of a project whose training it blocks, the verdict too."""
        if self.as_json:
            body: dict[str, Any] = {"error": {"kind": error.kind, "message": error.message, "details": error.details}}
            if blocked is not None:
                decision = {"verdict": "block", "reasons": [error.message]}
                body = {"project": blocked, "version": None, "decision": decision, **body}
            click.echo(json.dumps(body, default=str))
        else:
            click.secho("error: ", err=True, nl=False, fg="red" if sys.stderr.isatty() else None)
            click.echo(error.message, err=True)
            for detail in error.details:
                click.echo(f"  {_line(detail)}", err=True)


def _line(detail: object) -> str:
    if isinstance(detail, dict):
        return ", ".join(f"{name} {value}" for name, value in detail.items())
    return str(detail)


def table(rows: Sequence[tuple[str, ...]]) -> str:
    """Return rows as lines with aligned columns."""
    if not rows:
        return ""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )
