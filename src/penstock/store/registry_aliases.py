"""The alias `champion` and tags in MLflow's registry, over plain HTTP: traffic need not wait for MLflow's import."""

import json
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

from penstock.domain.workspace import Workspace
from penstock.errors import SourceUnavailable
from penstock.store.outages import no_answer

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
        found = _call("GET", f"registered-models/get?name={urllib.parse.quote(project)}", None, workspace)
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
        _call("POST", "registered-models/alias", body, workspace)
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
        _call("DELETE", "registered-models/alias", {"name": project, "alias": CHAMPION}, workspace)
    except _Missing:
        return


def set_tag(project: str, version: str, tag: tuple[str, str], workspace: Workspace) -> None:
    """Set a tag of a version, a name and a value.

    Raises
    ------
    SourceUnavailable
        If MLflow does not answer, or has no such version.
    """
    body = {"name": project, "version": version, "key": tag[0], "value": tag[1]}
    try:
        _call("POST", "model-versions/set-tag", body, workspace)
    except _Missing as error:
        raise SourceUnavailable(f"MLflow must have version {version} of {project!r}, but said {error}.") from error


def list_tags(project: str, workspace: Workspace) -> dict[str, dict[str, str]]:
    """Return the tags of each version of a model; nothing where there is no such model.

    Raises
    ------
    SourceUnavailable
        If MLflow does not answer.
    """
    tags: dict[str, dict[str, str]] = {}
    asked = {"filter": f"name='{project}'"}
    while True:
        found = _call("GET", f"model-versions/search?{urllib.parse.urlencode(asked)}", None, workspace)
        for each in found.get("model_versions", []):
            tags[str(each["version"])] = {tag["key"]: tag.get("value", "") for tag in each.get("tags", [])}
        if not found.get("next_page_token"):
            return tags
        asked["page_token"] = found["next_page_token"]


class _Missing(Exception):
    """MLflow answered that it knows no such thing."""


def _call(method: str, path: str, body: dict[str, str] | None, workspace: Workspace) -> Any:
    request = urllib.request.Request(  # noqa: S310  our own server on loopback
        f"{workspace.mlflow_url}/api/2.0/mlflow/{path}",
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
        raise no_answer(said, workspace) from error
    except (OSError, ValueError) as error:
        raise no_answer(error, workspace) from error
