"""The scale of a target: learnt, undone, and written into a graph."""

from dataclasses import replace

import numpy as np
import onnxruntime
import pytest

from penstock.graphs import GraphBuilder
from penstock.models._target import learn_scale, skewness


def prices(count: int = 500) -> np.ndarray:
    return np.random.default_rng(0).lognormal(10, 1, count)


def test_a_long_tail_is_fitted_as_a_logarithm_and_a_bell_is_not() -> None:
    assert learn_scale(prices()).logarithm
    assert not learn_scale(np.random.default_rng(0).normal(size=500)).logarithm
    assert not learn_scale(-prices()).logarithm
    assert not learn_scale(prices(), logarithm=False).logarithm


@pytest.mark.parametrize("logarithm", [True, False])
def test_undoing_the_scale_gives_the_target_back(logarithm: bool) -> None:
    y = prices()
    scale = learn_scale(y, logarithm)
    assert np.allclose(scale.invert(scale.apply(y)), y)


def test_answers_stay_within_what_was_seen() -> None:
    y = prices()
    values = learn_scale(y).invert(np.array([-1e9, 1e9]))
    assert values[0] == pytest.approx(y.min())
    assert values[1] == pytest.approx(y.max())


def test_smearing_brings_the_mean_answer_to_the_mean_target() -> None:
    random = np.random.default_rng(0)
    signal = random.normal(5, 1, 4000)
    y = np.exp(signal + random.normal(0, 0.4, 4000))
    scale = learn_scale(y, logarithm=True)
    guess = (signal - scale.centre) / scale.spread
    assert abs(scale.smear(guess, y).invert(guess).mean() / y.mean() - 1) < 0.02
    assert scale.invert(guess).mean() / y.mean() < 0.95


def test_a_target_that_does_not_vary_is_given_back() -> None:
    scale = learn_scale(np.full(10, 3.0))
    assert np.allclose(scale.invert(np.zeros(4)), 3.0)
    assert skewness(np.full(10, 3.0)) == 0.0


@pytest.mark.parametrize("logarithm", [True, False])
@pytest.mark.parametrize(("base", "factor"), [(0.0, 1.05), (1e12, 1.0 + 1e-9)])
def test_the_graph_undoes_it_alike_even_where_values_are_small_or_far(
    logarithm: bool, base: float, factor: float
) -> None:
    y = np.append(prices(), [0.0, 0.001, 1e7]) + base
    scale = replace(learn_scale(y, logarithm), factor=factor if logarithm else 1.0)
    scaled = scale.apply(y).astype(np.float32)[:, None]
    graph = GraphBuilder()
    values = scale.write(graph, graph.cast("raw", "double"))
    model = graph.finish({"raw": 1}, values, "scores", 1, double=True)
    said = onnxruntime.InferenceSession(model).run(["scores"], {"raw": scaled})[0][:, 0]
    expected = scale.invert(scaled[:, 0])
    assert np.all(np.abs(said - expected) <= 1e-13 * np.abs(expected) + 1e-9)
