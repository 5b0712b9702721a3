"""What a version must have shown before any traffic may go to it."""

from penstock.domain.evaluation import Decision
from penstock.domain.workspace import Workspace
from penstock.errors import Refused
from penstock.store import records


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
