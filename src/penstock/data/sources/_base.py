"""What a data source is: a name, and a way to read a raw table."""

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from glob import glob, has_magic
from pathlib import Path
from typing import ClassVar

import pandas as pd

from penstock.domain.datasets import Finding
from penstock.errors import DataError, SourceUnavailable, SpecError
from penstock.spec import Source as SourceSpec

MOST_NAMED = 20  # files in a sentence


@dataclass(frozen=True, slots=True)
class RawTable:
    """Rows as a source gives them, in its order, and what was seen on the way.

    An untyped source (CSV) gives every value as text; a typed one gives the types that it keeps.
    """

    frame: pd.DataFrame
    typed: bool
    notes: tuple[Finding, ...] = ()


class NoRows(DataError):
    """A table has no row: of several files that is one fewer."""


class ReadWhole(Exception):
    """A table cannot be taken a part at a time."""


class Source(ABC):
    """A kind of place that rows come from; the project file names it as `source.kind`."""

    name: ClassVar[str]

    @abstractmethod
    def read(self, source: SourceSpec, folder: Path) -> RawTable:
        """Read every row.

        Parameters
        ----------
        source
            The `source` of a project file.
        folder
            The folder that relative paths start from.

        Returns
        -------
        RawTable
            At least one row, and columns with different, non-empty names.

        Raises
        ------
        SourceUnavailable
            If the source did not answer.
        DataError
            If what it gave is not a table.
        """

    def parts(self, source: SourceSpec, folder: Path, rows: int) -> Iterator[RawTable]:
        """Give every row, a part of the table at a time where the source can.

        Parameters
        ----------
        source, folder
            As for `read`.
        rows
            At most so many in a part; a source that cannot gives one part.

        Raises
        ------
        ReadWhole
            If only `read` tells what is to be said of the table: what its texts mean, or what is wrong with it.
        """
        del rows
        yield self.read(source, folder)

    @abstractmethod
    def describe(self, source: SourceSpec) -> str:
        """Return what records say of where rows came from: never a secret."""

    @abstractmethod
    def example(self, frame: pd.DataFrame, folder: Path) -> SourceSpec:
        """Write a table where this kind of source finds it: the contract tests read it back.

        Parameters
        ----------
        frame
            A canonical table; it may have no row.
        folder
            Where to write. A source whose folder is gone does not answer.

        Returns
        -------
        SourceSpec
            The `source` of a project file in that folder.
        """


def setting(source: SourceSpec, name: str) -> str:
    """Return a setting that a kind of source needs.

    Raises
    ------
    SpecError
        If the project file does not say it.
    """
    value: str | None = getattr(source, name)
    if not value:
        raise SpecError(f"A source of kind {source.kind!r} must have `{name}`, but the project file gives none.")
    return value


def find_files(source: SourceSpec, folder: Path) -> list[Path]:
    """Return the files that `path` names, in order of their names; a pattern may name many.

    Raises
    ------
    SourceUnavailable
        If there is no such file.
    """
    path = setting(source, "path")
    absolute = os.path.normpath(folder / Path(path).expanduser())  # the folder of a project to be need not be there yet
    found = [Path(absolute)]
    if not found[0].exists() and has_magic(absolute):
        found = sorted(Path(name) for name in glob(absolute, recursive=True))  # noqa: PTH207  Path.glob refuses absolute patterns
    files = [file for file in found if file.is_file()]
    if not files:
        what = (
            "is a folder; a pattern such as 'folder/*.csv' names its files"
            if found and found[0].is_dir()
            else "is not there"
        )
        raise SourceUnavailable(f"The file {path!r} must be there to read, but {what} (looked in {str(folder)!r}).")
    return files


def read_files(files: list[Path], read: Callable[[Path], RawTable]) -> RawTable:
    """Return the rows of many files one after the other; files without a row are left out, and named in a note.

    Raises
    ------
    NoRows
        If no file has a row.
    DataError
        If a file has other columns than the first.
    """
    parts, empty = dict[Path, RawTable](), list[str]()
    for path in files:
        try:
            parts[path] = read(path)
        except NoRows:
            empty.append(path.name)
            if len(empty) == len(files):
                raise
    notes = [note for part in parts.values() for note in part.notes]
    if empty:
        named = ", ".join(map(repr, empty[:MOST_NAMED])) + (", ..." if len(empty) > MOST_NAMED else "")
        message = f"Files without rows were left out ({len(empty)} of {len(files)}): {named}."
        notes.append(Finding("empty_file", "warning", (), message))
    typed = next(iter(parts.values())).typed
    return RawTable(_join({path: part.frame for path, part in parts.items()}), typed, tuple(notes))


def _join(parts: dict[Path, pd.DataFrame]) -> pd.DataFrame:
    (first_path, first), *others = parts.items()
    for path, frame in others:
        if set(frame.columns) != set(first.columns):
            missing = [name for name in first.columns if name not in frame.columns]
            added = [name for name in frame.columns if name not in first.columns]
            must = f"Every file must have the columns of {first_path.name!r}"
            message = f"{must}, but {path.name!r} {_differs(missing, added)}."
            raise DataError(message, [{"file": path.name, "missing": missing, "added": added}])
    if len(parts) == 1:
        return first
    return pd.concat([frame[list(first.columns)] for frame in parts.values()], ignore_index=True)


def check_names(names: list[str], where: str) -> None:
    """Make sure that no two columns have one name.

    Raises
    ------
    DataError
        Naming those that come more than once.
    """
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        listed = ", ".join(repr(name) for name in repeated)
        raise DataError(
            f"The columns of {where} must have different names, but {listed} come more than once.", repeated
        )


def check_rows(frame: pd.DataFrame, where: str) -> None:
    """Make sure that there is a column, and a row.

    Raises
    ------
    DataError
        If there is no column.
    NoRows
        If there is no row.
    """
    if frame.shape[1] == 0:
        raise DataError(f"{where} must have columns, but has none.")
    if len(frame) == 0:
        raise NoRows(f"{where} must have rows below the names of its columns, but has none.")


def _differs(missing: list[str], added: list[str]) -> str:
    parts = []
    if missing:
        parts.append(f"lacks {', '.join(missing)}")
    if added:
        parts.append(f"also has {', '.join(added)}")
    return " and ".join(parts)
