"""Hold a table against its expectations, and set failing rows aside; alone imports Great Expectations."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from penstock.data.checks import expectations
from penstock.data.checks import quarantine as quarantines
from penstock.data.checks.deciding import Outcome, decide
from penstock.data.checks.expectations import Suite, draft_suite, find_suite, rule_of, suite_path, write_suite
from penstock.data.checks.failing_rows import Checked, excuse, excuse_answers, quiet, result_of, row_faults, type_result
from penstock.data.checks.findings import check_first_file
from penstock.data.checks.first_file import signs
from penstock.data.checks.masking import masked
from penstock.data.checks.page import write_page
from penstock.data.checks.quarantine import Content
from penstock.data.contract import compare, draft_contract, given_up
from penstock.data.contract_file import contract_path, find_contract, write_contract
from penstock.data.ingestion import find_reading, keep_table, source_of, unreadable_values
from penstock.data.joining import find_journalled, keep_accepted
from penstock.data.types import conforming
from penstock.domain.datasets import (
    Contract,
    ContractChange,
    DatasetVersion,
    ExpectationResult,
    Finding,
    Level,
    ValidationReport,
)
from penstock.domain.events import DATA_BLOCKED, Notice
from penstock.domain.workspace import Workspace
from penstock.errors import Refused, SpecError
from penstock.spec import ProjectSpec
from penstock.spec_faults import nearest
from penstock.store import artifacts, records
from penstock.store.database import connect
from penstock.store.frames import load_table
from penstock.store.outbox import post

KIND = "validation"
LEVELS: dict[str, Level] = {"critical": "critical", "warning": "warning", "info": "note"}


def validate(dataset: DatasetVersion, spec: ProjectSpec, quarantine: bool, workspace: Workspace) -> ValidationReport:
    """Hold a dataset version against the project's contract and suite, and set failing rows aside.

    Parameters
    ----------
    dataset
        The version that was ingested.
    spec
        The project; `validation.quarantine` is the share of failing rows above which the table is blocked. Where no
        contract or suite lies beside its file, they are drafted, and written once the table is accepted.
    quarantine
        Go on without the failing rows, however many; what a person accepts so stays accepted, for faults of the same
        kind in the same source.
    workspace
        Where the accepted version, the rows set aside and the page are kept.

    Returns
    -------
    ValidationReport
        With the accepted dataset version; where the table is blocked, `accepted` is the version as ingested.

    Raises
    ------
    SpecError
        If the contract or the suite says something it must not.
    """
    frame = load_table(dataset.digest, workspace)
    contract = find_contract(spec)
    if contract is not None and (change := compare(frame, contract, spec, workspace)).verdict == "block":
        return _saved(_refused_by_contract(frame, dataset, contract, change), frame, workspace)
    findings = _findings(frame, dataset, contract, spec, workspace)
    contract = contract or draft_contract(frame, spec)
    outcome = _hold(frame, dataset, contract, spec, workspace)
    reasons, blocked = decide(outcome, source_of(spec.source), spec, quarantine, workspace)
    accepted = dataset if blocked else _accepted(outcome, dataset, spec, workspace)
    if not blocked:
        _write_drafts(accepted, contract, spec, workspace)
    report = ValidationReport(
        spec.name,
        dataset.digest,
        accepted,
        outcome.results,
        findings,
        len(outcome.faults),
        quarantines.keep(frame, outcome.content, outcome.faults, dataset, workspace),
        blocked,
        reasons,
    )
    return _saved(report, frame, workspace)


def admit(change: ContractChange, report: ValidationReport) -> None:
    """Stop a table that the contract or its expectations do not let in.

    Parameters
    ----------
    change
        How the table's columns differ from the contract.
    report
        How its rows did.

    Raises
    ------
    Refused
        With the rules, and the rows that break them.
    """
    if change.verdict != "block" and not report.blocked:
        return
    reasons = report.reasons if report.blocked else change.reasons
    details = [
        {"rule": result.rule, "column": result.column, "rows": result.failing, "examples": list(result.examples)}
        for result in report.results
        if not result.held and result.level == "critical"
    ]
    raise Refused(f"The contract of {report.project!r} stops this table: {' '.join(reasons)}", details)


def _findings(
    frame: pd.DataFrame, dataset: DatasetVersion, contract: Contract | None, spec: ProjectSpec, workspace: Workspace
) -> tuple[Finding, ...]:
    """Return what was seen in a table, on a first file with what needs no history; told without sensitive values."""
    found = find_reading(dataset, workspace).findings
    if contract is None:
        found += check_first_file(frame, spec, np.datetime64(workspace.now().replace(tzinfo=None), "us"))
    return masked(found, contract, spec)


def _hold(
    frame: pd.DataFrame, dataset: DatasetVersion, contract: Contract, spec: ProjectSpec, workspace: Workspace
) -> Outcome:
    table, bad_cells = conforming.conform(frame, contract)
    unreadable = unreadable_values(find_reading(dataset, workspace), workspace)
    _add_unreadable(bad_cells, unreadable, contract)
    suite = find_suite(spec) or _draft(table, contract, spec)
    suite = expectations.without_columns(suite, given_up(table, contract, spec))
    answers = range(len(table) - find_journalled(dataset, workspace).rows, len(table))
    checked = [
        excuse_answers(excuse(quiet(one, contract), bad_cells), answers, contract)
        for one in run_suite(table, suite, suite_path(spec).name)
    ]
    faults = row_faults(table, checked, bad_cells, contract)
    content = Content(conforming.rename(frame, contract), table, unreadable)
    faults = quarantines.without_readmitted(content, faults, dataset, workspace)
    results = [
        *(type_result(frame, name, list(rows), contract) for name, rows in bad_cells.items()),
        *(result_of(table, one, contract) for one in checked),
    ]
    troubles = [one.trouble for one in checked if one.trouble and one.level == "critical"]
    return Outcome(frame, content, faults, tuple(results), tuple(bad_cells), tuple(troubles))


def _draft(table: pd.DataFrame, contract: Contract, spec: ProjectSpec) -> Suite:
    return draft_suite(table, contract, signs(table, spec, first=not contract_path(spec).exists()))


def run_suite(table: pd.DataFrame, suite: Suite, name: str) -> list[Checked]:
    """Hold a table with a RangeIndex against a suite.

    Raises
    ------
    SpecError
        If Great Expectations does not know an expectation, or the settings given to it.
    """
    import great_expectations as gx
    from great_expectations.exceptions.exceptions import GreatExpectationsError
    from great_expectations.expectations.registry import list_registered_expectation_implementations

    context = gx.get_context(mode="ephemeral")
    quiet: Any = {"globally": False}
    context.variables.progress_bars = quiet
    logging.getLogger("great_expectations").setLevel(logging.CRITICAL)  # what it logs, it raises as well
    source = context.data_sources.add_pandas("memory")
    batch = source.add_dataframe_asset("table").add_batch_definition_whole_dataframe("all")
    entries = [_known(entry, list_registered_expectation_implementations(), name) for entry in suite["expectations"]]
    try:
        built = context.suites.add(gx.ExpectationSuite(name=suite.get("name", "suite"), expectations=entries))
        definition = context.validation_definitions.add(gx.ValidationDefinition(name="table", data=batch, suite=built))
        found = definition.run(
            batch_parameters={"dataframe": table},
            result_format={"result_format": "COMPLETE", "return_unexpected_index_query": False},
        )
    except (GreatExpectationsError, ValueError, TypeError) as error:
        said = " ".join(str(error).split())
        raise SpecError(f"Every expectation of {name!r} must have the settings of its type, but: {said}.") from error
    return [_checked(result.to_json_dict()) for result in found.results]


def _known(entry: Mapping[str, Any], types: Sequence[str], name: str) -> Any:
    """Return an expectation that Great Expectations knows; one that it does not know it would leave out."""
    if entry["type"] not in types:
        close = nearest(str(entry["type"]), types)
        hint = f" Did you mean {close!r}?" if close else ""
        raise SpecError(
            f"Every expectation of {name!r} must be one of Great Expectations, but {entry['type']!r} is not.{hint}"
        )
    severity = entry.get("severity", "critical")
    if severity not in LEVELS:
        raise SpecError(f"A severity of {name!r} must be one of {', '.join(LEVELS)}, but is {severity!r}.")
    return entry


def _checked(result: Mapping[str, Any]) -> Checked:
    entry, figures = result["expectation_config"], result.get("result") or {}
    level = LEVELS[entry.get("severity", "critical")]
    held = bool(result["success"])
    rows = () if held else tuple(figures.get("unexpected_index_list") or ())
    trouble = "" if held or rows else _trouble(entry, figures, result.get("exception_info") or {})
    detail = f"{len(rows) / figures['element_count']:.1%} of the rows" if rows else trouble
    return Checked(entry, level, held, rows, len(rows) or int(figures.get("unexpected_count") or 0), detail, trouble)


def _trouble(entry: Mapping[str, Any], figures: Mapping[str, Any], exception: Mapping[str, Any]) -> str:
    """Return why an expectation failed without naming rows: it is about the whole table, or could not be held."""
    infos = [exception, *(info for info in exception.values() if isinstance(info, Mapping))]
    said = next((str(info["exception_message"]) for info in infos if info.get("exception_message")), "")
    if said:
        return f"The expectation {rule_of(entry)} could not be held: {said.splitlines()[0]}."
    return f"The expectation {rule_of(entry)} does not hold: observed {figures.get('observed_value')!r}."


def _add_unreadable(bad_cells: dict[str, conforming.RowFaults], unreadable: pd.DataFrame, contract: Contract) -> None:
    """Add the cells that ingestion could not read in their column's type, and left missing."""
    for row, name, text in unreadable.itertuples(index=False):
        column = contract.column(str(name))
        if column is not None:
            bad_cells.setdefault(column.name, {})[int(row)] = [conforming.fault_of(text, column)]


