"""Changes that a person asks of a project file from outside it: a line each, and all else stays as it was written."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from penstock.data.drafts.drafting import said_choice
from penstock.data.drafts.project_text import WIDTH, yaml_value
from penstock.data.ingestion import read_source, wishes_of
from penstock.data.types.canonical import to_canonical
from penstock.errors import SpecError
from penstock.spec import ProjectSpec, load_spec
from penstock.spec_faults import plain

WHY = re.compile(r" ?\(chosen: .*\)$")
LINE = re.compile(
    r"""(?P<key>\s*["']?\w+["']?\s*:)(?:[ \t]+(?:"(?:[^"\\]|\\.)*"|'(?:[^']|'')*'|[^\s#"'](?:[^#]|(?<=\S)\#)*?)?)?"""
    r"""(?P<comment>\s+\#.*?)?(?P<end>\s*)"""
)


def change_columns(file: Path, overrides: Mapping[str, str | None]) -> list[str]:
    """Let a project file say the `time` and `id` that a person wants.

    Parameters
    ----------
    file
        The project file; its comments and the order of its lines stay.
    overrides
        `time` and `id` as the person gave them: a column, ``"none"``, or None for what the file says.

    Returns
    -------
    list of str
        A sentence for each change.

    Raises
    ------
    SpecError
        If no column of the source has the name, it cannot be what it is to be, or the line is not one that can be
        changed.
    DataError
        If the source gives no table.
    """
    spec = load_spec(file)
    given = {key: value for key, value in overrides.items() if value is not None}
    wanted = {key: None if value.lower() == "none" else value for key, value in given.items()}
    changes = {key: value for key, value in wanted.items() if value != getattr(spec, key)}
    _check_columns(changes, spec)
    for key, value in changes.items():
        _write(file, key, value)
    return [
        f"{key}: {value or 'none'} (as you said; {file} said {getattr(spec, key) or 'none'})."
        for key, value in changes.items()
    ]


def _check_columns(changes: Mapping[str, str | None], spec: ProjectSpec) -> None:
    named = {key: value for key, value in changes.items() if value is not None}
    if named:
        frame = to_canonical(read_source(spec.source, spec.folder), wishes_of(spec)).frame
        for key, value in named.items():
            said_choice(frame.drop(columns=spec.target, errors="ignore"), key, value)


def _write(file: Path, key: str, value: str | None) -> None:
    """Write one setting, and make sure that the file then says this, and of all else what it said."""
    text = file.read_bytes().decode("utf-8")
    before = YAML(typ="rt").load(text)
    changed = _changed(text, before, key, value)
    if changed is None or _tree(changed) != {**plain(before), key: value}:
        raise SpecError(
            f"`--{key}` must change one line of {str(file)!r}, but the file's form does not let it. "
            f"Write `{key}: {yaml_value(value)}` there yourself."
        )
    temporary = file.with_suffix(".part")
    try:
        temporary.write_bytes(changed.encode())
        temporary.replace(file)
    except OSError as error:
        raise SpecError(f"The project file {str(file)!r} must be writable, but: {error}.") from error


def _changed(text: str, tree: Any, key: str, value: str | None) -> str | None:
    lines = text.splitlines(keepends=True)
    if key not in tree:
        if lines and not lines[-1].endswith("\n"):
            lines[-1] += "\n"
        return "".join([*lines, f"{key}: {yaml_value(value)}".ljust(WIDTH) + "  # as you said\n"])
    at = tree.lc.key(key)[0]
    found = LINE.fullmatch(lines[at])
    if found is None:
        return None
    comment = WHY.sub(" (chosen: as you said)", (found["comment"] or "").strip())
    line = f"{found['key']} {yaml_value(value)}"
    lines[at] = (f"{line.ljust(WIDTH)}  {comment}" if comment else line) + found["end"]
    return "".join(lines)


def _tree(text: str) -> Any:
    try:
        return plain(YAML(typ="rt").load(text))
    except YAMLError:
        return None
