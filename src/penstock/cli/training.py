"""Commands from a file to a served model."""

import contextlib
import re
import shlex
import sys
import time
from pathlib import Path
from typing import Any

import click

from penstock.cli.main import json_option
from penstock.cli.output import Output, table
from penstock.cli.progress import progress_on
from penstock.domain.outcomes import Outcome
from penstock.domain.workspace import Workspace
from penstock.errors import NotFound, PenstockError, SpecError
from penstock.store import records
from penstock.store.workspace import find_workspace, use_environment

ANSWER_SECONDS = 20  # a service polls releases each second; longer than this it is not alive


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
    if target is None:
        raise SpecError(f"A project needs the column to predict: add --target COLUMN. {_columns_of(path)}")
    file, notes = _draft(name, path, target, {"time": moment, "id": identity}, workspace)
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
) -> None:
    """Make a served model of WHAT, a file with --target or a project's name: the main job.

    The project of a file is named after its stem. The stack is started if it is not up.
    """
    del wait  # a release goes to 100 % at once, and the command returns when it answers
    output, workspace, began = Output(as_json=as_json), _workspace(), time.perf_counter()
    name, notes = _project_of(what, target, {"time": moment, "id": identity}, workspace)
    for note in notes:
        output.note(note)
    drafted = time.perf_counter()
    _start_stack(workspace, output)
    started = time.perf_counter()
    outcome, around = _train(name, seconds, quarantine=quarantine, workspace=workspace)
    trained = time.perf_counter()
    body = _answering(outcome, workspace)
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
    output.answer(body, lambda: _tell(body, outcome))


@click.command()
@click.argument("name")
@click.option("--seconds", type=click.FloatRange(min=0, min_open=True), help="Seconds for the search.")
@click.option("--quarantine", is_flag=True, help="Go on without the rows that fail, however many.")
@click.option("--no-release", is_flag=True, help="Judge, but leave traffic alone.")
@json_option
def train(name: str, seconds: float | None, quarantine: bool, no_release: bool, as_json: bool) -> None:
    """Search, judge and, if it is better, release a new version of project NAME."""
    output, workspace = Output(as_json=as_json), _workspace()
    records.project_path(name, workspace)
    require_stack(workspace)
    outcome, around = _train(name, seconds, quarantine=quarantine, workspace=workspace, release=not no_release)
    body = {**_answering(outcome, workspace), "seconds": around}
    output.answer(body, lambda: _tell(body, outcome))


def require_stack(workspace: Workspace) -> None:
    """Raise unless the stack is up."""
    from penstock.stack.state import is_up

    if not is_up(workspace):
        raise SpecError("This command needs the stack, and it is not up. Start it with `penstock up`.")


def _workspace() -> Workspace:
    workspace = find_workspace()
    use_environment(workspace)
    records.migrate(workspace)
    return workspace


def _columns_of(path: Path) -> str:
    from penstock.data.drafting import columns_of

    return f"{path} has: {', '.join(columns_of(path))}."


def project_name(path: Path) -> str:
    """Return the name of a file's project: its stem, in the letters that a name may have."""
    stem = path.name.split(".", 1)[0].lower()
    name = re.sub(r"[^a-z0-9]+", "-", stem).strip("-")[:48]
    return name if re.match(r"[a-z]", name) else f"p-{name}"[:48]


def _project_of(
    what: str, target: str | None, overrides: dict[str, str | None], workspace: Workspace
) -> tuple[str, list[str]]:
    path = Path(what)
    if not path.suffix and "/" not in what:
        records.project_path(what, workspace)
        return what, []
    if not path.exists():
        raise NotFound(f"The file {what!r} must exist, but does not. Give the path of a CSV or Parquet file.")
    name = project_name(path)
    known = _known_source(name, workspace)
    if known is not None:
        if known != path.resolve():
            raise SpecError(
                f"Project {name!r} reads {known}, so it cannot be run on {path.resolve()}. "
                f"Rename the file, or change `source` in {records.project_path(name, workspace)}."
            )
        _same_target(name, target, workspace)
        return name, []
    if target is None:
        raise SpecError(f"A new project needs the column to predict: add --target COLUMN. {_columns_of(path)}")
    file, notes = _draft(name, path, target, overrides, workspace)
    return name, [f"Wrote {file}.", *notes]


