import numpy as np
import onnxruntime

from penstock.models._base import BuildContext
from penstock.models.knn import MOST_ROWS, Nearest


def test_rows_as_far_away_as_others_are_the_same_in_the_graph() -> None:
    random = np.random.default_rng(0)
    x = random.integers(0, 3, (400, 3)).astype(np.float32)  # nearly every distance is met many times
    y = random.integers(0, 2, 400)
    family = Nearest()
    estimator = family.build({"k": 7}, BuildContext("binary", 2, seed=1)).fit(x, y)
    said = onnxruntime.InferenceSession(family.to_onnx(estimator, 3)).run(["scores"], {"features": x})[0]
    assert np.abs(said - estimator.predict(x)).max() < 1e-6


def test_a_feature_that_says_nothing_counts_less() -> None:
    random = np.random.default_rng(0)
    x = random.normal(size=(600, 8)).astype(np.float32)
    y = (x[:, 0] > 0).astype(np.int64)
    estimator = Nearest().build({}, BuildContext("binary", 2, seed=1)).fit(x, y)
    assert estimator.factors[0] > 3 * estimator.factors[1:].max()


def test_a_table_with_many_rows_is_refused_with_the_figures() -> None:
    assert Nearest().refusal("binary", MOST_ROWS, 10) is None
    assert "are 6000 rows of 10 features" in str(Nearest().refusal("binary", 6_000, 10))
