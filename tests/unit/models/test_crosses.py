import numpy as np

from penstock.models._base import BuildContext
from penstock.models._crosses import choose_crosses
from penstock.models.linear import Linear

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(800, 5)).astype(np.float32)
Y = X[:, 0] + 2 * X[:, 1] * X[:, 3] + RANDOM.normal(0, 0.1, 800)


def test_the_product_that_the_target_is_made_of_comes_first() -> None:
    found = choose_crosses(X, (Y - X[:, 0])[:, None].astype(np.float64), np.arange(5), 3)
    assert (found.first[0], found.second[0]) == (1, 3)
    assert len(found.first) == 3


def test_no_product_is_of_two_pieces_of_one_feature() -> None:
    found = choose_crosses(X, Y[:, None].astype(np.float64), np.array([0, 0, 0, 1, 1]), 50)
    assert all((first < 3) != (second < 3) for first, second in zip(found.first, found.second, strict=True))


def test_a_linear_model_with_products_follows_one() -> None:
    losses = []
    for crosses in (0, 16):
        estimator = Linear().build({"bends": 0, "crosses": crosses}, BuildContext("regression", 0, seed=1))
        losses.append(np.mean((estimator.fit(X[:600], Y[:600]).predict(X[600:]) - Y[600:]) ** 2))
    assert losses[1] < losses[0] / 20