def _known_source(name: str, workspace: Workspace) -> Path | None:
    from penstock.spec import load_spec

    if name not in records.list_projects(workspace):
        return None
    file = records.project_path(name, workspace)
    if not file.exists():
        return None
    spec = load_spec(file)
    return (spec.folder / spec.source.path).resolve() if spec.source.path else file


def _same_target(name: str, target: str | None, workspace: Workspace) -> None:
    from penstock.data.drafting import columns_of
    from penstock.spec import load_spec

    file = records.project_path(name, workspace)
    spec = load_spec(file)
    if target is None or target == spec.target:
        return
    columns = columns_of(spec.folder / str(spec.source.path))
    if target not in columns:
        raise SpecError(f"The source must have the target column {target!r}, but has {', '.join(columns)}.")
    raise SpecError(
        f"Project {name!r} predicts {spec.target!r}, not {target!r}. Change `target` in {file}, or copy the data."
    )


def _draft(
    name: str, path: Path, target: str, overrides: dict[str, str | None], workspace: Workspace
) -> tuple[Path, list[str]]:
    from penstock.data.drafting import draft_project

    file = Path("projects").resolve() / f"{name}.yaml"
    notes = draft_project(name, path.resolve(), target, overrides, file)
    records.register_project(name, file, workspace)
    return file, notes


def _start_stack(workspace: Workspace, output: Output) -> None:
    from penstock.stack.state import is_up

    if is_up(workspace):
        return
    from penstock.stack.supervision import up

    up(workspace, output.note)


def _train(
    name: str, seconds: float | None, *, quarantine: bool, workspace: Workspace, release: bool = True
) -> tuple[Outcome, dict[str, float]]:
    """Run the flow in this process; return what it came to, and seconds by stage with what lies around them."""
    began = time.perf_counter()
    sys.path.insert(0, str(workspace.app))
    from penstock.orchestration.runs import running_in_process

    with contextlib.redirect_stdout(sys.stderr), progress_on(sys.stderr), running_in_process(workspace):
        from flows.train import train as flow

        loaded = time.perf_counter()
        outcome = flow(project=name, seconds=seconds, quarantine=quarantine, release=release)
    ended = time.perf_counter()
    stages = {stage: took for stage, took in outcome.seconds.items() if stage != "total"}
    around = {
        "load": round(loaded - began, 3),
        **stages,
        "prefect": round(ended - loaded - sum(stages.values()), 3),
        "total": round(ended - began, 3),
    }
    return outcome, around


def _answering(outcome: Outcome, workspace: Workspace) -> dict[str, Any]:
    from penstock.store import artifacts

    released = records.newest_release(outcome.project, workspace)
    served = released.version if released else None
    if served is not None:
        _wait_for(outcome.project, served, workspace)
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
    }


def _standing(outcome: Outcome, released: Any) -> dict[str, Any]:
    held = outcome.decision.verdict != "promote"
    return {"state": "held" if held else "none", "weights": released.weights if released else {}}


def _wait_for(project: str, version: str, workspace: Workspace) -> None:
    """Wait until the service answers with a version."""
    import json
    import urllib.error
    import urllib.request

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
                return
            said = str(live)
        except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
            said = str(error)
        time.sleep(0.1)
    raise PenstockError(
        f"The service must answer with version {version} of {project!r}, but after {ANSWER_SECONDS} s it said {said}. "
        f"Look into {workspace.logs / 'serving.log'}."
    )


def curl_line(project: str, version: str, workspace: Workspace) -> str:
    """Return a line for a shell that asks the service about one row, and works."""
    import json

    from penstock.serving.auth import project_key
    from penstock.store import artifacts

    bundle = artifacts.local_folder(records.find_version(project, version, workspace).bundle, workspace)
    row = json.loads((bundle / "examples.json").read_text())["rows"][0]
    return (
        f"curl -s {workspace.endpoint(project)} -H 'Authorization: Bearer {project_key(project, workspace)}' "
        f"-H 'Content-Type: application/json' -d {shlex.quote(json.dumps({'rows': [row]}))}"
    )


def _tell(body: dict[str, Any], outcome: Outcome) -> None:
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
    for told in body["left_out"]:
        click.echo(f"left out: {told}")
    click.echo(f"report    {body['report']}")
    if body["endpoint"]:
        click.echo(f"endpoint  {body['endpoint']}")
        click.echo(f"\n{body['curl']}\n")
    for line in outcome.closing:
        click.echo(line)
