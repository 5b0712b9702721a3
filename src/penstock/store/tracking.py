"""MLflow runs and the model registry, over HTTP; alone imports mlflow, inside its functions."""

import functools
import logging
import math
import sqlite3
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from penstock.collecting import collect_rarely
from penstock.domain.tracking import TrackedModel, TrackedRun, TrackedTrial
from penstock.domain.workspace import Workspace
from penstock.errors import NotFound
from penstock.store import artifacts
from penstock.store.outages import is_outage, no_answer
from penstock.store.workspace import find_workspace, mlflow_database_url

if TYPE_CHECKING:
    import pandas as pd
    from mlflow import MlflowClient

P = ParamSpec("P")
R = TypeVar("R")
MODEL_CODE = Path(__file__).parents[1] / "serving" / "mlflow_model.py"
SQLITE = "sqlite:///"
ARTIFACT_ROOT = "mlflow-artifacts:/"  # of the experiment that MLflow begins with
MAX_VALUE_LENGTH = 480  # MLflow refuses a parameter over 6,000 characters and a tag's page shows the first 500
MOST_CHILDREN = 1000


def make_application() -> Any:
    """Return MLflow's application for its server to run; the tables are made before the server listens.

    MLflow makes them at the first request, and two first requests make them twice: that ends in an error, and in a
    database that no later start mends.
    """
    collect_rarely()
    from mlflow.server import fastapi_app

    make_tables(mlflow_database_url(find_workspace()))
    return fastapi_app.app