def _accepted(outcome: Outcome, dataset: DatasetVersion, spec: ProjectSpec, workspace: Workspace) -> DatasetVersion:
    """Return the version without failing rows, in the contract's types: the ingested one if it is that."""
    table = outcome.content.table
    if not outcome.faults and table.dtypes.equals(outcome.frame.dtypes):
        return dataset
    kept = ~table.index.isin(list(outcome.faults))
    good = conforming.settle(table[kept].reset_index(drop=True), outcome.mended)
    accepted = keep_table(good, spec.name, dataset.source, workspace)
    keep_accepted(dataset, accepted, kept, workspace)
    return accepted


def _write_drafts(accepted: DatasetVersion, contract: Contract, spec: ProjectSpec, workspace: Workspace) -> None:
    """Write contract and suite beside the project file where they are not there yet."""
    if contract_path(spec).exists() and suite_path(spec).exists():
        return
    table = load_table(accepted.digest, workspace)
    if not suite_path(spec).exists():
        write_suite(_draft(table, contract, spec), spec)
    if not contract_path(spec).exists():
        write_contract(contract, accepted, spec)


def _refused_by_contract(
    frame: pd.DataFrame, dataset: DatasetVersion, contract: Contract, change: ContractChange
) -> ValidationReport:
    renamed = conforming.rename(frame, contract)
    gone = (
        ExpectationResult(f"{name!r} must be a column", name, "critical", False, len(frame), (), "it is not there")
        for name in change.removed
    )
    retyped = (_retyped_result(renamed, name, contract) for name, _, _ in change.retyped)
    results = (*gone, *retyped)
    return ValidationReport(dataset.project, dataset.digest, dataset, results, (), 0, None, True, change.reasons)


def _retyped_result(frame: pd.DataFrame, name: str, contract: Contract) -> ExpectationResult:
    column = contract.column(name)
    _, bad = conforming.coerce(frame[name], column.type if column else "string")
    rows = (bad if bad.any() else frame[name].notna().to_numpy()).nonzero()[0]
    return type_result(frame, name, [int(row) for row in rows], contract)


def _saved(report: ValidationReport, frame: pd.DataFrame, workspace: Workspace) -> ValidationReport:
    page = artifacts.put_bytes(write_page(report, len(frame)).encode(), workspace)
    report = replace(report, page=page)
    with connect(workspace).begin() as connection:
        records.put_record(connection, KIND, report.dataset, report.project, report)
        if report.blocked:
            post(connection, _notice(report, len(frame), workspace))
    return report


def _notice(report: ValidationReport, rows: int, workspace: Workspace) -> Notice:
    told = {
        "dataset": report.dataset,
        "rows": rows,
        "failing": report.quarantined,
        "reasons": list(report.reasons),
        "page": str(artifacts.local_path(report.page, workspace)) if report.page else None,
    }
    return Notice(f"blocked:{report.project}:{report.dataset[:32]}", DATA_BLOCKED, report.project, told)
