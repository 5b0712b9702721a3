"""Tables, what is known of them, and which rows do what."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

ColumnType = Literal["number", "boolean", "string", "date"]
Problem = Literal["binary", "multiclass", "regression"]
Level = Literal["note", "warning", "critical"]


@dataclass(frozen=True, slots=True)
class ColumnProfile:
    """What one column of a table looks like; figures that do not apply are None."""

    name: str
    type: ColumnType
    rows: int
    missing: int
    distinct: int
    whole: bool = False
    lowest: float | str | None = None
    highest: float | str | None = None
    mean: float | None = None
    deviation: float | None = None
    examples: tuple[str, ...] = ()
    levels: tuple[tuple[str, int], ...] = ()
    mean_length: float | None = None
    histogram: tuple[tuple[float, int], ...] = ()


@dataclass(frozen=True, slots=True)
class DatasetVersion:
    """One immutable table, named by its content."""

    project: str
    digest: str
    number: int
    rows: int
    source: str
    created_at: datetime
    columns: tuple[ColumnProfile, ...]

    def column(self, name: str) -> ColumnProfile | None:
        """Return the profile of a column, or None."""
        return next((column for column in self.columns if column.name == name), None)


@dataclass(frozen=True, slots=True)
class Finding:
    """Something a check saw in a table, with its evidence and what was done.

    `masked` says the same without values of the columns, for those that are sensitive; "" where the message has none.
    """

    check: str
    level: Level
    columns: tuple[str, ...]
    message: str
    rows: int = 0
    figures: tuple[tuple[str, float], ...] = ()
    masked: str = ""


@dataclass(frozen=True, slots=True)
class Reading:
    """What was seen while a source was read.

    `unreadable` is the digest of a table (row, column, text) of values that were not of their column's type, and so
    are missing in the dataset version; None if there were none.
    """

    project: str
    dataset: str
    findings: tuple[Finding, ...]
    unreadable: str | None


@dataclass(frozen=True, slots=True)
class Journalled:
    """How many rows of a dataset version are labelled answers: its last ones.

    `picked` is the digest of an int64 `.npy` of the positions of those that were picked to be labelled, which may only
    train; None if there are none.
    """

    project: str
    dataset: str
    rows: int
    picked: str | None = None


@dataclass(frozen=True, slots=True)
class ContractColumn:
    """What must hold of one column."""

    name: str
    type: ColumnType
    required: bool
    unique: bool = False
    sensitive: bool = False
    allowed: bool = True
    renamed_from: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Contract:
    """The columns that clients and sources keep to; `target_values` are those of a classifier."""

    project: str
    target: str
    columns: tuple[ContractColumn, ...]
    target_values: tuple[str, ...] = ()

    def column(self, name: str) -> ContractColumn | None:
        """Return a column of the contract, or None."""
        return next((column for column in self.columns if column.name == name), None)


@dataclass(frozen=True, slots=True)
class ContractChange:
    """How a table's columns differ from the contract, and what was decided.

    `verdict`: `same`, `first` (drafted from this table), `go_on` (added columns, unused until allowed) or `block`.
    """

    project: str
    verdict: Literal["same", "first", "go_on", "block"]
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    retyped: tuple[tuple[str, str, str], ...] = ()
    matches: tuple[tuple[str, str, float], ...] = ()
    reasons: tuple[str, ...] = ()
    seen: int = 1


@dataclass(frozen=True, slots=True)
class ExpectationResult:
    """One expectation and how it fared; `examples` are up to 20 failing rows as text, masked where sensitive."""

    rule: str
    column: str | None
    level: Level
    held: bool
    failing: int
    examples: tuple[str, ...] = ()
    detail: str = ""


@dataclass(frozen=True, slots=True)
class ValidationReport:
    """Which expectations held, which rows were set aside, and whether the table may go on.

    `accepted` is the dataset version without the rows in quarantine (the same version if none were);
    `quarantine` is the digest of the rows set aside with their reasons; `page` of our own HTML page.
    """

    project: str
    dataset: str
    accepted: DatasetVersion
    results: tuple[ExpectationResult, ...]
    findings: tuple[Finding, ...]
    quarantined: int
    quarantine: str | None
    blocked: bool
    reasons: tuple[str, ...]
    page: str | None = None


@dataclass(frozen=True, slots=True)
class Split:
    """Which rows of a dataset version train, and which are held out.

    `assignment` is the digest of an int8 `.npy` of shape (rows,): -1 holdout, -2 unused (no target),
    -3 trains in every fold and is validated in none, otherwise the fold (0 to `folds` - 1) that validates the row.
    `groups`, `row_digests` and `origins` are digests of `.npy` arrays of uint64, shape (rows,): which rows belong
    together, what each is known by, and what decided its side ("": its group).
    With `time_ordered`, fold k trains on -3 and the folds before k.
    """

    project: str
    dataset: str
    kind: Literal["hash", "group", "time"]
    key: tuple[str, ...]
    assignment: str
    groups: str
    row_digests: str
    folds: int
    time_ordered: bool
    train_rows: int
    holdout_rows: int
    unused_rows: int
    grouped: bool
    cut: datetime | None
    reason: str
    origins: str = ""
