"""Which project a command means: by its name, or by a file that it is made of."""

import os
from glob import glob
from hashlib import sha256
from pathlib import Path

from penstock.domain.workspace import Workspace
from penstock.errors import NotFound, SpecError
from penstock.spec import load_spec
from penstock.spec_faults import check_name, slug_of
from penstock.store import records
from penstock.store.projects import project_file

DIGEST_LETTERS = 8


def columns_said(path: Path) -> str:
    """Return a sentence with the columns of a file."""
    from penstock.data.drafts.drafting import columns_of

    return f"{path} has: {', '.join(columns_of(path))}."


def project_name(path: Path) -> str:
    """Return the name of a file's project: its stem, in the letters that a name may have, or a digest of it."""
    stem = path.name.split(".", 1)[0]
    return slug_of(stem) or f"p-{sha256(os.fsencode(stem)).hexdigest()[:DIGEST_LETTERS]}"


def check_there(path: Path, *, pattern: bool = False) -> None:
    """Make sure that a file is there by the path that a person typed, or, if that may be a pattern, one that it names.

    Raises
    ------
    NotFound
        If there is none.
    """
    if not (path.exists() or (pattern and glob(str(path), recursive=True))):  # noqa: PTH207  Path.glob refuses absolute patterns
        raise NotFound(f"The file {str(path)!r} must exist, but does not. Give the path of a CSV or Parquet file.")


def find_project(
    what: str, target: str | None, overrides: dict[str, str | None], workspace: Workspace
) -> tuple[str, list[str]]:
    """Return the project of a file or a name, drafted if it is new, and what was chosen for it.

    What a person says of a project that there is (`target`, and `time` and `id` in `overrides`) changes its file, or
    is refused; it is never passed over.
    """
    path = Path(what)
    if not path.suffix and "/" not in what:
        return what, _as_said(project_file(what, workspace), target, overrides)
    check_there(path)
    name = project_name(path)
    file = _known_file(name, workspace)
    if file is not None:
        known = _source(file)
        if known != path.resolve():
            raise SpecError(
                f"Project {name!r} reads {known}, so it cannot be run on {path.resolve()}. "
                f"Rename the file, or change `source` in {file}."
            )
        return name, _as_said(file, target, overrides)
    if target is None:
        raise SpecError(f"A new project needs the column to predict: add --target COLUMN. {columns_said(path)}")
    file, notes = draft(name, path, target, overrides, workspace)
    return name, [f"Wrote {file}.", *notes]


def _known_file(name: str, workspace: Workspace) -> Path | None:
    """Return the file of a project that there is, or None if one is to be drafted."""
    try:
        return project_file(name, workspace)
    except NotFound:
        return None


def _source(file: Path) -> Path:
    spec = load_spec(file)
    return (spec.folder / spec.source.path).resolve() if spec.source.path else file


def _as_said(file: Path, target: str | None, overrides: dict[str, str | None]) -> list[str]:
    """Hold what a person says against a project's file, change the file where they differ, and say both choices."""
    _same_target(file, target)
    notes = []
    if any(value is not None for value in overrides.values()):
        from penstock.data.drafts.project_changes import change_columns

        notes = change_columns(file, overrides)
    spec = load_spec(file)
    return [*notes, f"time: {spec.time or 'none'}, id: {spec.id or 'none'} (as {file} says)."]


def _same_target(file: Path, target: str | None) -> None:
    spec = load_spec(file)
    if target is None or target == spec.target:
        return
    source = spec.folder / (spec.source.path or "")
    if source.is_file():
        from penstock.data.drafts.drafting import columns_of

        columns = columns_of(source)
        if target not in columns:
            raise SpecError(f"The source must have the target column {target!r}, but has {', '.join(columns)}.")
    raise SpecError(
        f"Project {spec.name!r} predicts {spec.target!r}, not {target!r}. Change `target` in {file}, or make another "
        "project: what was learnt and judged so far is of this target."
    )


def draft(
    name: str, path: Path, target: str, overrides: dict[str, str | None], workspace: Workspace
) -> tuple[Path, list[str]]:
    """Write a project file, or keep the one that is there, and record where it lies; return it and what was chosen.

    Raises
    ------
    SpecError
        If a project may not have the name, which is checked before it becomes a path.
    """
    check_name(name)
    from penstock.data.drafts.drafting import draft_project

    file = Path("projects").resolve() / f"{name}.yaml"
    written = file.exists()
    notes = draft_project(name, path.resolve(), target, overrides, file)
    if written and any(overrides.values()):
        from penstock.data.drafts.project_changes import change_columns

        notes += change_columns(file, overrides)
    records.register_project(name, file, workspace)
    return file, notes
