"""The contract as a person reads and edits it, beside the project file."""

import json
import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap

from penstock.domain.datasets import ColumnType, Contract, ContractColumn, DatasetVersion
from penstock.errors import NotFound, SpecError
from penstock.spec import ProjectSpec
from penstock.spec_faults import Fault, error_of, field_faults, plain, read_yaml

HEADER = """\
# The columns that sources and clients of {project!r} keep to. Penstock drafted it from dataset version {number}
# ({rows:,} rows); it is yours to change, and the next run follows it.
#   type          number, boolean, string or date
#   required      every row has a value; a request without one is refused
#   unique        no value comes twice
#   sensitive     values are masked where failing rows are shown
#   allowed       false: the column is kept, and unused until you say true
#   renamed_from  [names] under which the column may come as well
"""
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_WORDS = {"true", "false", "null", "yes", "no", "on", "off", "y", "n"}


class _Column(BaseModel):
    model_config = ConfigDict(extra="forbid")
    type: ColumnType
    required: bool = False
    unique: bool = False
    sensitive: bool = False
    allowed: bool = True
    renamed_from: list[str] = []


class _ContractFile(BaseModel):
    model_config = ConfigDict(extra="forbid")
    project: str
    target: str
    target_values: list[str | bool | int | float] = Field(default=[])
    columns: dict[str, _Column]


def contract_path(spec: ProjectSpec) -> Path:
    """Return where a project's contract lies."""
    return spec.folder / f"{spec.name}.contract.yaml"


def find_contract(spec: ProjectSpec) -> Contract | None:
    """Return a project's contract, or None before its first accepted file.

    A column is sensitive if the contract or the project file says so.

    Raises
    ------
    SpecError
        With every fault of the file at once, each with its line.
    """
    path = contract_path(spec)
    if not path.exists():
        return None
    contract, marked = read_contract(path, spec.target), set(spec.columns.sensitive)
    columns = (
        replace(one, sensitive=True) if marked & {one.name, *one.renamed_from} else one for one in contract.columns
    )
    return replace(contract, columns=tuple(columns))


def load_contract(spec: ProjectSpec) -> Contract:
    """Return a project's contract.

    Raises
    ------
    NotFound
        If no file was accepted yet.
    SpecError
        With every fault of the file at once.
    """
    contract = find_contract(spec)
    if contract is None:
        raise NotFound(f"Project {spec.name!r} has no contract yet; its first accepted file drafts it.")
    return contract


def used_columns(names: Iterable[str], spec: ProjectSpec) -> list[str]:
    """Return those columns that the project's contract, or its file, allows; before there is a contract all."""
    contract = find_contract(spec)
    if contract is None:
        return list(names)
    allowed = {column.name for column in contract.columns if column.allowed} | set(spec.columns.allow)
    return [name for name in names if name in allowed]


def read_contract(path: Path, target: str) -> Contract:
    """Return the contract that a file holds, for a project's target."""
    tree = read_yaml(path, "contract")
    data = plain(tree)
    try:
        file = _ContractFile.model_validate(data)
    except ValidationError as error:
        raise error_of(path, field_faults(error, data, _ContractFile), tree, "contract") from error
    faults = []
    if file.target != target:
        hint = f"Delete {path.name} and the suite beside it to draft both anew."
        faults.append(Fault(("target",), f"be the target of the project file, {target!r}", repr(file.target), hint))
    if file.target not in file.columns:
        faults.append(Fault(("columns",), f"have the target, {file.target!r}"))
    if faults:
        raise error_of(path, faults, tree, "contract")
    columns = tuple(
        ContractColumn(name, one.type, one.required, one.unique, one.sensitive, one.allowed, tuple(one.renamed_from))
        for name, one in file.columns.items()
    )
    return Contract(file.project, file.target, columns, tuple(_word(value) for value in file.target_values))


def write_contract(contract: Contract, dataset: DatasetVersion, spec: ProjectSpec) -> None:
    """Write a drafted contract beside the project file."""
    lines = [
        HEADER.format(project=contract.project, number=dataset.number, rows=dataset.rows).rstrip(),
        f"project: {_scalar(contract.project)}",
        f"target: {_scalar(contract.target)}",
    ]
    if contract.target_values:
        target = contract.column(contract.target)
        values = ", ".join(_typed(value, target.type if target else "string") for value in contract.target_values)
        lines.append(f"target_values: [{values}]  # a row with another one is set aside")
    lines += ["columns:", *(f"  {_scalar(column.name)}: {_flow(column)}" for column in contract.columns)]
    _replace(contract_path(spec), "\n".join(lines) + "\n")


def add_columns(columns: tuple[ContractColumn, ...], dataset: DatasetVersion, spec: ProjectSpec) -> None:
    """Add new columns at the end of a contract's file; everything that a person wrote stays as it is.

    Raises
    ------
    SpecError
        If the file cannot be written.
    """
    path = contract_path(spec)
    yaml = YAML(typ="rt")
    yaml.width = 1000
    tree = yaml.load(path.read_text(encoding="utf-8"))
    for column in columns:
        entry = CommentedMap({"type": column.type, "required": column.required, "allowed": column.allowed})
        entry.fa.set_flow_style()
        tree["columns"][column.name] = entry
        tree["columns"].yaml_add_eol_comment(f"came with dataset version {dataset.number}", column.name)
    temporary = path.with_suffix(".part")
    with temporary.open("w", encoding="utf-8") as file:
        yaml.dump(tree, file)
    temporary.replace(path)


def _replace(path: Path, text: str) -> None:
    temporary = path.with_suffix(".part")
    try:
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        raise SpecError(f"The folder of {str(path)!r} must be writable, but: {error}.") from error


def _flow(column: ContractColumn) -> str:
    parts = [f"type: {column.type}", f"required: {str(column.required).lower()}"]
    parts += [f"{name}: true" for name in ("unique", "sensitive") if getattr(column, name)]
    parts += [] if column.allowed else ["allowed: false"]
    return "{" + ", ".join(parts) + "}"


def _scalar(text: str) -> str:
    return text if _PLAIN.fullmatch(text) and text.lower() not in _WORDS else json.dumps(text, ensure_ascii=False)


def _typed(value: str, kind: ColumnType) -> str:
    return json.dumps(value, ensure_ascii=False) if kind in {"string", "date"} else value


def _word(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
