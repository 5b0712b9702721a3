"""The error of a mean where rows belong together, and where a class is rare."""

import numpy as np
import pytest
from numpy.typing import NDArray

from penstock.evaluation.intervals.comparing import compare
from penstock.evaluation.intervals.dependence import Dependence, standard_error
from penstock.evaluation.intervals.influence import estimate
from penstock.evaluation.intervals.spending import spend

ERROR = 0.05


def model(shared: NDArray[np.float64], random: np.random.Generator) -> NDArray[np.float64]:
    return 1 / (1 + np.exp(3 - shared - 0.6 * random.normal(size=shared.size)))


@pytest.mark.parametrize("hits", [1, 4, 8])
def test_an_equal_ranking_of_few_rows_of_a_class_is_rarely_promoted(hits: int) -> None:
    random = np.random.default_rng(21)
    target = (np.arange(400) < hits).astype(int)
    wrong = 0
    for _ in range(500):
        shared = 1.5 * target + 0.8 * random.normal(size=400)
        sides = [estimate("roc_auc", target, model(shared, random)) for _ in range(2)]
        wrong += compare(sides[0], sides[1], Dependence(400), spend(1, ERROR)).low > 0
    assert wrong / 500 <= 0.8 * ERROR


def test_noise_on_few_rows_of_a_class_rarely_beats_the_baseline() -> None:
    random = np.random.default_rng(22)
    target = (np.arange(400) < 5).astype(int)
    baseline = estimate("roc_auc", target, np.full(400, 0.01))
    noise = [estimate("roc_auc", target, random.random(400)) for _ in range(800)]
    assert np.mean([compare(baseline, one, Dependence(400), ERROR).low > 0 for one in noise]) <= 0.07


@pytest.mark.parametrize(("counts", "least"), [((200, 100, 40, 4, 3, 2), 0.35), ((200, 200, 1), 0.0)])
def test_rare_classes_among_several_neither_decide_nor_forbid(counts: tuple[int, ...], least: float) -> None:
    random = np.random.default_rng(23)
    target = np.repeat(np.arange(len(counts)), counts)
    truth = np.eye(len(counts))[target]
    equal = better = 0
    for _ in range(200):
        shared = 2 * truth + 0.8 * random.normal(size=truth.shape)
        champion, rival = (np.exp(shared + 0.6 * random.normal(size=truth.shape)) for _ in range(2))
        sides = [
            estimate("roc_auc", target, p / p.sum(axis=1, keepdims=True))
            for p in (champion, rival, rival * np.exp(0.4 * truth))
        ]
        equal += compare(sides[0], sides[1], Dependence(target.size), ERROR).low > 0
        better += compare(sides[0], sides[2], Dependence(target.size), ERROR).low > 0
    assert equal / 200 <= ERROR
    assert better / 200 >= least


def test_each_class_counts_with_its_own_rows() -> None:
    random = np.random.default_rng(24)
    target = (np.arange(300) < 4).astype(int)
    found = estimate("roc_auc", target, random.random(300))
    parts = [found.influence[target == kind] for kind in (0, 1)]
    delong = sum(part @ part / 300**2 * part.size / (part.size - 1) for part in parts)
    error, freedom = standard_error(found.influence, Dependence(300), found.classes)
    assert error == pytest.approx(np.sqrt(delong))
    assert freedom == 3


def test_rows_of_a_class_that_one_customer_has_are_one() -> None:
    random = np.random.default_rng(25)
    target = (np.arange(300) % 10 == 0).astype(int)
    found = estimate("roc_auc", target, random.random(300))
    customers = np.where(target == 1, np.arange(300) // 100, np.arange(300) // 3)
    alone = standard_error(found.influence, Dependence(300), found.classes)
    together = standard_error(found.influence, Dependence(300, customers), found.classes)
    assert (alone[1], together[1]) == (29, 2)


def test_one_cluster_shows_no_spread() -> None:
    one = np.zeros(50, dtype=np.int64)
    assert standard_error(np.linspace(-1, 1, 50), Dependence(50, one))[0] == np.inf
    assert standard_error(np.zeros(1), Dependence(1))[0] == np.inf
