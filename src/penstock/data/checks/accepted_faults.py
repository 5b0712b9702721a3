"""Kinds of faults that a person accepted with `--quarantine`: rows that have them are set aside, and stop nothing.

Nobody is there to say so when a held challenger is judged again or a monitor's decision retrains.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from penstock.domain.datasets import ExpectationResult
from penstock.domain.workspace import Workspace
from penstock.store import records

KIND = "accepted_faults"
GROWTH = 2.0  # times the share of rows that was accepted; more is another fault than the one that a person saw


@dataclass(frozen=True, slots=True)
class AcceptedFaults:
    """The rules that a source's rows may break, each with the largest share of rows that a person let break it."""

    project: str
    source: str
    shares: dict[str, float]
    at: datetime

    def covers(self, result: ExpectationResult, rows: int) -> bool:
        """Return whether the rows of a table that break a rule are of a kind and a number that was accepted."""
        return result.failing <= GROWTH * self.shares.get(result.rule, 0.0) * rows


def find_accepted(project: str, source: str, workspace: Workspace) -> AcceptedFaults | None:
    """Return what a person has accepted of a source, None if nothing."""
    return records.find_record(KIND, _key(source), project, AcceptedFaults, workspace)


def accept(
    project: str, source: str, broken: Iterable[ExpectationResult], rows: int, workspace: Workspace
) -> AcceptedFaults:
    """Keep the rules that a table broke as accepted, beside what was accepted before.

    Parameters
    ----------
    project, source
        Whose table it is, and where it came from.
    broken
        The critical rules that did not hold.
    rows
        The number of its rows.
    workspace
        Where records are kept.
    """
    before = find_accepted(project, source, workspace)
    shares = dict(before.shares) if before else {}
    for result in broken:
        shares[result.rule] = max(result.failing / rows, shares.get(result.rule, 0.0))
    accepted = AcceptedFaults(project, source, shares, workspace.now())
    records.save_record(KIND, _key(source), project, accepted, workspace)
    return accepted


def _key(source: str) -> str:
    """Return a source's words as a key, which has at most 200 characters; a query has more."""
    return hashlib.sha256(source.encode()).hexdigest()
