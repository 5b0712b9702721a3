"""What a training's command answers: the outcome, the endpoint that answers, and a line that asks it."""

import json
import shlex
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from penstock.cli.output import Output, table
from penstock.domain.outcomes import Outcome
from penstock.domain.releases import Release
from penstock.domain.workspace import Workspace
from penstock.errors import Refused
from penstock.store import artifacts, records

ANSWER_SECONDS = 20  # a service polls releases each second; longer than this it is not alive


def answering(outcome: Outcome, workspace: Workspace) -> dict[str, Any]:
    """Return what a training answers, once the service answers with the version that serves.

    Where the service does not, `unanswered` says so beside the rest: what was trained and released stands.
    """
    released = records.newest_release(outcome.project, workspace)
    served = released.champion if released else None
    unanswered = None if served is None else _wait_for(outcome.project, served, workspace)
    shown = outcome.release
    state = {"state": shown.state, "weights": shown.weights} if shown else _standing(outcome, released)
    report = workspace.home / "reports" / outcome.project / f"{outcome.version}.html"
    report.parent.mkdir(parents=True, exist_ok=True)
    report.write_bytes(artifacts.read_bytes(outcome.report, workspace))
    return {
        "project": outcome.project,
        "version": outcome.version,
        "decision": {"verdict": outcome.decision.verdict, "reasons": list(outcome.decision.reasons)},
        "score": {name: getattr(outcome.score, name) for name in outcome.score.__slots__},
        "seconds": outcome.seconds,
        "trials": {"finished": outcome.finished, "skipped": outcome.skipped},
        "left_out": list(outcome.left_out),
        "release": state,
        "report": str(report),
        "endpoint": workspace.endpoint(outcome.project) if served else None,
        "curl": curl_line(outcome.project, served, workspace) if served else None,
        **({} if unanswered is None else {"unanswered": unanswered}),
    }


@contextmanager
def telling_a_block(project: str, output: Output) -> Iterator[None]:
    """Answer with the verdict `block` where the training of a project is refused, and end the command."""
    try:
        yield
    except Refused as error:
        output.error(error, blocked=project)
        raise click.exceptions.Exit(error.exit_code) from error


def ending(body: dict[str, Any], output: Output) -> int:
    """Say what an answer lacks, and return the command's exit code."""
    if "unanswered" not in body:
        return 0
    output.note(body["unanswered"])
    return 2


def _said(release: Release) -> str:
    if release.state == "pending_approval":
        return f"waits for approval; `penstock approve {release.id}` or `penstock reject {release.id}`"
    share = release.weights.get(release.version, 0)
    return f"version {release.version} is at {share:g} %, and goes on by itself; `penstock status` shows its share"


def _standing(outcome: Outcome, released: Any) -> dict[str, Any]:
    held = outcome.decision.verdict != "promote"
    return {"state": "held" if held else "none", "weights": released.weights if released else {}}


def _wait_for(project: str, version: str, workspace: Workspace) -> str | None:
    """Wait until the service answers with a version; return what to do where it does not, None where it does."""
    from penstock.serving.auth import project_key

    request = urllib.request.Request(  # noqa: S310  our own service on loopback
        f"{workspace.serving_url}/v1/{project}/versions",
        headers={"Authorization": f"Bearer {project_key(project, workspace)}"},
    )
    deadline, said = time.monotonic() + ANSWER_SECONDS, "nothing"
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(request, timeout=5) as response:  # noqa: S310
                live = json.load(response)["versions"]
            if any(each["version"] == version and each["weight"] > 0 for each in live):
                return None
            said = str(live)
        except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
            said = str(error)
        time.sleep(0.1)
    return (
        f"The service must answer with version {version} of {project!r}, but after {ANSWER_SECONDS} s it said {said}. "
        f"The version is trained and released all the same. Look into {workspace.logs / 'serving.log'}."
    )


def curl_line(project: str, version: str, workspace: Workspace) -> str:
    """Return a line for a shell that asks the service about one row, and works."""
    from penstock.serving.auth import project_key

    bundle = artifacts.local_folder(records.find_version(project, version, workspace).bundle, workspace)
    row = json.loads((bundle / "examples.json").read_text())["rows"][0]
    return (
        f"curl -s {workspace.endpoint(project)} -H 'Authorization: Bearer {project_key(project, workspace)}' "
        f"-H 'Content-Type: application/json' -d {shlex.quote(json.dumps({'rows': [row]}))}"
    )


def tell(body: dict[str, Any], outcome: Outcome) -> None:
    """Print an answer for a person; the three closing lines come last."""
    score, decision = body["score"], body["decision"]
    click.echo()
    click.echo(table([(stage, f"{took:6.1f} s") for stage, took in body["seconds"].items()]))
    click.echo()
    click.echo(
        f"{score['metric']} {score['value']:.4g} ({score['low']:.4g} to {score['high']:.4g}) "
        f"on {score['rows']} rows that nothing was fitted or tuned on"
    )
    click.echo(f"version {body['version']}: {decision['verdict']}")
    for reason in decision["reasons"]:
        click.echo(f"  {reason}")
    if outcome.release is not None and outcome.release.active:
        click.echo(f"release {outcome.release.id}: {_said(outcome.release)}")
    for told in body["left_out"]:
        click.echo(f"left out: {told}")
    click.echo(f"report    {body['report']}")
    if body["endpoint"]:
        click.echo(f"endpoint  {body['endpoint']}")
        click.echo(f"\n{body['curl']}\n")
    for line in outcome.closing:
        click.echo(line)
