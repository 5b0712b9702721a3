"""Open a project by its name."""

from penstock.domain.workspace import Workspace
from penstock.errors import NotFound
from penstock.spec import ProjectSpec, load_spec
from penstock.store.records import project_path


def open_project(name: str, workspace: Workspace, seconds: float | None = None) -> ProjectSpec:
    """Return a project's spec from its recorded file.

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
    path = project_path(name, workspace)
    if not path.exists():
        raise NotFound(
            f"The file of project {name!r} must lie at {path}, but is gone. Put it back, or run `penstock init`."
        )
    spec = load_spec(path)
    if seconds is None:
        return spec
    return spec.model_copy(update={"budget": spec.budget.model_copy(update={"seconds": seconds})})
