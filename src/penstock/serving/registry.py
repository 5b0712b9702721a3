"""Give a fitted model its version number, and find again what stands behind a version."""

import importlib.metadata
import json
import platform
import shutil
import subprocess
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import pandas as pd

from penstock.domain.evaluation import Gate
from penstock.domain.events import MODEL_REGISTERED, Notice
from penstock.domain.models import Bundle, FittedModel, ModelVersion, Package
from penstock.domain.outcomes import Trained
from penstock.domain.tracking import TrackedModel, TrackedRun, TrackedTrial
from penstock.domain.workspace import Workspace
from penstock.errors import NotFound
from penstock.evaluation.reporting.plots import write_plots
from penstock.spec import ProjectSpec
from penstock.store import artifacts, frames, records, tracking
from penstock.store.database import connect
from penstock.store.outbox import post
from penstock.store.trainings import recall, remember

R = TypeVar("R")
TRACKED_TRIALS = 5  # the trials worth a run of their own in MLflow: each costs four calls
SAMPLED_ROWS = 200
LIBRARIES = ("numpy", "pandas", "scikit-learn", "lightgbm", "torch", "onnxruntime", "optuna", "mlflow", "bentoml")


def register(trained: Trained, spec: ProjectSpec, flow_run: str, workspace: Workspace) -> ModelVersion:
    """Register a training's model in MLflow; a training has one version, however often this is asked.

    Parameters
    ----------
    trained
        Everything the training made.
    spec
        The project.
    flow_run
        The address of the Prefect flow run, for the link back.
    workspace
        Where records and MLflow are.

    Returns
    -------
    ModelVersion
        The version with MLflow's number.

    Raises
    ------
    SourceUnavailable
        If MLflow does not answer.
    """
    training, model, bundle = trained.training, trained.model, trained.bundle
    known = recall(training.id, "register", ModelVersion, workspace)
    if known is not None:
        return known
    sample = frames.load_table(model.dataset, workspace).head(SAMPLED_ROWS)
    with tempfile.TemporaryDirectory(prefix="penstock-log-") as drawings:
        run = _tracked(trained, spec, flow_run, Path(drawings), workspace)
        run_id = tracking.log_run(run, sample, model.dataset, workspace)
    used = [column.name for column in trained.plan.used]
    folder = artifacts.local_folder(bundle.digest, workspace)
    tracked = TrackedModel(spec.name, run_id, training.id, folder)
    number = tracking.register_version(tracked, _example(sample[used].head(5)), workspace)
    version = ModelVersion(
        project=spec.name,
        version=number,
        training=training.id,
        run_id=run_id,
        model=model.digest,
        bundle=bundle.digest,
        dataset=model.dataset,
        created_at=datetime.now(UTC),
    )
    records.save_record("model", model.digest, spec.name, model, workspace)
    records.save_record("bundle", bundle.digest, spec.name, bundle, workspace)
    records.save_record("trained", number, spec.name, trained, workspace)
    with connect(workspace).begin() as connection:
        records.put_version(connection, version)
        post(connection, _notice(version, trained, workspace))
    tracking.tag_version(spec.name, number, _version_tags(trained, flow_run), workspace)
    remember(training.id, "register", version, workspace)
    return version


def _notice(version: ModelVersion, trained: Trained, workspace: Workspace) -> Notice:
    score = trained.evaluation.score
    told = {
        "version": version.version,
        "training": version.training,
        "dataset": version.dataset,
        "metric": score.metric,
        "score": score.value,
        "page": f"{workspace.mlflow_url}/#/models/{version.project}/versions/{version.version}",
    }
    key = f"registered:{version.project}:{version.version}"
    return Notice(key, MODEL_REGISTERED, version.project, told, trained.training.incident)


def model_of(version: ModelVersion, workspace: Workspace) -> FittedModel:
    """Return the fitted model behind a version.

    Raises
    ------
    NotFound
        If its record is gone.
    """
    return _found("model", version.model, version.project, FittedModel, workspace)


def bundle_of(version: ModelVersion, workspace: Workspace) -> Bundle:
    """Return the bundle that serves a version.

    Raises
    ------
    NotFound
        If its record is gone.
    """
    return _found("bundle", version.bundle, version.project, Bundle, workspace)


def tag_gates(version: ModelVersion, package: Package, gates: tuple[Gate, ...], workspace: Workspace) -> None:
    """Show a version's gates and Bento as tags in the registry.

    Parameters
    ----------
    version, package, gates
        What to show.
    workspace
        Where MLflow is.

    Raises
    ------
    SourceUnavailable
        If MLflow does not answer.
    """
    broken = [gate.name for gate in gates if not gate.held]
    tags = {
        "penstock.gates": f"broken: {', '.join(broken)}" if broken else "passed",
        "penstock.bento": package.tag,
        "penstock.bento_digest": package.digest,
    }
    tracking.tag_version(version.project, version.version, tags, workspace)


