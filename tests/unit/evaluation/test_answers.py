"""What a version's answers are called, and what its mistakes cost, whatever has changed since it was made."""

from typing import Any

import numpy as np
import pytest

from penstock.domain.features import Decoding
from penstock.domain.models import Signature
from penstock.evaluation.answers import Answers, choosing_of, ordered_classes, same_classes
from penstock.evaluation.cases import labels_of
from penstock.evaluation.metrics import chosen, find_metric
from penstock.spec import ProjectSpec, Source

ABC = ("a", "b", "c")
PRICES = ((0.0, 1.0, 1.0), (9.0, 0.0, 20.0), (1.0, 1.0, 0.0))


def signature(classes: tuple[str, ...], **learnt: Any) -> Signature:
    problem: Any = "binary" if len(classes) == 2 and "positive" in learnt else "multiclass"
    return Signature("p", problem, "y", Decoding(()), classes, **learnt)


def project(costs: dict[str, Any] | None = None) -> ProjectSpec:
    return ProjectSpec(name="p", source=Source(kind="csv_file", path="p.csv"), target="y", costs=costs)


def answers(made: Signature, true: list[str], said: list[list[float]], spec: ProjectSpec) -> Answers:
    """The answers of a version, whose probabilities are `said` in its signature's order."""
    classes, number = ordered_classes(made), np.arange(len(true))
    target = np.array([classes.index(name) if name in classes else -1 for name in true])
    matrix = np.array(said)[:, [made.classes.index(name) for name in classes]]
    digest = number.astype(np.uint64)
    return Answers(number, digest, digest, None, target, matrix, classes, choosing_of(spec, made))


def called(found: Answers) -> list[Any]:
    return [found.classes[code] for code in chosen(found.predictions, found.choosing)]


def scored(found: Answers, metric: str = "cost") -> float:
    return find_metric(metric).measure(found.target, found.predictions, found.choosing)


THREE = [[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8], [0.0, 0.2, 0.8]]


@pytest.mark.parametrize("costs", [(), PRICES])
def test_a_champion_is_judged_by_its_own_calls_when_the_challenger_lost_a_class(costs: Any) -> None:
    champion, challenger = signature(ABC, costs=costs), signature(("b", "c"))
    spec, true = project({"b": {"c": 20}}), ["a", "b", "c", "b"]
    theirs = answers(champion, true, THREE, spec)
    ours = answers(challenger, true, [[0.6, 0.4], [0.8, 0.2], [0.1, 0.9], [0.2, 0.8]], spec)
    served, alone = labels_of(np.array(THREE), champion), scored(theirs)
    mine, yours = same_classes(ours, theirs)
    assert mine.classes == yours.classes == ("b", "c", "a")
    assert called(yours) == called(theirs) == served
    assert called(mine) == called(ours)
    assert scored(yours) == pytest.approx(alone)
    assert scored(mine) == pytest.approx(-(1 + 0 + 0 + 20) / 4)


def test_a_champion_keeps_its_threshold_when_another_class_became_the_positive_one() -> None:
    said = [[0.75, 0.25], [0.4, 0.6], [0.9, 0.1], [0.8, 0.2]]
    champion = signature(("no", "yes"), positive=1, threshold=0.2)
    challenger = signature(("no", "yes"), positive=0, threshold=0.5)
    true, spec = ["no", "yes", "no", "no"], project({"false_negative": 3, "false_positive": 1})
    mine, yours = same_classes(answers(challenger, true, said, spec), answers(champion, true, said, spec))
    assert called(yours) == labels_of(np.array(said), champion) == ["yes", "yes", "no", "yes"]
    assert called(mine) == labels_of(np.array(said), challenger)
    assert scored(yours) == -6 / 4  # two rows of the class that is positive now are missed


def test_a_threshold_holds_beside_a_class_that_the_version_does_not_know() -> None:
    champion, challenger = (signature(("no", name), positive=1, threshold=0.2) for name in ("yes", "maybe"))
    said, spec = [[0.7, 0.3], [0.9, 0.1]], project({"false_negative": 5})
    ours, theirs = (answers(side, ["maybe", "yes"], said, spec) for side in (challenger, champion))
    mine, yours = same_classes(ours, theirs)
    assert called(yours) == ["yes", "no"]
    assert (scored(mine), scored(yours)) == (-0.5, -1.0)


def test_a_version_calls_by_the_costs_it_was_made_with_and_is_scored_by_the_project_s() -> None:
    champion, spec = signature(ABC, costs=((0, 1, 1), (1, 0, 1), (1, 1, 0))), project({"b": {"a": 5}})
    said = [[0.5, 0.4, 0.1], [0.6, 0.3, 0.1]]
    found = answers(champion, ["a", "b"], said, spec)
    assert called(found) == labels_of(np.array(said), champion) == ["a", "a"]
    assert scored(found) == -5 / 2
    assert called(answers(signature(ABC), ["a", "b"], said, spec)) == ["a", "a"]


def test_costs_of_a_class_that_a_version_does_not_know_are_left_out() -> None:
    spec = project({"d": {"a": 20}, "b": {"d": 9, "a": 4}})
    found = answers(signature(ABC), ["b", "a"], [[0.5, 0.4, 0.1], [0.6, 0.3, 0.1]], spec)
    assert scored(found) == -4 / 2
    assert scored(answers(signature(ABC), ["b"], THREE[:1], project({"false_negative": 7}))) == -1
