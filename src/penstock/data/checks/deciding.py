"""Whether a table with failing rows goes on, and what is said of it."""

from dataclasses import dataclass

import pandas as pd

from penstock.data.checks.accepted_faults import accept, find_accepted
from penstock.data.checks.quarantine import Content
from penstock.domain.datasets import ExpectationResult
from penstock.domain.workspace import Workspace
from penstock.spec import ProjectSpec


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a table: as ingested, in the contract's types, failing rows, and what stops it as a whole.

    `mended` names the columns with cells of another type, which are missing in the contract's.
    """

    frame: pd.DataFrame
    content: Content
    faults: dict[int, list[str]]
    results: tuple[ExpectationResult, ...]
    mended: tuple[str, ...]
    troubles: tuple[str, ...]


def decide(
    outcome: Outcome, source: str, spec: ProjectSpec, quarantine: bool, workspace: Workspace
) -> tuple[tuple[str, ...], bool]:
    """Return what is said of a table of a source, and whether it is blocked; keep what a person accepts."""
    rows, failing = len(outcome.frame), len(outcome.faults)
    share, allowed = failing / rows, spec.validation.quarantine
    broken = [result for result in outcome.results if not result.held and result.level == "critical" and result.failing]
    rules = "; ".join(f"{result.rule} ({result.failing:,} rows)" for result in broken)
    known = find_accepted(spec.name, source, workspace)
    new = [result for result in broken if known is None or not known.covers(result, rows)]
    accepted = share > allowed and known is not None and sum(each.failing for each in new) <= allowed * rows
    stopped = failing == rows or (share > allowed and not quarantine and not accepted)
    reasons = list(outcome.troubles)
    if failing == rows:
        reasons.append(f"All {rows:,} rows fail: {rules}.")
    elif stopped:
        reasons.append(
            f"{failing:,} of {rows:,} rows ({share:.1%}) fail, more than the {allowed:.1%} that `validation.quarantine`"
            f" allows: {rules}. `--quarantine` goes on without them."
        )
    elif failing:
        earlier = f", as was accepted on {known.at:%Y-%m-%d}" if accepted and known is not None else ""
        reasons.append(f"{failing:,} of {rows:,} rows ({share:.1%}) are set aside{earlier}: {rules}.")
    blocked = bool(outcome.troubles) or stopped
    if quarantine and share > allowed and not blocked:
        accept(spec.name, source, broken, rows, workspace)
    return tuple(reasons), blocked
