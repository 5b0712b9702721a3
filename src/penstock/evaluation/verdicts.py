"""The judge's decisions in the audit."""

import json

import sqlalchemy as sa

from penstock.domain.evaluation import Decision
from penstock.domain.workspace import Workspace
from penstock.store import records, tables
from penstock.store.database import connect
from penstock.store.ledger import Act, append_audit
from penstock.store.trainings import incident_of


def record_verdict(decision: Decision, link: str, workspace: Workspace) -> str | None:
    """Write the judge's decision into the audit, once for each look.

    Parameters
    ----------
    decision
        What the judge said of a version.
    link
        Where more is shown: the page of the flow run, empty if there is none.
    workspace
        Where the audit is.

    Returns
    -------
    str or None
        The id of the monitor's decision that asked for the training, None if a person did.

    Raises
    ------
    NotFound
        If the version is not kept.
    """
    incident = None
    if decision.version is not None:
        version = records.find_version(decision.project, decision.version, workspace)
        incident = incident_of(version.training, workspace)
    seen = decision.comparison
    after = {
        "decision": decision.id,
        "verdict": decision.verdict,
        "version": decision.version,
        "rows": seen.rows if seen else None,
        "look": seen.look if seen else None,
    }
    act = Act(
        actor="judge",
        action=f"judge.{decision.verdict}",
        project=decision.project,
        reason=" ".join(decision.reasons),
        after=after,
        before={"champion": decision.champion},
        incident=incident,
        link=link or None,
    )
    table = tables.audit
    same = sa.select(table.c.number).where(
        table.c.project == act.project, table.c.action == act.action, table.c.after == json.dumps(after, sort_keys=True)
    )
    with connect(workspace).begin() as connection:
        if connection.execute(same.limit(1)).scalar_one_or_none() is None:
            append_audit(connection, act)
    return incident
