"""How the columns of a new table differ from the contract, and what follows."""

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

from penstock.data.checks.first_file import expect
from penstock.data.contract_file import add_columns, contract_path, find_contract
from penstock.data.renames import find_renames
from penstock.data.types.canonical import canonical_type, names_of
from penstock.data.types.conforming import MOST_MUST_FIT, as_text, coerce, fits, rename
from penstock.data.types.text_types import share_of
from penstock.domain.datasets import (
    ColumnType,
    Contract,
    ContractChange,
    ContractColumn,
    DatasetVersion,
    ValidationReport,
)
from penstock.domain.workspace import Workspace
from penstock.spec import ProjectSpec
from penstock.store import records
from penstock.store.frames import load_table

KIND = "contract_change"
MOST_EXAMPLES = 3
AMONG_TEXTS = 0.05  # share of a text column's values; fewer of a type do not explain a table with these alone


def check_contract(dataset: DatasetVersion, spec: ProjectSpec, workspace: Workspace) -> ContractChange:
    """Hold a table's columns against the project's contract.

    Parameters
    ----------
    dataset
        The version that was ingested.
    spec
        The project; its contract lies beside its file.
    workspace
        Where the change is kept as a record, under the dataset's digest.

    Returns
    -------
    ContractChange
        `first` if there is no contract yet (`validate` writes the draft once the table is accepted), `same`, `go_on`
        for added columns (written into the contract, unused until allowed), `block` for removed or retyped ones.
        The same answer for the same table raises `seen`.

    Raises
    ------
    SpecError
        If the contract's file says something it must not.
    """
    contract = find_contract(spec)
    if contract is None:
        reason = f"There is no contract yet: it is drafted from this table's {len(dataset.columns)} columns."
        change = ContractChange(spec.name, "first", reasons=(reason,))
    else:
        change = compare(load_table(dataset.digest, workspace), contract, spec, workspace)
    return _remembered(change, dataset, contract, spec, workspace)


def compare(frame: pd.DataFrame, contract: Contract, spec: ProjectSpec, workspace: Workspace) -> ContractChange:
    """Return how a table differs from a contract, with the likely new names of removed columns."""
    frame = rename(frame, contract)
    known = {column.name: column for column in contract.columns}
    added = [str(name) for name in frame.columns if name not in known]
    removed = [
        name for name, column in known.items() if name not in frame and column.allowed and name not in spec.columns.drop
    ]
    changed = [column for column in contract.columns if column.name in frame and _retyped(frame[column.name], column)]
    kinds = {column: canonical_type(frame[column.name]) for column in changed}
    retyped = [column for column in changed if not held_among_texts(column, kinds[column], spec, workspace)]
    matches = find_renames(_old_columns(removed, spec, workspace), frame[added]) if removed and added else ()
    reasons = [
        *(_removed_reason(name, matches, spec) for name in removed),
        *(_retyped_reason(frame[column.name], column) for column in retyped),
        *(_added_reason(name, frame, spec) for name in added if not (removed or retyped)),
    ]
    return ContractChange(
        spec.name,
        "block" if removed or retyped else "go_on" if added else "same",
        tuple(added),
        tuple(removed),
        tuple((column.name, column.type, canonical_type(frame[column.name])) for column in retyped),
        matches,
        tuple(reasons) or ("The columns are those of the contract.",),
    )


def draft_contract(frame: pd.DataFrame, spec: ProjectSpec) -> Contract:
    """Return the contract that a first table suggests.

    A column is required if every row has a value, or if it names or orders the rows; rows without one are then
    faults.
    """
    expected = expect(frame, spec)

    def column(name: str) -> ContractColumn:
        values = frame[name]
        key = name in expected.keys
        return ContractColumn(
            name,
            expected.target_type if name == spec.target else canonical_type(values),
            required=name != spec.target and (key or name == spec.time or bool(values.notna().all())),
            unique=key,
            sensitive=name in spec.columns.sensitive,
        )

    return Contract(spec.name, spec.target, tuple(column(str(name)) for name in frame), expected.target_values)


