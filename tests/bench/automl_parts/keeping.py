"""Results kept as JSON lines, so that a comparison goes on where it stopped."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Key = tuple[str, int, str, float, int]  # set, seed, system, seconds, cores


@dataclass(frozen=True, slots=True)
class Results:
    """A file of records, the newest of each key counting."""

    path: Path

    def read(self) -> dict[Key, dict[str, Any]]:
        """Return the records by set, seed, system, seconds and cores."""
        if not self.path.exists():
            return {}
        lines = self.path.read_text(encoding="utf-8").splitlines()
        return {key_of(record): record for record in map(_record, lines) if record}

    def add(self, record: dict[str, Any]) -> None:
        """Write a record behind the others."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")

    def forget(self, systems: Iterable[str], sets: Iterable[str], seeds: Iterable[int]) -> None:
        """Leave out what some systems did on some sets with some seeds."""
        gone = {(system, name, seed) for system in systems for name in sets for seed in seeds}
        records = self.read().values()
        kept = [one for one in records if (one["system"], one["set"], one["seed"]) not in gone]
        if self.path.exists():
            draft = self.path.with_suffix(".draft")
            draft.write_text("".join(json.dumps(record) + "\n" for record in kept), encoding="utf-8")
            draft.replace(self.path)


def key_of(record: dict[str, Any]) -> Key:
    """Return what a record is of."""
    return record["set"], record["seed"], record["system"], float(record["seconds"]), record["cores"]


def _record(line: str) -> dict[str, Any] | None:
    """Return a line's record; a line that a killed process left half is none."""
    try:
        found: dict[str, Any] = json.loads(line)
    except json.JSONDecodeError:
        return None
    return found
