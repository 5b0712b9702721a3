"""Which project a command means: by its name, or by a file that it is made of."""

import re
from pathlib import Path

from penstock.domain.workspace import Workspace
from penstock.errors import NotFound, SpecError
from penstock.store import records


def columns_said(path: Path) -> str:
    """Return a sentence with the columns of a file."""
    from penstock.data.drafting import columns_of

    return f"{path} has: {', '.join(columns_of(path))}."


def project_name(path: Path) -> str:
    """Return the name of a file's project: its stem, in the letters that a name may have."""
    stem = path.name.split(".", 1)[0].lower()
    name = re.sub(r"[^a-z0-9]+", "-", stem).strip("-")[:48]
    return name if re.match(r"[a-z]", name) else f"p-{name}"[:48]


def find_project(
    what: str, target: str | None, overrides: dict[str, str | None], workspace: Workspace
) -> tuple[str, list[str]]:
    """Return the project of a file or a name, drafted if it is new, and what was chosen for it."""
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
        raise SpecError(f"A new project needs the column to predict: add --target COLUMN. {columns_said(path)}")
    file, notes = draft(name, path, target, overrides, workspace)
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


def draft(
    name: str, path: Path, target: str, overrides: dict[str, str | None], workspace: Workspace
) -> tuple[Path, list[str]]:
    """Write a project file and record where it lies; return its path and what was chosen."""
    from penstock.data.drafting import draft_project

    file = Path("projects").resolve() / f"{name}.yaml"
    notes = draft_project(name, path.resolve(), target, overrides, file)
    records.register_project(name, file, workspace)
    return file, notes
