"""A linear model chooses how much it shrinks on rows that it has not seen, and then learns from these too."""

import numpy as np
import pytest

from penstock.domain.datasets import Problem
from penstock.models._base import BuildContext
from penstock.models.linear import STRENGTHS, Linear


@pytest.mark.parametrize(("problem", "classes"), [("binary", 2), ("regression", 0)])
def test_noise_is_shrunk_more_than_a_clear_signal(problem: Problem, classes: int) -> None:
    random = np.random.default_rng(1)
    x = random.normal(size=(300, 60)).astype(np.float32)
    noise = random.normal(size=300)
    chosen = {}
    for name, raw in (("noise", noise), ("signal", 5 * x[:, 0] - 4 * x[:, 1] + 0.01 * noise)):
        y = (raw > 0).astype(np.int64) if classes else raw
        model = Linear().build({"c": None, "bends": 0, "crosses": 0}, BuildContext(problem, classes, 0))
        model.fit(x[:240], y[:240], (x[240:], y[240:]))
        chosen[name] = model.refit_parameters()["c"]
    assert chosen["noise"] in STRENGTHS
    assert chosen["signal"] in STRENGTHS
    assert float(chosen["noise"] or 0) < float(chosen["signal"] or 0)


def test_the_rows_that_chose_the_strength_are_learnt_from_too() -> None:
    random = np.random.default_rng(2)
    x = random.normal(size=(200, 3)).astype(np.float32)
    y = x @ np.array([1.0, -2.0, 0.5])
    model = Linear().build({"c": None, "bends": 0, "crosses": 0}, BuildContext("regression", 0, 0))
    model.fit(x[:150], y[:150], (x[150:], y[150:]))
    alone = Linear().build({**model.refit_parameters(), "bends": 0, "crosses": 0}, BuildContext("regression", 0, 0))
    alone.fit(x, y)
    np.testing.assert_allclose(model.predict(x), alone.predict(x), rtol=1e-6)
