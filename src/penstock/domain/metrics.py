"""The metrics' names, which problems each is for, and the usual one; `evaluation.metrics` says what they measure."""

from penstock.domain.datasets import Problem

CLASSIFIERS: frozenset[Problem] = frozenset({"binary", "multiclass"})
REGRESSIONS: frozenset[Problem] = frozenset({"regression"})

METRIC_PROBLEMS: dict[str, frozenset[Problem]] = {
    "roc_auc": CLASSIFIERS,
    "average_precision": CLASSIFIERS,
    "log_loss": CLASSIFIERS,
    "accuracy": CLASSIFIERS,
    "f1": CLASSIFIERS,
    "cost": CLASSIFIERS,
    "rmse": REGRESSIONS,
    "mae": REGRESSIONS,
    "r2": REGRESSIONS,
}
USUAL_METRICS: dict[Problem, str] = {"binary": "roc_auc", "multiclass": "log_loss", "regression": "rmse"}


def metrics_for(problem: Problem) -> list[str]:
    """Return the names of a problem's metrics, in order."""
    return sorted(name for name, problems in METRIC_PROBLEMS.items() if problem in problems)
