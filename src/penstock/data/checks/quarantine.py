"""Rows that were set aside: kept with their reasons, and re-admitted by a person."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import numpy as np
import pandas as pd

from penstock.data.sides.digests import Digests, combine, value_digests
from penstock.data.types.canonical import canonical_type, names_of
from penstock.domain.datasets import DatasetVersion
from penstock.domain.workspace import Workspace
from penstock.errors import NotFound
from penstock.store import records
from penstock.store.frames import load_table, save_table

KIND = "quarantine"
READMISSION = "readmission"
ROW, DIGEST, REASONS = "quarantine_row", "quarantine_digest", "quarantine_reasons"


@dataclass(frozen=True, slots=True)
class Quarantine:
    """Failing rows of a dataset version, kept with their reasons as a table under `digest`.

    `columns` are those that make a row's content.
    """

    project: str
    digest: str
    dataset: str
    rows: int
    at: datetime
    columns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Readmission:
    """Rows that a person lets in although they fail; each is named by the digest of its content in some columns."""

    project: str
    quarantine: str
    rows: tuple[str, ...]
    at: datetime
    columns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Content:
    """What the rows of a table hold: as read, in the contract's types, and the texts that reading left missing.

    All in the contract's names; `unreadable` has the columns row (position), column and text.
    """

    raw: pd.DataFrame
    table: pd.DataFrame
    unreadable: pd.DataFrame

    def digests(self, rows: list[int], columns: Sequence[str]) -> list[str]:
        """Return a digest of what each of some rows holds in some columns, whatever types they were read in."""
        found = combine({name: self._cells(name, rows) for name in columns}, len(rows))
        return [f"{digest:016x}" for digest in found.tolist()]

    def _cells(self, name: str, rows: list[int]) -> Digests:
        values, raw = self.table[name].iloc[rows], self.raw[name].iloc[rows]
        raw = raw.str.strip() if canonical_type(raw) == "string" else raw
        texts = (
            self.unreadable[self.unreadable["column"] == name]
            .set_index("row")["text"]
            .reindex(pd.Index(rows))
            .astype("str")
        )
        told = np.where(texts.notna(), value_digests(texts), value_digests(raw))
        return np.where(values.isna(), told, value_digests(values))


def keep(
    frame: pd.DataFrame,
    content: Content,
    faults: Mapping[int, Sequence[str]],
    dataset: DatasetVersion,
    workspace: Workspace,
) -> str | None:
    """Keep failing rows with their reasons, and return the table's digest; None without failing rows.

    Parameters
    ----------
    frame
        The table as it was ingested, shape (n_rows, n_columns).
    content
        What its rows hold.
    faults
        The reasons by row position.
    dataset
        The version as it was ingested.
    workspace
        Where the rows are kept: their columns, position, digest, and reasons.
    """
    if not faults:
        return None
    positions, columns = sorted(faults), names_of(content.table)
    rows = frame.iloc[positions].reset_index(drop=True)
    notes = pd.DataFrame(
        {
            ROW: positions,
            DIGEST: pd.Series(content.digests(positions, columns), dtype="str"),
            REASONS: pd.Series(["; ".join(faults[row]) for row in positions], dtype="str"),
        }
    )
    rows = rows.rename(columns={name: _free(name, rows) for name in names_of(notes) if name in rows})
    digest = save_table(pd.concat([rows, notes], axis=1), workspace)
    record = Quarantine(dataset.project, digest, dataset.digest, len(rows), workspace.now(), tuple(columns))
    records.save_record(KIND, digest, dataset.project, record, workspace)
    return digest


def _free(name: str, rows: pd.DataFrame) -> str:
    """Return a name like a note's that no column of the source has."""
    while name in rows:
        name = f"{name}_"
    return name


def without_readmitted(
    content: Content, faults: dict[int, list[str]], dataset: DatasetVersion, workspace: Workspace
) -> dict[int, list[str]]:
    """Return the faults of those rows that no person has re-admitted, by the columns that they had then."""
    admitted: dict[tuple[str, ...], set[str]] = {}
    for each in records.list_records(READMISSION, dataset.project, Readmission, workspace):
        admitted.setdefault(each.columns, set()).update(each.rows)
    for columns, known in admitted.items():
        if faults and set(columns) <= set(content.table):
            digests = content.digests(list(faults), columns)
            faults = {row: faults[row] for row, digest in zip(faults, digests, strict=True) if digest not in known}
    return faults


def readmit(project: str, quarantine: str, rows: Sequence[int] | Literal["all"], workspace: Workspace) -> Readmission:
    """Let quarantined rows in: where the next ingested tables hold them, they are accepted as they are.

    A value that is not of its column's type stays missing.

    Parameters
    ----------
    project
        The project's name.
    quarantine
        The digest of the rows that were set aside, of a validation report, or its first digits.
    rows
        Positions in the table that was ingested, or all of them.
    workspace
        Where the re-admission is kept.

    Returns
    -------
    Readmission
        With the digests of the rows.

    Raises
    ------
    NotFound
        If the project has no such quarantine, or it does not hold the rows.
    """
    found = _find(project, quarantine, workspace)
    table = load_table(found.digest, workspace, [ROW, DIGEST])
    wanted = set(table[ROW]) if rows == "all" else set(rows)
    absent = sorted(wanted - set(table[ROW]))
    if absent:
        held = ", ".join(map(str, table[ROW][:20]))
        raise NotFound(f"The quarantine {found.digest[:12]} must hold the rows {absent!r}, but holds: {held}.", absent)
    chosen = tuple(table.loc[table[ROW].isin(wanted), DIGEST])
    readmission = Readmission(project, found.digest, chosen, workspace.now(), found.columns)
    key = hashlib.sha256("".join(chosen).encode()).hexdigest()
    records.save_record(READMISSION, key, project, readmission, workspace)
    return readmission


def _find(project: str, quarantine: str, workspace: Workspace) -> Quarantine:
    known = records.list_records(KIND, project, Quarantine, workspace)
    found = [one for one in known if one.digest.startswith(quarantine)]
    if not quarantine or len(found) != 1:
        listed = ", ".join(one.digest[:12] for one in known)
        there_are = f"There are: {listed}." if known else "No rows were set aside."
        raise NotFound(f"Project {project!r} must have a quarantine {quarantine!r}, but has {len(found)}. {there_are}")
    return found[0]
