"""What a version must have shown before any traffic may go to it."""

from typing import TYPE_CHECKING

import sqlalchemy as sa

from penstock.domain.evaluation import Decision
from penstock.domain.workspace import Workspace
from penstock.errors import Refused
from penstock.rollout import history
from penstock.store import records

if TYPE_CHECKING:  # pydantic is not needed to move traffic by hand
    from penstock.spec import RolloutSpec

CONFIRMED = 3  # proposals that people confirm before `until_trusted` acts by itself


def promoted(decision: Decision) -> str:
    """Return the version that a decision promotes.

    Raises
    ------
    Refused
        If it promotes none, or a gate does not hold.
    """
    if decision.verdict != "promote" or decision.version is None:
        raise Refused(f"A release needs a decision that promotes a version, but this one says {decision.verdict!r}.")
    broken = [gate.name for gate in decision.gates if not gate.held]
    if broken:
        raise Refused(f"Version {decision.version} must hold every gate, but does not hold: {', '.join(broken)}.")
    return decision.version


def judged(project: str, version: str, workspace: Workspace) -> Decision:
    """Return the newest decision on a version whose gates hold, whatever the judge said of it.

    Raises
    ------
    NotFound
        If the project has no such version.
    Refused
        If the version has no gates, or one does not hold.
    """
    records.find_version(project, version, workspace)
    decisions = records.list_records("decision", project, Decision, workspace)
    decision = next((each for each in reversed(decisions) if each.version == version), None)
    if decision is None:
        raise Refused(
            f"Version {version} of {project!r} must have passed its gates, but has none. Train it to its end."
        )
    broken = [gate for gate in decision.gates if not gate.held]
    if broken:
        said = "; ".join(f"{gate.name}: {gate.detail}" for gate in broken)
        raise Refused(f"Version {version} of {project!r} must hold every gate, but does not: {said}", details=[said])
    return decision


def refuse_taken_back(connection: sa.Connection, project: str, version: str) -> None:
    """Refuse a version that was rolled back, unless a person has released it since."""
    if history.was_taken_back(connection, project, version):
        raise Refused(
            f"Version {version} of {project!r} was rolled back, so only a person may release it again: "
            f"`penstock release {project} {version}`."
        )


def asks_approval(connection: sa.Connection, policy: "RolloutSpec", project: str) -> bool:
    """Return whether a person must agree before a version gets traffic."""
    if policy.approve == "until_trusted":
        return history.approvals(connection, project) < CONFIRMED
    return policy.approve
