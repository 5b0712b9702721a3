"""Which rows fail, for which reasons, and how they are shown: sensitive values masked."""

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from penstock.data.checks.expectations import rule_of
from penstock.data.types.conforming import MUST, RowFaults
from penstock.domain.datasets import Contract, ExpectationResult, Level

MOST_EXAMPLES = 20
MASK = "•••"
NOT_NULL = "expect_column_values_to_not_be_null"
NO_VALUES = {"column", "batch_id", "mostly"}  # settings of an expectation that say nothing of what a cell holds


@dataclass(frozen=True, slots=True)
class Checked:
    """One expectation's outcome: `rows` are the positions of failing rows, `trouble` why it could not be held."""

    entry: Mapping[str, Any]
    level: Level
    held: bool
    rows: tuple[int, ...]
    failing: int
    detail: str = ""
    trouble: str = ""

    @property
    def column(self) -> str | None:
        """The column that the expectation is about, or None."""
        name = self.entry.get("kwargs", {}).get("column")
        return None if name is None else str(name)


def excuse(one: Checked, bad_cells: Mapping[str, RowFaults]) -> Checked:
    """Return an outcome without the rows whose cell is of another type: that it is missing then is no second fault."""
    excused = bad_cells.get(one.column or "", {})
    return _without(one, frozenset(excused))


def excuse_answers(one: Checked, answers: range, contract: Contract) -> Checked:
    """Return an outcome without the answered rows that lack a required column: no version asked them for it.

    What a version uses of the required columns, it demands before it answers.
    """
    column = contract.column(one.column or "")
    if one.entry["type"] != NOT_NULL or column is None or not column.required:
        return one
    return _without(one, answers)


def _without(one: Checked, excused: Container[int]) -> Checked:
    rows = tuple(row for row in one.rows if row not in excused)
    if len(rows) == len(one.rows):
        return one
    return replace(one, rows=rows, failing=len(rows), held=not rows, detail=one.detail if rows else "")


def quiet(one: Checked, contract: Contract) -> Checked:
    """Return an outcome whose rule and trouble tell no value of a sensitive column; 0 is no secret."""
    column, kwargs = contract.column(one.column or ""), one.entry.get("kwargs", {})
    telling = [value for name, value in kwargs.items() if name not in NO_VALUES and value not in (None, 0)]
    if column is None or not column.sensitive or not telling:
        return one
    what = str(one.entry["type"]).removeprefix("expect_column_").removeprefix("values_to_").replace("_", " ")
    rule = f"{one.column!r} {'must' if one.level == 'critical' else 'should'} {what} values that are not shown"
    trouble = f"The expectation {rule} does not hold." if one.trouble else ""
    entry = {**one.entry, "meta": {**(one.entry.get("meta") or {}), "rule": rule}}
    return replace(one, entry=entry, trouble=trouble, detail=trouble or one.detail)


def row_faults(
    table: pd.DataFrame, checked: Sequence[Checked], bad_cells: Mapping[str, RowFaults], contract: Contract
) -> dict[int, list[str]]:
    """Return the reasons of each row that fails."""
    faults: dict[int, list[str]] = {}
    for cells in bad_cells.values():
        for row, reasons in cells.items():
            faults.setdefault(row, []).extend(reasons)
    for one in checked:
        if one.level == "critical":
            shown = _shown(table, one.column, contract)
            for row in one.rows:
                faults.setdefault(row, []).append(f"{rule_of(one.entry)}, but is {shown(row)}")
    return faults


def result_of(table: pd.DataFrame, one: Checked, contract: Contract) -> ExpectationResult:
    """Return an expectation's outcome as a record."""
    examples = _examples(table, one.column, one.rows, contract)
    return ExpectationResult(rule_of(one.entry), one.column, one.level, one.held, one.failing, examples, one.detail)


def type_result(frame: pd.DataFrame, name: str, rows: Sequence[int], contract: Contract) -> ExpectationResult:
    """Return the record of cells that are not of their column's type."""
    column = contract.column(name)
    kind = column.type if column else "string"
    rule = f"{name!r} must {MUST[kind]} in every row"
    share = f"{100 * len(rows) / max(1, len(frame)):.1f} % of the rows"
    return ExpectationResult(rule, name, "critical", False, len(rows), _examples(frame, name, rows, contract), share)


def _examples(frame: pd.DataFrame, name: str | None, rows: Sequence[int], contract: Contract) -> tuple[str, ...]:
    """Return up to 20 failing rows as text: position, id, and the value; sensitive ones masked."""
    ids = [column.name for column in contract.columns if column.unique and column.name != name]
    names = [column for column in (*ids[:1], name) if column is not None]
    shown = {column: _shown(frame, column, contract) for column in names}
    return tuple(
        f"row {row}: " + ", ".join(f"{column} = {shown[column](row)}" for column in names)
        for row in rows[:MOST_EXAMPLES]
    )


def _shown(table: pd.DataFrame, name: str | None, contract: Contract) -> Callable[[int], str]:
    column = contract.column(name) if name else None
    if name is None or name not in table or (column is not None and column.sensitive):
        return lambda _: MASK
    values = table[name]
    return lambda row: _text(values.iloc[row])


def _text(value: object) -> str:
    return "missing" if pd.isna(value) else repr(value.item() if hasattr(value, "item") else value)  # type: ignore[call-overload]