def attach_report(version: ModelVersion, report: str, workspace: Workspace) -> ModelVersion:
    """Keep a version's report with it, in the store and in MLflow.

    Parameters
    ----------
    version
        A registered version.
    report
        The digest of its HTML page.
    workspace
        Where records and MLflow are.

    Returns
    -------
    ModelVersion
        The version with its report.

    Raises
    ------
    SourceUnavailable
        If MLflow does not answer.
    """
    with tempfile.TemporaryDirectory(prefix="penstock-log-") as folder:
        page = Path(folder) / "report.html"
        page.write_bytes(artifacts.read_bytes(report, workspace))
        tracking.add_files(version.run_id, [("", page)], workspace)
    kept = ModelVersion(
        **{name: getattr(version, name) for name in version.__slots__ if name != "report"}, report=report
    )
    records.save_version(kept, workspace)
    return kept


def _found(kind: str, key: str, project: str, form: type[R], workspace: Workspace) -> R:
    record = records.find_record(kind, key, project, form, workspace)
    if record is None:
        raise NotFound(f"The {kind} {key[:12]!r} of project {project!r} must be kept, but its record is gone.")
    return record


def _tracked(trained: Trained, spec: ProjectSpec, flow_run: str, drawings: Path, workspace: Workspace) -> TrackedRun:
    evaluation, result = trained.evaluation, trained.result
    score = evaluation.score
    metrics = {
        f"holdout_{score.metric}": score.value,
        f"holdout_{score.metric}_low": score.low,
        f"holdout_{score.metric}_high": score.high,
        **{f"holdout_{other.metric}": other.value for other in evaluation.others},
        f"baseline_{evaluation.baseline.metric}": evaluation.baseline.value,
        "selection_score": result.best.score,
        "largest_difference": trained.bundle.certificate.largest_difference,
        "latency_ms": trained.bundle.latency_ms,
        "size_mb": trained.bundle.size_mb,
        "search_seconds": result.seconds,
        "trials_finished": float(result.finished),
    }
    plots = write_plots(trained.evaluation, trained.explanation, trained.model, drawings, workspace)
    certificate = artifacts.local_folder(trained.bundle.digest, workspace) / "certificate.json"
    return TrackedRun(
        project=spec.name,
        training=trained.training.id,
        name=f"dataset {trained.report.accepted.number}",
        parameters={"family": trained.model.family, **trained.model.parameters},
        metrics=metrics,
        tags={**_version_tags(trained, flow_run), "penstock.environment": json.dumps(_environment())},
        files=[("", certificate), *(("plots", path) for path in plots.values())],
        trials=_worth_keeping(trained),
    )


def _worth_keeping(trained: Trained) -> list[TrackedTrial]:
    finished = [one for one in trained.result.trials if one.score is not None and not one.partial and not one.over]
    best = sorted(finished, key=lambda trial: -(trial.score or 0.0))[:TRACKED_TRIALS]
    return [
        TrackedTrial(
            f"trial {trial.number} {trial.family}",
            {"family": trial.family, **trial.parameters},
            {"selection_score": trial.score or 0.0, "seconds": trial.seconds, "peak_mb": float(trial.peak_mb)},
        )
        for trial in best
    ]


def _version_tags(trained: Trained, flow_run: str) -> dict[str, str]:
    facts = {
        "training": trained.training.id,
        "flow_run": flow_run,
        "dataset": trained.report.accepted.digest,
        "dataset_number": trained.report.accepted.number,
        "bundle": trained.bundle.digest,
        "family": trained.model.family,
        "code": _revision(),
    }
    return {f"penstock.{name}": str(fact) for name, fact in facts.items()}


def _environment() -> dict[str, str]:
    return {"python": platform.python_version(), **{name: importlib.metadata.version(name) for name in LIBRARIES}}


def _revision() -> str:
    """Return the code's version, with the commit where it runs from a checkout and git is there to say."""
    version = importlib.metadata.version("penstock")
    folder = Path(__file__).resolve().parents[3]
    if not (folder / ".git").exists() or shutil.which("git") is None:
        return version
    found = subprocess.run(
        ["git", "-C", str(folder), "rev-parse", "--short", "HEAD"],  # noqa: S607  git of the path, if there is one
        capture_output=True,
        text=True,
        check=False,
    )
    return f"{version}+{found.stdout.strip()}" if found.returncode == 0 else version


def _example(rows: pd.DataFrame) -> pd.DataFrame:
    """Return rows as MLflow's signature should see them: whole numbers may be missing one day, so they are doubles."""
    shown = rows.copy()
    for name in shown.columns:
        if shown[name].dtype.kind in "iu":
            shown[name] = shown[name].astype("float64")
    return shown
