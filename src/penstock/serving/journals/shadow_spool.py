"""What challengers said where nobody heard it: lines in files of their own, bounded in size, never sealed."""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from penstock.domain.workspace import Workspace

FILE_BYTES = 4 << 20
MOST_FILES = 4


class Shadowed(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a challenger said of rows that another version answered, beside how long both took for them.

    `champion` is that version, and `champion_predictions` its answers; `id` the value that kept the caller on it;
    `error` says how the challenger failed.
    """

    request_id: str
    at: str
    project: str
    version: str
    champion: str
    latency_ms: float | None = None
    champion_ms: float | None = None
    predictions: list[dict[str, Any]] | None = None
    champion_predictions: list[dict[str, Any]] | None = None
    error: str | None = None
    id: str | int | float | bool | None = None


@dataclass(slots=True)
class _File:
    """The open file of one project, this process's own."""

    file: int
    size: int = 0


@dataclass(slots=True)
class ShadowSpool:
    """Writes lines; not for several threads at once. The oldest file makes way for the newest."""

    workspace: Workspace
    _files: dict[str, _File] = field(default_factory=dict)

    def append(self, said: Shadowed) -> None:
        """Write what a challenger said."""
        there = self._files.get(said.project)
        if there is None or there.size > FILE_BYTES:
            there = self._rotate(said.project, said.request_id)
        there.size += os.write(there.file, msgspec.json.encode(said) + b"\n")

    def close(self) -> None:
        """Close every file."""
        for each in self._files.values():
            os.close(each.file)
        self._files.clear()

    def _rotate(self, project: str, request_id: str) -> _File:
        old = self._files.pop(project, None)
        if old is not None:
            os.close(old.file)
        folder = shadow_folder(project, self.workspace)
        folder.mkdir(parents=True, exist_ok=True)
        for oldest in sorted(folder.glob("*.jsonl"))[: 1 - MOST_FILES]:
            oldest.unlink(missing_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        self._files[project] = _File(os.open(folder / f"{request_id}.jsonl", flags, 0o600))
        return self._files[project]


def shadow_folder(project: str, workspace: Workspace) -> Path:
    """Return the folder of what a project's shadows said."""
    return workspace.journal / project / "shadow"
