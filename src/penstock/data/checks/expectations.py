"""The expectations of a project's tables, as Great Expectations writes them, beside the project file.

A drafted suite makes critical only what must never happen. Ranges, levels and missing shares are warnings: they are
drift's business until a person makes them critical, by `"severity": "critical"`.
"""

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from penstock.data.types.canonical import canonical_type
from penstock.data.types.conforming import as_text
from penstock.domain.datasets import Contract, ContractColumn
from penstock.errors import SpecError
from penstock.spec import ProjectSpec

Suite = dict[str, Any]

MOST_LEVELS = 50  # above this new levels are everyday
MOST_EXPECTATIONS = 100  # each takes Great Expectations about 15 ms; drift watches every column anyway
SPARE_SHARE = 0.05  # more missing values than this on top of the drafted share are worth a word
IN_RANGE = 0.99  # of the values; single ones beyond the drafted range are everyday


def suite_path(spec: ProjectSpec) -> Path:
    """Return where a project's suite lies."""
    return spec.folder / f"{spec.name}.suite.json"


def find_suite(spec: ProjectSpec) -> Suite | None:
    """Return a project's suite, or None if there is no file.

    Raises
    ------
    SpecError
        If the file is not a suite.
    """
    path = suite_path(spec)
    if not path.exists():
        return None
    try:
        suite = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        message = f"The suite {str(path)!r} must be JSON, but line {error.lineno} is not: {error.msg}."
        raise SpecError(message, [{"line": error.lineno}]) from error
    except (OSError, UnicodeDecodeError) as error:
        raise SpecError(f"The suite {str(path)!r} must be readable text in UTF-8, but: {error}.") from error
    entries = suite.get("expectations") if isinstance(suite, dict) else None
    if not isinstance(entries, list) or not all(isinstance(one, dict) and "type" in one for one in entries):
        raise SpecError(f"The suite {str(path)!r} must have `expectations`: objects with `type` and `kwargs`.")
    return {**suite}


def write_suite(suite: Suite, spec: ProjectSpec) -> None:
    """Write a drafted suite beside the project file."""
    path = suite_path(spec)
    temporary = path.with_suffix(".part")
    temporary.write_text(json.dumps(suite, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    temporary.replace(path)


def draft_suite(frame: pd.DataFrame, contract: Contract, signs: Mapping[str, int]) -> Suite:
    """Return the suite that a table and its contract suggest.

    Parameters
    ----------
    frame
        A table in the contract's types, shape (n_rows, n_columns).
    contract
        Required and unique columns and the target's values become critical.
    signs
        Columns whose numbers are at least (1) or at most (-1) zero: critical.

    Returns
    -------
    Suite
        Name and expectations, in the form of Great Expectations.
    """
    columns = [column for column in contract.columns if column.name in frame]
    entries = [entry for column in columns for entry in _critical(column, contract, signs.get(column.name, 0))]
    warnings = [
        entry for column in columns for entry in _warnings(frame[column.name], column, column.name == contract.target)
    ]
    return {"name": contract.project, "expectations": entries + warnings[: max(0, MOST_EXPECTATIONS - len(entries))]}


def without_columns(suite: Suite, names: Collection[str]) -> Suite:
    """Return a suite without its expectations on some columns."""

    def columns_of(kwargs: Mapping[str, Any]) -> set[Any]:
        return {*(kwargs.get(key) for key in ("column", "column_A", "column_B")), *kwargs.get("column_list", ())}

    kept = [entry for entry in suite["expectations"] if columns_of(entry.get("kwargs", {})).isdisjoint(names)]
    return {**suite, "expectations": kept}


def rule_of(entry: Mapping[str, Any]) -> str:
    """Return what an expectation demands, in words."""
    said = (entry.get("meta") or {}).get("rule")
    if said:
        return str(said)
    kwargs = {name: value for name, value in entry.get("kwargs", {}).items() if name not in {"column", "batch_id"}}
    what = str(entry["type"]).removeprefix("expect_").replace("_", " ")
    settings = ", ".join(f"{name} {value}" for name, value in kwargs.items())
    return f"{entry.get('kwargs', {}).get('column', 'table')!r}: {what}{f' ({settings})' if settings else ''}"


def _critical(column: ContractColumn, contract: Contract, sign: int) -> list[Suite]:
    entries = []
    name = column.name
    if column.required:
        entries.append(_entry("not_be_null", name, f"{name!r} must have a value", critical=True))
    if column.unique:
        entries.append(_entry("be_unique", name, f"{name!r} must be unique", critical=True))
    if name == contract.target and contract.target_values:
        values = [_typed(value, column) for value in contract.target_values]
        rule = f"{name!r} must be one of {', '.join(contract.target_values[:10])}"
        entries.append(_entry("be_in_set", name, rule, critical=True, value_set=values))
    elif sign:
        limit = {"min_value": 0} if sign > 0 else {"max_value": 0}
        rule = f"{name!r} must be at {'least' if sign > 0 else 'most'} 0"
        entries.append(_entry("be_between", name, rule, critical=True, **limit))
    return entries


def _warnings(values: pd.Series, column: ContractColumn, is_target: bool) -> list[Suite]:
    entries = []
    name, kind = column.name, canonical_type(values)
    missing = float(values.isna().mean())
    if missing and not column.required:
        most = round(max(0.0, 1 - missing - SPARE_SHARE), 3)
        rule = f"{name!r} should have a value in {most:.0%} of the rows"
        entries.append(_entry("not_be_null", name, rule, mostly=most))
    if column.unique or is_target or missing == 1:
        return entries
    if kind == "number" and values.nunique() > 2:  # noqa: PLR2004  a flag has no range worth a word
        low, high = float(values.min()), float(values.max())
        rule = f"{name!r} should be between {low:g} and {high:g} in {IN_RANGE:.0%} of the rows"
        entries.append(_entry("be_between", name, rule, min_value=low, max_value=high, mostly=IN_RANGE))
    if kind == "string" and values.nunique() <= MOST_LEVELS:
        levels = sorted(str(level) for level in values.dropna().unique())
        rule = f"{name!r} should be one of its {len(levels)} known levels in {IN_RANGE:.0%} of the rows"
        entries.append(_entry("be_in_set", name, rule, value_set=levels, mostly=IN_RANGE))
    return entries


def _entry(what: str, column: str, rule: str, *, critical: bool = False, **settings: Any) -> Suite:
    return {
        "type": f"expect_column_values_to_{what}",
        "kwargs": {"column": column, **settings},
        "meta": {"rule": rule},
        "severity": "critical" if critical else "warning",
    }


def _typed(value: str, column: ContractColumn) -> str | float | bool:
    if column.type == "boolean":
        return value == "true"
    return float(value) if column.type == "number" else value


def shown_values(values: pd.Series) -> pd.Series:
    """Return a column as text for people, missing values as `nothing`."""
    return as_text(values).fillna("nothing")