def given_up(frame: pd.DataFrame, contract: Contract, spec: ProjectSpec) -> frozenset[str]:
    """Return what a table lacks and may lack: columns that the contract does not allow, or that the project drops."""
    unused = {column.name for column in contract.columns if not column.allowed} | set(spec.columns.drop)
    return frozenset(unused - set(names_of(frame)))


def _retyped(values: pd.Series, column: ContractColumn) -> bool:
    if canonical_type(values) == column.type or not column.allowed or values.isna().all():
        return False
    return column.type == "string" or fits(values, column.type) < MOST_MUST_FIT


def held_among_texts(column: ContractColumn, kind: ColumnType, spec: ProjectSpec, workspace: Workspace) -> bool:
    """Whether a text column held values of a type among its texts: a table with these alone is read in that type."""
    if column.type != "string":
        return False
    old = _old_columns([column.name], spec, workspace)
    return column.name not in old or share_of(as_text(old[column.name]), kind) >= AMONG_TEXTS


def _remembered(
    change: ContractChange, dataset: DatasetVersion, contract: Contract | None, spec: ProjectSpec, workspace: Workspace
) -> ContractChange:
    """Save a change under its table; the same answer again counts up, and is no second alarm."""
    before = records.find_record(KIND, dataset.digest, spec.name, ContractChange, workspace)
    if before is not None and contract is not None and _still_unused(before, change, contract, spec):
        change = before
    if before is not None and replace(before, seen=change.seen) == change:
        change = replace(before, seen=before.seen + 1)
    elif change.verdict == "go_on":
        new = tuple(_added_column(name, dataset) for name in change.added)
        add_columns(new, dataset, spec)
    records.save_record(KIND, dataset.digest, spec.name, change, workspace)
    return change


def _still_unused(before: ContractChange, change: ContractChange, contract: Contract, spec: ProjectSpec) -> bool:
    """Whether a table's added columns, by now in the contract's file, still wait to be allowed."""
    if before.verdict != "go_on" or change.verdict != "same":
        return False
    columns = [contract.column(name) for name in before.added]
    return all(
        column is not None and not column.allowed and column.name not in spec.columns.allow for column in columns
    )


def _added_column(name: str, dataset: DatasetVersion) -> ContractColumn:
    profile = dataset.column(name)
    return ContractColumn(name, profile.type if profile else "string", required=False, allowed=False)


def _old_columns(names: Sequence[str], spec: ProjectSpec, workspace: Workspace) -> pd.DataFrame:
    """Return columns of the last table that was accepted, or none of them."""
    reports = records.list_records("validation", spec.name, ValidationReport, workspace)
    accepted = [report.accepted for report in reports if not report.blocked]
    if not accepted:
        return pd.DataFrame()
    newest = max(accepted, key=lambda version: version.number)
    return load_table(newest.digest, workspace, [name for name in names if newest.column(name)])


def _removed_reason(name: str, matches: tuple[tuple[str, str, float], ...], spec: ProjectSpec) -> str:
    said = f"Column {name!r} must be in the table, but is not."
    for old, new, likeness in matches:
        if old == name:
            return (
                f"{said} {new!r} looks like it under a new name: its values are {likeness:.0%} alike. If it is, write"
                f" `renamed_from: [{new}]` to {name!r} in {contract_path(spec).name}."
            )
    return said


def _retyped_reason(values: pd.Series, column: ContractColumn) -> str:
    _, bad = coerce(values, column.type)
    bad = bad if bad.any() else values.notna().to_numpy()
    found = canonical_type(values)
    text = as_text(values)
    shown = ", ".join(
        f"{'another value' if column.sensitive else repr(text.iloc[row])} (row {row})"
        for row in bad.nonzero()[0][:MOST_EXAMPLES]
    )
    return (
        f"Column {column.name!r} must be of type {column.type}, but is {found}: {int(bad.sum()):,} of"
        f" {int(values.notna().sum()):,} values do not fit, such as {shown}."
    )


def _added_reason(name: str, frame: pd.DataFrame, spec: ProjectSpec) -> str:
    return (
        f"Column {name!r} ({canonical_type(frame[name])}) is new: unused until you allow it, by `allowed: true` in"
        f" {contract_path(spec).name} or `columns.allow` in the project file."
    )
