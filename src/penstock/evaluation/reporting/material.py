"""Everything that the report of a version shows, gathered from its training and its decision."""

from penstock.domain.evaluation import Decision
from penstock.domain.models import Package
from penstock.domain.outcomes import Trained
from penstock.evaluation.explanation import after_decision
from penstock.evaluation.report import ReportMaterial


def gather(trained: Trained, package: Package, decision: Decision, seconds: dict[str, float]) -> ReportMaterial:
    """Gather what the report shows.

    Parameters
    ----------
    trained, package, decision
        What the training made, its Bento, and what was decided.
    seconds
        Seconds by stage so far.

    Returns
    -------
    ReportMaterial
        With the explanation's first line compared with the champion, where there is one.
    """
    return ReportMaterial(
        training=trained.training.id,
        dataset=trained.report.accepted,
        split=trained.split,
        plan=trained.plan,
        result=trained.result,
        model=trained.model,
        bundle=trained.bundle,
        evaluation=trained.evaluation,
        explanation=after_decision(trained.explanation, decision),
        leaks=trained.leaks,
        validation=trained.report,
        gates=decision.gates,
        decision=decision,
        package=package,
        version=decision.version,
        seconds=tuple(seconds.items()),
    )
