"""From a source to a dataset version: one immutable table, named by its content."""

from dataclasses import replace
from pathlib import Path

import pandas as pd

from penstock.data.contract import held_among_texts
from penstock.data.contract_file import find_contract
from penstock.data.joining import join_answers, keep_journalled
from penstock.data.profiling import profile_table
from penstock.data.sources._base import RawTable, Source
from penstock.data.targets import check_target
from penstock.data.types.canonical import UNREADABLE_COLUMNS, Canonical, Wishes, canonical_type, to_canonical
from penstock.data.types.conforming import rename
from penstock.domain.datasets import Contract, DatasetVersion, Reading
from penstock.domain.workspace import Workspace
from penstock.plugins import find_plugin
from penstock.spec import ProjectSpec
from penstock.spec import Source as SourceSpec
from penstock.store import frames, records


def ingest(spec: ProjectSpec, workspace: Workspace) -> DatasetVersion:
    """Read a project's source, and keep its rows and the labelled answers of the journal as a dataset version.

    A column that came under an earlier name has the contract's. Rows keep the source's order, and labelled answers
    follow in the order asked, unless the project file says `source.journal: false`; rows without a target stay. What
    was seen on the way is kept as a `Reading`.

    Parameters
    ----------
    spec
        The project.
    workspace
        Where the table and its records are kept.

    Returns
    -------
    DatasetVersion
        With the profile of each column; a table with the content of an earlier one is that version.

    Raises
    ------
    SourceUnavailable
        If the source did not answer.
    DataError
        If it gave no table, the target is not among its columns, or there is nothing to learn.
    SpecError
        If the contract's file says something it must not.
    """
    canonical = _read(spec, workspace)
    check_target(canonical.frame, spec.target, spec.problem)
    joined = join_answers(canonical.frame, spec, workspace)
    dataset = keep_table(joined.frame, spec.name, source_of(spec.source) + _answers(joined.answers), workspace)
    keep_journalled(dataset, joined.answers, joined.picked, workspace)
    if len(joined.unreadable):
        unreadable = pd.concat([canonical.unreadable, joined.unreadable], ignore_index=True)
        canonical = replace(canonical, unreadable=unreadable)
    _keep_reading(canonical, dataset, workspace)
    return dataset


def read_source(source: SourceSpec, folder: Path) -> RawTable:
    """Read the rows of a source as it gives them.

    Raises
    ------
    NotFound
        If no kind of source has the name; the message lists those there are.
    """
    return find_plugin("penstock.data.sources", Source, source.kind)().read(source, folder)


def source_of(source: SourceSpec) -> str:
    """Return what records say of where rows came from."""
    return find_plugin("penstock.data.sources", Source, source.kind)().describe(source)


def wishes_of(spec: ProjectSpec) -> Wishes:
    """Return what the project file says of columns' types."""
    settled = (spec.folder / f"{spec.name}.contract.yaml").exists()
    return Wishes(kinds=dict(spec.columns.kinds), drop=tuple(spec.columns.drop), settled=settled)


def keep_table(frame: pd.DataFrame, project: str, source: str, workspace: Workspace) -> DatasetVersion:
    """Keep a canonical table as a dataset version; the same content keeps the number it has."""
    dataset = DatasetVersion(
        project=project,
        digest=frames.save_table(frame, workspace),
        number=0,
        rows=len(frame),
        source=source,
        created_at=workspace.now(),
        columns=profile_table(frame),
    )
    return records.save_dataset(dataset, workspace)


def find_reading(dataset: DatasetVersion, workspace: Workspace) -> Reading:
    """Return what was seen while a dataset version was read; nothing for one that was made otherwise."""
    found = records.find_record("reading", dataset.digest, dataset.project, Reading, workspace)
    return found or Reading(dataset.project, dataset.digest, (), None)


def unreadable_values(reading: Reading, workspace: Workspace) -> pd.DataFrame:
    """Return the values that were not of their column's type, with the columns row (position), column and text."""
    if reading.unreadable is None:
        return pd.DataFrame({name: [] for name in UNREADABLE_COLUMNS})
    return frames.load_table(reading.unreadable, workspace)


def _read(spec: ProjectSpec, workspace: Workspace) -> Canonical:
    """Read a project's source, its columns by the contract's names."""
    raw, wishes = read_source(spec.source, spec.folder), wishes_of(spec)
    contract = find_contract(spec)
    if contract is None:
        return to_canonical(raw, wishes)
    raw = replace(raw, frame=rename(raw.frame, contract))
    canonical = to_canonical(raw, wishes)
    texts = _meant_as_texts(canonical.frame, contract, spec, workspace)
    return to_canonical(raw, replace(wishes, types=dict.fromkeys(texts, "string"))) if texts else canonical


def _meant_as_texts(frame: pd.DataFrame, contract: Contract, spec: ProjectSpec, workspace: Workspace) -> list[str]:
    """Return the contract's text columns that are of another type only because this table has none of their words."""
    kinds = {
        column: canonical_type(frame[column.name])
        for column in contract.columns
        if column.name in frame and bool(frame[column.name].notna().any())
    }
    return [
        column.name
        for column, kind in kinds.items()
        if kind != column.type and held_among_texts(column, kind, spec, workspace)
    ]


def _answers(count: int) -> str:
    return f" + {count} labelled answer{'s' if count > 1 else ''}" if count else ""


def _keep_reading(canonical: Canonical, dataset: DatasetVersion, workspace: Workspace) -> None:
    unreadable = frames.save_table(canonical.unreadable, workspace) if len(canonical.unreadable) else None
    reading = Reading(dataset.project, dataset.digest, canonical.findings, unreadable)
    records.save_record("reading", dataset.digest, dataset.project, reading, workspace)
