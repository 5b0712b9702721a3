"""Findings of sensitive columns, told without their values."""

from dataclasses import replace

from penstock.domain.datasets import Contract, Finding
from penstock.spec import ProjectSpec


def masked(findings: tuple[Finding, ...], contract: Contract | None, spec: ProjectSpec) -> tuple[Finding, ...]:
    """Return findings as they may be shown: those of sensitive columns say no value, and give no figure."""
    sensitive = _sensitive(contract, spec)
    return tuple(_without_values(one) if one.masked and sensitive & set(one.columns) else one for one in findings)


def _sensitive(contract: Contract | None, spec: ProjectSpec) -> set[str]:
    """Return the names of sensitive columns, with those under which they came earlier."""
    columns = [one for one in (contract.columns if contract else ()) if one.sensitive]
    return {*spec.columns.sensitive, *(name for column in columns for name in (column.name, *column.renamed_from))}


def _without_values(finding: Finding) -> Finding:
    """Return a finding without values; its figures may be values as well."""
    return replace(finding, message=finding.masked, figures=(), masked="")
