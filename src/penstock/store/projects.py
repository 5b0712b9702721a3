"""Open a project by its name."""

import re
from pathlib import Path

from penstock.domain.workspace import PROJECT_NAME, Workspace
from penstock.errors import NotFound, SpecError
from penstock.spec import ProjectSpec, load_spec
from penstock.store.records import list_projects, project_path, register_project


def open_project(name: str, workspace: Workspace, seconds: float | None = None) -> ProjectSpec:
    """Return a project's spec from its recorded file; `projects/NAME.yaml` is recorded where none is.

    Parameters
    ----------
    name
        The project's name.
    workspace
        Where the file's path is recorded.
    seconds
        A budget for this time, instead of the file's.

    Raises
    ------
    NotFound
        If there is no such project, or its file is gone.
    SpecError
        If the file says something it must not.
    """
    spec = load_spec(project_file(name, workspace))
    if seconds is None:
        return spec
    return spec.model_copy(update={"budget": spec.budget.model_copy(update={"seconds": seconds})})


def project_file(name: str, workspace: Workspace) -> Path:
    """Return where a project's file lies, and record one that was written by hand.

    Parameters
    ----------
    name
        The project's name.
    workspace
        Where the file's path is recorded.

    Returns
    -------
    Path
        The recorded file; where there is none, `projects/NAME.yaml` in the current folder or beside the workspace.

    Raises
    ------
    NotFound
        If there is no such project, or its file is gone.
    SpecError
        If a file that is not recorded yet says something it must not.
    """
    known = project_path(name, workspace) if name in list_projects(workspace) else None
    if known is not None and known.exists():
        return known
    found = _written_by_hand(name, workspace)
    if found is not None:
        return found
    path = known or project_path(name, workspace)  # which says what projects there are
    raise NotFound(
        f"The file of project {name!r} must lie at {path}, but is gone. Put it back, or run `penstock init`."
    )


def _written_by_hand(name: str, workspace: Workspace) -> Path | None:
    if not re.fullmatch(PROJECT_NAME, name):
        return None
    for folder in (Path.cwd(), workspace.home.parent):
        path = folder / "projects" / f"{name}.yaml"
        if path.is_file():
            spec = load_spec(path)
            if spec.name != name:
                raise SpecError(
                    f"The project file {str(path)!r} must have the `name` that it is called by, {name!r}, "
                    f"but has {spec.name!r}. Rename one of them."
                )
            register_project(name, spec.path, workspace)
            return spec.path
    return None
