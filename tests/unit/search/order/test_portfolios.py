"""What is tried after a default: what helped on the tables most like the one that is searched."""

import json
import math
from collections.abc import Sequence

import numpy as np
import pytest

from penstock.domain.features import FeaturePlan
from penstock.models._base import ModelFamily
from penstock.plugins import find_plugins
from penstock.search.encoding import TrainingRows
from penstock.search.order import portfolios
from penstock.search.order.portfolios import FACTS, FILE, Measured, facts_of, portfolio_of

NAN = math.nan
FAMILIES = {name: kind() for name, kind in find_plugins("penstock.models", ModelFamily).items()}


def measured(shares: list[list[float]]) -> Measured:
    facts = np.array([[0.0, 0.0], [0.0, 0.1], [10.0, 10.0]])
    return Measured(tuple({"leaves": place} for place in range(len(shares[0]) - 1)), facts, np.array(shares))


def rows(target: Sequence[float], classes: int) -> TrainingRows:
    count = len(target)
    numbers = np.full((count, 3), 1.0, np.float32)
    numbers[: count // 2, 0] = NAN
    return TrainingRows(
        numbers=numbers,
        texts=np.full((count, 1), "a", object),
        target=np.array(target, np.int64 if classes else np.float64),
        fold=np.zeros(count, np.int8),
        group=np.zeros(count, np.uint64),
        plan=FeaturePlan("p", "d", "x", ()),
        problem="regression" if not classes else "binary" if classes == 2 else "multiclass",
        classes=classes,
        folds=5,
        time_ordered=False,
        name="rows",
    )


def test_what_adds_most_beside_the_default_comes_first_and_what_adds_nothing_never() -> None:
    known = measured([[0.5, 0.9, 0.85, 0.4], [0.5, 0.9, 0.88, 0.4], [0.5, 0.4, 0.9, 0.5]])
    assert known.best_first([0.0, 0.0], width=math.inf) == [1, 0]  # 0.88 in the mean of all, then what is left to gain


def test_tables_like_the_one_that_is_searched_have_more_to_say() -> None:
    known = measured([[0.5, 0.9, 0.5], [0.5, 0.9, 0.5], [0.5, 0.5, 1.0]])
    assert known.best_first([0.0, 0.0])[0] == 0
    assert known.best_first([10.0, 10.0])[0] == 1


def test_a_configuration_that_failed_somewhere_counts_nothing_there() -> None:
    known = measured([[0.5, NAN, 0.6], [0.5, NAN, 0.6], [NAN, 0.9, 0.6]])
    assert known.best_first([0.0, 0.0], most=1) == [1]


def test_facts_tell_size_texts_gaps_and_an_uneven_target() -> None:
    even, rare = facts_of(rows([0, 1] * 500, 2)), facts_of(rows([0] * 990 + [1] * 10, 2))
    assert len(even) == len(FACTS)
    assert even == pytest.approx((3.0, math.log10(4), 0.25, 1 / 6, math.log10(2), 0.0))
    assert rare[-1] > 0.9
    assert facts_of(rows(list(np.arange(1000.0)), 0))[-1] == pytest.approx(0.0, abs=0.01)
    assert facts_of(rows(list(np.exp(np.arange(1000.0) / 100)), 0))[-1] > 0.5


def test_an_unmeasured_family_keeps_its_own_portfolio() -> None:
    assert portfolio_of("baseline", rows([0, 1] * 500, 2)) is None


@pytest.mark.parametrize("classes", [2, 3, 0])
def test_what_is_shipped_can_be_built_by_its_families_and_differs_from_their_defaults(classes: int) -> None:
    target = [float(place % max(classes, 7)) for place in range(1400)]
    some = rows([value % classes for value in target] if classes else target, classes)
    kept = json.loads(FILE.read_text())
    assert set(kept["configurations"]) <= set(FAMILIES)
    for name in kept["configurations"]:
        found = portfolio_of(name, some) or ()
        default = FAMILIES[name].default(some.problem, 1400, 4)
        assert len(found) <= portfolios.MOST
        for one in found:
            assert set(one) <= set(default), (name, one)
            assert one != default


def test_what_is_shipped_names_its_tables_and_none_that_is_reported() -> None:
    kept = json.loads(FILE.read_text())
    names = {table["name"].lower() for table in kept["tables"]}
    assert len(names) > 30
    reported = ("letter", "bike", "adult", "census", "telco", "ames", "housing", "elec2", "default", "spam_sms", "taxi")
    assert not [name for name in names for word in reported if word in name]
    assert all(len(table["facts"]) == len(FACTS) and table["package"] for table in kept["tables"])
