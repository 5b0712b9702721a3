"""Rows that were set aside: kept with their reasons, and re-admitted by a person."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import pandas as pd

from penstock.data.types.conforming import as_text
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
    """Failing rows of a dataset version, kept with their reasons as a table under `digest`."""

    project: str
    digest: str
    dataset: str
    rows: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Readmission:
    """Rows that a person lets in although they fail; each is named by the digest of its content."""

    project: str
    quarantine: str
    rows: tuple[str, ...]
    at: datetime


def keep(
    frame: pd.DataFrame, faults: Mapping[int, Sequence[str]], dataset: DatasetVersion, workspace: Workspace
) -> str | None:
    """Keep failing rows with their reasons, and return the table's digest; None without failing rows.

    Parameters
    ----------
    frame
        The table as it was ingested, shape (n_rows, n_columns).
    faults
        The reasons by row position.
    dataset
        The version as it was ingested.
    workspace
        Where the rows are kept: their columns, position, digest, and reasons.
    """
    if not faults:
        return None
    positions = sorted(faults)
    rows = frame.iloc[positions].reset_index(drop=True)
    notes = pd.DataFrame(
        {
            ROW: positions,
            DIGEST: pd.Series(row_digests(rows), dtype="str"),
            REASONS: pd.Series(["; ".join(faults[row]) for row in positions], dtype="str"),
        }
    )
    table = pd.concat([rows, notes], axis=1)
    digest = save_table(table, workspace)
    record = Quarantine(dataset.project, digest, dataset.digest, len(table), workspace.now())
    records.save_record(KIND, digest, dataset.project, record, workspace)
    return digest


def row_digests(rows: pd.DataFrame) -> list[str]:
    """Return a digest of each row's content, whatever its place in the table and the types it was read in."""
    texts = pd.DataFrame({str(name): as_text(rows[name]) for name in sorted(rows.columns)}, index=rows.index)
    return [
        hashlib.sha256(json.dumps({name: value for name, value in row.items() if value == value}).encode()).hexdigest()  # noqa: PLR0124  NaN alone differs from itself
        for row in texts.to_dict("records")
    ]


def without_readmitted(
    frame: pd.DataFrame, faults: dict[int, list[str]], dataset: DatasetVersion, workspace: Workspace
) -> dict[int, list[str]]:
    """Return the faults of those rows that no person has re-admitted."""
    admitted = readmitted(dataset.project, workspace)
    if not admitted or not faults:
        return faults
    positions = sorted(faults)
    digests = row_digests(frame.iloc[positions])
    return {row: faults[row] for row, digest in zip(positions, digests, strict=True) if digest not in admitted}


def readmitted(project: str, workspace: Workspace) -> frozenset[str]:
    """Return the digests of the rows that were re-admitted."""
    found = records.list_records(READMISSION, project, Readmission, workspace)
    return frozenset(digest for readmission in found for digest in readmission.rows)


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
    digest = _find(project, quarantine, workspace)
    table = load_table(digest, workspace, [ROW, DIGEST])
    wanted = set(table[ROW]) if rows == "all" else set(rows)
    absent = sorted(wanted - set(table[ROW]))
    if absent:
        held = ", ".join(map(str, table[ROW][:20]))
        raise NotFound(f"The quarantine {digest[:12]} must hold the rows {absent!r}, but holds: {held}.", absent)
    chosen = tuple(table.loc[table[ROW].isin(wanted), DIGEST])
    readmission = Readmission(project, digest, chosen, workspace.now())
    key = hashlib.sha256("".join(chosen).encode()).hexdigest()
    records.save_record(READMISSION, key, project, readmission, workspace)
    return readmission


def _find(project: str, quarantine: str, workspace: Workspace) -> str:
    known = [one.digest for one in records.list_records(KIND, project, Quarantine, workspace)]
    found = [digest for digest in known if digest.startswith(quarantine)]
    if not quarantine or len(found) != 1:
        listed = ", ".join(digest[:12] for digest in known)
        there_are = f"There are: {listed}." if known else "No rows were set aside."
        raise NotFound(f"Project {project!r} must have a quarantine {quarantine!r}, but has {len(found)}. {there_are}")
    return found[0]