def make_tables(database: str) -> None:
    """Make MLflow's tables and the experiment it begins with, in the database of an address, unless they are there.

    A SQLite file is put in place whole, for MLflow does not mend one in which a killed process made half of them.
    """
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    path = Path(database.removeprefix(SQLITE))
    if not database.startswith(SQLITE) or path.exists():
        SqlAlchemyStore(database, ARTIFACT_ROOT)  # type: ignore[no-untyped-call]
        return
    draft = path.with_name(f"draft-{path.name}")
    for left in path.parent.glob(f"{draft.name}*"):
        left.unlink()
    SqlAlchemyStore(f"{SQLITE}{draft}", ARTIFACT_ROOT).engine.dispose()  # type: ignore[no-untyped-call]
    with closing(sqlite3.connect(draft)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
    draft.replace(path)


def upgrade_tables(database: str) -> None:
    """Bring the database of an address to the installed MLflow's schema, as the command `mlflow db upgrade` does."""
    from mlflow.db import upgrade

    upgrade.main([database], standalone_mode=False)


def _asks_mlflow(step: Callable[P, R]) -> Callable[P, R]:
    """Make a function raise `SourceUnavailable` where MLflow does not answer; what it refuses is raised as it is.

    The one place where that is told apart, so that whoever asks again does so for an outage, and for nothing else.
    """

    @functools.wraps(step)
    def asking(*args: P.args, **kwargs: P.kwargs) -> R:
        from mlflow.exceptions import MlflowException

        try:
            return step(*args, **kwargs)
        except (MlflowException, OSError) as error:
            if not is_outage(error):
                raise
            workspace = next(each for each in (*args, *kwargs.values()) if isinstance(each, Workspace))
            raise no_answer(error, workspace) from error

    return asking


@_asks_mlflow
def log_run(run: TrackedRun, dataset: "pd.DataFrame", digest: str, workspace: Workspace) -> str:
    """Write a training as one MLflow run with its dataset, files and trials, and return the run's id.

    Parameters
    ----------
    run
        What to write; a run of the same training is written to again, never doubled.
    dataset
        A sample of the table, for its schema; the digest names the whole.

    Raises
    ------
    SourceUnavailable
        If MLflow does not answer.
    """
    import mlflow

    client = _client(workspace)
    experiment = _experiment(client, run.project)
    run_id = _find_run(client, experiment, run.training) or _create_run(client, experiment, run)
    _log_values(client, run_id, run)
    mlflow.set_tracking_uri(workspace.mlflow_url)
    with warnings.catch_warnings(), mlflow.start_run(run_id=run_id, log_system_metrics=False):
        warnings.simplefilter("ignore")  # MLflow finds one class of source twice, and says so
        source = mlflow.data.pandas_dataset.from_pandas(
            dataset, source=str(artifacts.local_path(digest, workspace)), name=run.project, digest=digest[:32]
        )
        mlflow.log_input(source, context="training")
    add_files(run_id, run.files, workspace)
    _log_trials(client, experiment, run_id, run.trials)
    client.set_terminated(run_id, "FINISHED")
    return run_id


@_asks_mlflow
def register_version(model: TrackedModel, example: "pd.DataFrame", workspace: Workspace) -> str:
    """Log a bundle as a model of its run, register it, and return the version's number.

    A training has one version: called again, it returns the one there is.

    Parameters
    ----------
    model
        What to register.
    example
        A few rows without the target: signature and input example.

    Raises
    ------
    SourceUnavailable
        If MLflow does not answer.
    """
    import mlflow
    from mlflow.models import infer_signature

    client = _client(workspace)
    found = find_registered(model.project, model.training, workspace)
    if found is not None:
        return found
    mlflow.set_tracking_uri(workspace.mlflow_url)
    with warnings.catch_warnings(), mlflow.start_run(run_id=model.run_id, log_system_metrics=False):
        warnings.simplefilter("ignore")  # about type hints of the model's code, which takes any frame
        logged = mlflow.pyfunc.log_model(
            name="model",
            python_model=str(MODEL_CODE),
            artifacts={"bundle": str(model.bundle)},
            signature=infer_signature(example),
            input_example=example,
            pip_requirements=["penstock"],
        )
    _ensure_registered_model(client, model.project)
    version = client.create_model_version(
        model.project,
        logged.model_uri,
        run_id=model.run_id,
        model_id=logged.model_id,
        tags={"penstock.training": model.training},
    )
    return str(version.version)


@_asks_mlflow
def find_registered(project: str, training: str, workspace: Workspace) -> str | None:
    """Return the version that a training registered, or None."""
    found = _client(workspace).search_model_versions(f"name = '{project}'")
    mine = [str(version.version) for version in found if version.tags.get("penstock.training") == training]
    return mine[0] if mine else None


@_asks_mlflow
def tag_version(project: str, version: str, tags: Mapping[str, str], workspace: Workspace) -> None:
    """Set tags of a registered version."""
    client = _client(workspace)
    for name, value in tags.items():
        client.set_model_version_tag(project, version, name, value[:MAX_VALUE_LENGTH])


@_asks_mlflow
def add_files(run_id: str, files: Sequence[tuple[str, Path]], workspace: Workspace) -> None:
    """Add files to a run, each into a folder of the run."""
    client = _client(workspace)
    for folder, path in files:
        client.log_artifact(run_id, str(path), artifact_path=folder or None)


@_asks_mlflow
def run_link(project: str, run_id: str, workspace: Workspace) -> str:
    """Return the page of a run in MLflow's UI."""
    experiment = _client(workspace).get_experiment_by_name(project)
    if experiment is None:
        raise NotFound(f"MLflow must have an experiment named {project!r}, but has none.")
    return f"{workspace.mlflow_url}/#/experiments/{experiment.experiment_id}/runs/{run_id}"


def version_link(project: str, version: str, workspace: Workspace) -> str:
    """Return the page of a registered version in MLflow's UI."""
    return f"{workspace.mlflow_url}/#/models/{project}/versions/{version}"


def _client(workspace: Workspace) -> "MlflowClient":
    from mlflow import MlflowClient

    logging.getLogger("mlflow").setLevel(logging.ERROR)
    return MlflowClient(tracking_uri=workspace.mlflow_url, registry_uri=workspace.mlflow_url)


def _experiment(client: "MlflowClient", project: str) -> str:
    found = client.get_experiment_by_name(project)
    return str(found.experiment_id if found else client.create_experiment(project))


def _find_run(client: "MlflowClient", experiment: str, training: str) -> str | None:
    found = client.search_runs([experiment], f"tags.`penstock.training` = '{training}'", max_results=1)
    return str(found[0].info.run_id) if found else None


def _create_run(client: "MlflowClient", experiment: str, run: TrackedRun) -> str:
    created = client.create_run(experiment, tags={"penstock.training": run.training}, run_name=run.name)
    return str(created.info.run_id)


def _log_values(client: "MlflowClient", run_id: str, run: TrackedRun) -> None:
    from mlflow.entities import Metric, Param, RunTag

    now = int(time.time() * 1000)
    client.log_batch(
        run_id,
        metrics=[Metric(name, value, now, 0) for name, value in run.metrics.items() if math.isfinite(value)],
        params=[Param(name, str(value)[:MAX_VALUE_LENGTH]) for name, value in run.parameters.items()],
        tags=[RunTag(name, value[:MAX_VALUE_LENGTH]) for name, value in run.tags.items()],
    )


def _log_trials(client: "MlflowClient", experiment: str, run_id: str, trials: Sequence[TrackedTrial]) -> None:
    """Write each trial as a child of a run, all that is known of it in one call; one that is finished is left alone.

    A child that a killed process began is gone on with: it is finished last, when everything is written.
    """
    from mlflow.entities import Metric, Param

    if not trials:
        return
    children = client.search_runs([experiment], f"tags.`mlflow.parentRunId` = '{run_id}'", max_results=MOST_CHILDREN)
    begun = {child.info.run_name: child.info for child in children}
    now = int(time.time() * 1000)
    for trial in trials:
        there = begun.get(trial.name)
        if there is not None and there.status == "FINISHED":
            continue
        child = there or client.create_run(experiment, tags={"mlflow.parentRunId": run_id}, run_name=trial.name).info
        metrics = [Metric(name, value, now, 0) for name, value in trial.metrics.items() if math.isfinite(value)]
        params = [Param(name, str(value)[:MAX_VALUE_LENGTH]) for name, value in trial.parameters.items()]
        client.log_batch(child.run_id, metrics=metrics, params=params)
        client.set_terminated(child.run_id)


def _ensure_registered_model(client: "MlflowClient", project: str) -> None:
    from mlflow.exceptions import MlflowException

    try:
        client.create_registered_model(project)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
