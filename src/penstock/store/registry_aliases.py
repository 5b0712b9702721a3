"""The alias `champion` in MLflow's registry, over plain HTTP: moving traffic need not wait for MLflow's import."""

import json
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

from penstock.domain.workspace import Workspace
from penstock.errors import SourceUnavailable

CHAMPION = "champion"
PATIENCE_SECONDS = 2.0
MISSING = "RESOURCE_DOES_NOT_EXIST"
_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # our own server on loopback


def find_alias(project: str, workspace: Workspace) -> str | None:
    """Return the version that the alias `champion` points at, None if there is no such alias or model.

    Raises
    ------
    SourceUnavailable
        If MLflow does not answer.
    """
    try:
        found = _call("GET", f"get?name={urllib.parse.quote(project)}", None, workspace)
    except _Missing:
        return None
    aliases = {each["alias"]: str(each["version"]) for each in found["registered_model"].get("aliases", [])}
    return aliases.get(CHAMPION)


def set_alias(project: str, version: str, workspace: Workspace) -> None:
    """Point the alias `champion` at a version.

    Raises
    ------
    SourceUnavailable
        If MLflow does not answer, or has no such version.
    """
    body = {"name": project, "alias": CHAMPION, "version": version}
    try:
        _call("POST", "alias", body, workspace)
    except _Missing as error:
        raise SourceUnavailable(f"MLflow must have version {version} of {project!r}, but said {error}.") from error


def drop_alias(project: str, workspace: Workspace) -> None:
    """Take the alias `champion` away; one that is not there is no error.

    Raises
    ------
    SourceUnavailable
        If MLflow does not answer.
    """
    try:
        _call("DELETE", "alias", {"name": project, "alias": CHAMPION}, workspace)
    except _Missing:
        return


class _Missing(Exception):
    """MLflow answered that it knows no such thing."""


def _call(method: str, path: str, body: dict[str, str] | None, workspace: Workspace) -> Any:
    request = urllib.request.Request(  # noqa: S310  our own server on loopback
        f"{workspace.mlflow_url}/api/2.0/mlflow/registered-models/{path}",
        None if body is None else json.dumps(body).encode(),
        {"Content-Type": "application/json"},
        method=method,
    )
    try:
        with _direct.open(request, timeout=PATIENCE_SECONDS) as answer:
            return json.loads(answer.read() or b"{}")
    except urllib.error.HTTPError as error:
        said = error.read().decode(errors="replace")
        if MISSING in said:
            raise _Missing(said[:200]) from error
        raise _unavailable(said, workspace) from error
    except (OSError, ValueError) as error:
        raise _unavailable(error, workspace) from error


def _unavailable(said: object, workspace: Workspace) -> SourceUnavailable:
    found = str(said)[:200]
    return SourceUnavailable(
        f"MLflow must answer at {workspace.mlflow_url}, but said {found!r}. `penstock status` shows its state."
    )
