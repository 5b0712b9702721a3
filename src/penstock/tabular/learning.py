"""Search and fit on a table in memory: the same search as a project's, in a folder that ends with it."""

import hashlib
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from penstock.data.decoding import compile_decoding
from penstock.data.profiling import profile_table
from penstock.domain.datasets import Problem
from penstock.domain.features import FeaturePlan
from penstock.domain.models import Signature, Target
from penstock.domain.search import SearchSettings
from penstock.errors import DataError, NotFound
from penstock.evaluation.costs import cost_matrix
from penstock.features.planning import PlanFacts, plan_features
from penstock.models._base import ModelFamily
from penstock.plugins import find_plugins
from penstock.search import campaign
from penstock.search.arranging import Given, arrange
from penstock.search.encoding import TrainingRows
from penstock.search.fitting import TrainedModel
from penstock.search.model.finishing import Aim, finish
from penstock.search.model.recipe import Recipe
from penstock.search.stopping import stop_on_interrupt
from penstock.search.work import Found, Hooks
from penstock.store.workspace import visible_gpus
from penstock.tabular.folds import Folds, deal

NAME = "estimators"  # what records call the project of a table that has none
TARGET = "target"
FINISH_SECONDS = 2.5e-6  # for each row and class: what calibration takes after the search


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """Features in canonical types, and what is known of each row.

    `target` are class codes or values, shape (n_rows,); `classes` the classes in the codes' order, none for a
    regression; `group_column` and `time_column` name what `groups` and `times` are, if that is a column.
    """

    frame: pd.DataFrame
    target: NDArray[Any]
    problem: Problem
    classes: tuple[Target, ...] = ()
    groups: pd.Series | None = None
    times: pd.Series | None = None
    group_column: str | None = None
    time_column: str | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is searched for: settings, the families by name (None: all), slots at most, and costs by class."""

    settings: SearchSettings
    families: tuple[str, ...] | None = None
    slots: int | None = None
    costs: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Learnt:
    """What came of it: the model, what the search tells, and the plan of each column."""

    model: TrainedModel
    found: Found
    plan: FeaturePlan


def learn(table: Table, wanted: Wanted, hooks: Hooks) -> Learnt:
    """Search within the budget on every row, and return the best as a model.

    Parameters
    ----------
    table
        Every row is searched on; what a trial scores is predicted by models that have not seen it.
    wanted
        Metric, budget, families, limits, seed.
    hooks
        What to call meanwhile.

    Returns
    -------
    Learnt
        The model, fitted on all rows or the bag of its fold models.

    Raises
    ------
    DataError
        If there is too little to learn from.
    ModelError
        If no trial finished within the budget.
    NotFound
        If a family or a metric is named that there is not.
    """
    began = time.monotonic()
    settings = wanted.settings
    costs = cost_matrix(wanted.costs, tuple(str(name) for name in table.classes))
    families = choose_families(wanted.families)
    rows = make_rows(table, settings.seed)
    given = Given(costs, visible_gpus=visible_gpus(), most_slots=wanted.slots, alone=False)
    with tempfile.TemporaryDirectory(prefix="penstock-search-") as folder:
        left = _left(settings, time.monotonic() - began, rows)
        work = arrange(rows, families, left, Path(folder), given)
        with stop_on_interrupt(lambda: None) as stop:
            found = campaign.run(work, replace(hooks, stopped=stop.asked))
        blend = Recipe.read(found.model).prepare(families)
        raw: NDArray[np.float64] = np.load(found.out_of_fold, allow_pickle=False)
    model, _ = finish(blend, raw, rows, describe(table, rows.plan), Aim(settings.metric, costs))
    return Learnt(model, found, rows.plan)


def _left(settings: SearchSettings, spent: float, rows: TrainingRows) -> SearchSettings:
    """Return settings whose budget is what is left of it for the search, at least half."""
    finish = FINISH_SECONDS * len(rows.target) * max(1, rows.classes)
    seconds = settings.budget.seconds
    return replace(settings, budget=replace(settings.budget, seconds=max(seconds / 2, seconds - spent - finish)))


def choose_families(names: tuple[str, ...] | None) -> dict[str, ModelFamily]:
    """Return families by name (None: all that there are), the baseline always among them.

    Raises
    ------
    NotFound
        If there is none of a name.
    """
    known = find_plugins("penstock.models", ModelFamily)
    wanted = set(known) if names is None else {*names, "baseline"}
    unknown = sorted(wanted - set(known))
    if unknown:
        raise NotFound(f"No model family is named {unknown[0]!r}. There are: {', '.join(known)}.")
    return {name: family() for name, family in known.items() if name in wanted}


def make_rows(table: Table, seed: int) -> TrainingRows:
    """Return a table as a search takes it: planned, decoded, with a fold for each row.

    Raises
    ------
    DataError
        If no column is left to learn from, or there are too few rows.
    """
    codes = np.zeros(len(table.target), np.int64) if table.problem == "regression" else table.target
    folds = deal(table.frame, codes, table.groups, table.times, seed)
    plan = plan_table(table)
    numbers, texts = decode(table.frame, plan)
    return TrainingRows(
        numbers=numbers[folds.order],
        texts=texts[folds.order],
        target=table.target[folds.order],
        fold=folds.fold,
        group=folds.group,
        plan=plan,
        problem=table.problem,
        classes=len(table.classes),
        folds=folds.count,
        time_ordered=folds.time_ordered,
        name=_name(folds, numbers, plan, seed),
    )


def plan_table(table: Table) -> FeaturePlan:
    """Decide what is done to each column.

    A column that names rows is left out, unless no other is left: nobody said that it does.

    Raises
    ------
    DataError
        If no column has two values.
    """
    group = (table.group_column,) if table.group_column else ()
    facts = PlanFacts(target=_target_name(table), problem=table.problem, time=table.time_column, group=group)
    profiles = profile_table(table.frame)
    try:
        columns = plan_features(table.frame, profiles, facts)
    except DataError:
        everything = tuple(str(name) for name in table.frame)
        columns = plan_features(table.frame, profiles, replace(facts, allowed=everything))
    return FeaturePlan(NAME, NAME, hashlib.sha256(repr(columns).encode()).hexdigest(), columns)


def decode(table: Mapping[str, Any] | pd.DataFrame, plan: FeaturePlan) -> tuple[NDArray[np.float32], NDArray[Any]]:
    """Return the arrays that a model takes: `numbers` and `texts`, a row each."""
    used = [column.name for column in plan.used]
    return compile_decoding(plan.decoding).columns({name: table[name] for name in used})


def describe(table: Table, plan: FeaturePlan) -> Signature:
    """Return what a model of a table takes and gives, without what is learnt of its predictions."""
    name = _target_name(table)
    return Signature(project=NAME, problem=table.problem, target=name, decoding=plan.decoding, classes=table.classes)


def _target_name(table: Table) -> str:
    """Return a name that no feature has: a plan leaves out the column that is named as the target."""
    name = TARGET
    while name in table.frame:
        name += "_"
    return name


def _name(folds: Folds, numbers: NDArray[np.float32], plan: FeaturePlan, seed: int) -> str:
    content = hashlib.sha256(np.ascontiguousarray(numbers).tobytes())
    content.update(folds.fold.tobytes() + plan.digest.encode() + str(seed).encode())
    return content.hexdigest()
