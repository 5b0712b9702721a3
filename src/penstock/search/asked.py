"""What a project file asks of a search: its objective, its families, and what they may vary."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from penstock.domain.datasets import Problem
from penstock.domain.search import Budget, SearchSettings
from penstock.errors import NotFound
from penstock.evaluation import metrics
from penstock.models._base import ModelFamily
from penstock.plugins import find_plugins
from penstock.search.calibration import threshold

if TYPE_CHECKING:
    from penstock.spec import ProjectSpec

SIGNS = {"increasing": 1, "decreasing": -1}


def settings_of(problem: Problem, spec: "ProjectSpec") -> SearchSettings:
    """Return what a search is asked for."""
    budget, families, limits = spec.budget, spec.families, spec.limits
    return SearchSettings(
        metric=objective_of(problem, spec),
        budget=Budget(budget.seconds, budget.trials, budget.memory_gb, budget.gpus),
        include="all" if families.include == "all" else tuple(families.include),
        exclude=tuple(families.exclude),
        limits={name: float(value) for name, value in limits.model_dump().items() if value is not None},
        monotone=tuple((name, SIGNS[word]) for name, word in sorted(spec.columns.monotone.items())),
        seed=spec.seed,
    )


def objective_of(problem: Problem, spec: "ProjectSpec") -> str:
    """Return the metric that candidates are chosen by: the expected cost where `costs` are given.

    Raises
    ------
    NotFound
        If no metric has the name in the project file.
    ModelError
        If that metric does not fit the problem.
    """
    named = metrics.find_metric(spec.metric or metrics.default_metric(problem), problem).name
    return "cost" if spec.costs and problem != "regression" else named


def costs_of(spec: "ProjectSpec", classes: tuple[Any, ...]) -> NDArray[np.float64] | None:
    """Return the cost of a row of class i called j, shape (n_classes, n_classes), or None without costs."""
    return metrics.cost_matrix(spec.costs, tuple(str(name) for name in classes))


def threshold_of(
    spec: "ProjectSpec", classes: tuple[Any, ...], calibrated: NDArray[np.float64], target: NDArray[Any]
) -> float:
    """Return from which probability of the positive class on a row is called positive (binary)."""
    return threshold(objective_of("binary", spec), calibrated, target, costs_of(spec, classes))


def families_of(spec: "ProjectSpec") -> dict[str, ModelFamily]:
    """Return the families to search, the baseline always among them.

    Raises
    ------
    NotFound
        If `families` names one that there is not.
    """
    known = find_plugins("penstock.models", ModelFamily)
    include = spec.families.include
    wanted = set(known) if include == "all" else {*include, "baseline"}
    unknown = (wanted | set(spec.families.exclude)) - set(known)
    if unknown:
        raise NotFound(f"No model family is named {sorted(unknown)[0]!r}. There are: {', '.join(known)}.")
    kept = wanted - set(spec.families.exclude) | {"baseline"}
    return {name: family() for name, family in known.items() if name in kept}
