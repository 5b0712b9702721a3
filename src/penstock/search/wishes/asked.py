"""What a project file asks of a search: its objective, its families, and what they may vary."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from penstock.domain.datasets import Problem
from penstock.domain.search import Budget, OwnSource, SearchSettings, Value
from penstock.errors import NotFound
from penstock.evaluation import metrics
from penstock.evaluation.costs import cost_matrix
from penstock.models._base import ModelFamily
from penstock.plugins import find_plugins
from penstock.search.wishes.own import OwnFamily
from penstock.search.wishes.spaces import SOME_FEATURES, SOME_ROWS, Shaped, check, raise_faults

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
        sampler=spec.search.sampler,
        deterministic=spec.search.deterministic,
        own=own_of(spec),
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
    return cost_matrix(spec.costs, tuple(str(name) for name in classes))


def families_of(spec: "ProjectSpec") -> dict[str, ModelFamily]:
    """Return the families to search, the user's own and the baseline always among them.

    Raises
    ------
    NotFound
        If `families` names one that there is not, or a file that is not there.
    ModelError
        If a file of the user's own cannot be run, or makes no estimator.
    """
    plugins = find_plugins("penstock.models", ModelFamily)
    own = {source.name: source for source in own_of(spec)}
    known = [*plugins, *own]
    include, exclude = spec.families.include, set(spec.families.exclude)
    wanted = set(known) if include == "all" else {*include, *own, "baseline"}
    unknown = (wanted | exclude | set(spec.families.spaces)) - set(known)
    if unknown:
        raise NotFound(f"No model family is named {sorted(unknown)[0]!r}. There are: {', '.join(known)}.")
    if both := sorted(set(plugins) & set(own)):
        raise NotFound(f"`families.own.{both[0]}` must have a name of its own, but there is a family of that name.")
    kept = wanted - exclude | {"baseline"}
    return {name: OwnFamily(own[name]) if name in own else plugins[name]() for name in known if name in kept}


def own_of(spec: "ProjectSpec") -> tuple[OwnSource, ...]:
    """Return where the user's own estimators are, with what is said of their spaces."""
    found = []
    for name, place in spec.families.own.items():
        file, attribute = place.rsplit(":", 1)
        said = tuple(sorted(spec.families.spaces.get(name, {}).items()))
        found.append(OwnSource(name, str((spec.folder / file).resolve()), attribute, said))
    return tuple(found)


def shaped_of(
    spec: "ProjectSpec", problem: Problem, former: dict[str, tuple[dict[str, Value], ...]]
) -> dict[str, ModelFamily]:
    """Return the families with what the project file says of their spaces, and what did best in former searches.

    Raises
    ------
    SpecError
        If what is said of a space does not fit its family; with every fault at once.
    """
    families = families_of(spec)
    faults = []
    for name, said in spec.families.spaces.items():
        if name in families and name not in spec.families.own and problem in families[name].problems:
            family, size = families[name], (problem, SOME_ROWS, SOME_FEATURES)
            faults += check(name, said, family.space(*size), family.default(*size))
    raise_faults(faults)
    for name, one in families.items():
        said, before = spec.families.spaces.get(name, {}), former.get(name, ())
        if not isinstance(one, OwnFamily) and (said or before):
            families[name] = Shaped(one, said, before)
    return families
