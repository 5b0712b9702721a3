"""Which families a search begins with, and why others are left out before anything is asked of them."""

from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from penstock.data.decoding import compile_decoding
from penstock.domain.datasets import Problem
from penstock.domain.features import ColumnPlan, FeaturePlan
from penstock.domain.search import SearchSpace, Value
from penstock.models.linear import Linear
from penstock.search import campaign
from penstock.search.encoding import Encoding, TrainingRows, folds_folder
from penstock.search.machine.memory import Memory
from penstock.search.order.schedule import Schedule
from penstock.search.phases.opening import schedule_of, setting_of
from penstock.search.work import Work
from tests.unit.search.conftest import FOLDS, make_rows, make_work


class Ruler(Linear):
    """Knows values alone, and raises when it is asked for anything else."""

    name = "ruler"
    problems: ClassVar[frozenset[Problem]] = frozenset({"regression"})

    def default(self, problem: Problem, rows: int, features: int) -> dict[str, Value]:
        return {"regression": Linear.default(self, problem, rows, features)}[problem]

    def space(self, problem: Problem, rows: int, features: int) -> SearchSpace:
        return {"regression": Linear.space(self, problem, rows, features)}[problem]

    def portfolio(self, problem: Problem, rows: int, features: int) -> tuple[dict[str, Value], ...]:
        return {"regression": Linear.portfolio(self, problem, rows, features)}[problem]


def opened(work: Work) -> Schedule:
    encoding = Encoding(work.rows, ("dense", "tree"), folds_folder(work.folder), 7)
    encoding.start()
    encoding.known.wait()
    encoding.stop()
    encoding.check()
    return schedule_of(work, setting_of(work, encoding), [], Memory())


def rare_levels(rows: int = 200) -> TrainingRows:
    """Return a table of one column of 40 levels, each in five rows, so that none is frequent enough."""
    towns = np.array([f"town {place % 40}" for place in range(rows)])
    plan = FeaturePlan(
        "toy", "d", "p", (ColumnPlan("town", "string", "category", "", levels=tuple(sorted(set(towns)))),)
    )
    numbers, texts = compile_decoding(plan.decoding).columns({"town": towns})
    return replace(make_rows(rows=rows), numbers=numbers, texts=texts, plan=plan)


def reasons(listed: tuple[Any, ...]) -> dict[str, str]:
    return {trial.family: trial.reason for trial in listed if trial.state == "skipped"}


def test_a_family_made_for_another_problem_is_asked_for_nothing(tmp_path: Path) -> None:
    work = make_work(tmp_path, "linear")
    work = replace(work, families={**work.families, "ruler": Ruler()})
    schedule = opened(work)
    told = "it is made for regression, and the problem is binary"
    assert schedule.skips == {"ruler": told}
    assert "ruler" not in {*schedule.defaults, *schedule.spaces, *schedule.portfolios}
    assert reasons(schedule.listed([]))["ruler"] == told
    assert "ruler" in opened(replace(work, folder=tmp_path / "r", rows=make_rows(problem="regression"))).defaults


def test_where_no_level_is_frequent_enough_a_family_without_a_feature_is_left_out(tmp_path: Path) -> None:
    work = replace(make_work(tmp_path, "linear", "knn", "mlp", "forest"), rows=rare_levels())
    schedule = opened(work)
    assert schedule.shape.features["dense"] == 0
    assert set(schedule.skips) == {"linear", "knn", "mlp"}
    assert "no feature" in schedule.skips["linear"]


def test_a_search_whose_families_are_all_left_out_finds_the_baseline(tmp_path: Path) -> None:
    work = replace(make_work(tmp_path, "linear", seconds=20, trials=None), rows=rare_levels())
    assert work.rows.folds == FOLDS
    found = campaign.run(replace(work, families={**work.families, "ruler": Ruler()}))
    assert found.best.family == "baseline"
    assert set(reasons(found.trials)) == {"linear", "ruler"}
