import numpy as np
import onnxruntime
import pytest

from penstock.domain.search import Value
from penstock.models._base import BuildContext, ModelFamily
from penstock.models.forest import Forest
from penstock.models.mlp import MLP

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(300, 4)).astype(np.float32)
Y = (X[:, 0] * X[:, 1] + RANDOM.normal(0, 0.1, 300)).astype(np.float64)


@pytest.mark.parametrize(
    ("family", "changes"),
    [
        (MLP(), {"layers": 1, "residual": True, "epochs": 3, "width": 8}),
        (MLP(), {"layers": 4, "residual": True, "epochs": 3, "width": 8}),
        (Forest(), {"best_splits": True, "trees": 8}),
        (Forest(), {"best_splits": False, "trees": 8}),
    ],
)
def test_every_shape_answers_as_its_graph(family: ModelFamily, changes: dict[str, Value]) -> None:
    values = {**family.default("regression", 300, 4), **changes}
    estimator = family.build(values, BuildContext("regression", 0, seed=1)).fit(X, Y)
    said = onnxruntime.InferenceSession(family.to_onnx(estimator, 4)).run(["scores"], {"features": X})[0][:, 0]
    assert np.abs(said - estimator.predict(X)).max() < 1e-4


def test_residual_layers_are_another_model() -> None:
    values = {**MLP().default("regression", 300, 4), "layers": 3, "epochs": 3, "width": 8}
    said = [
        MLP().build({**values, "residual": residual}, BuildContext("regression", 0, seed=1)).fit(X, Y).predict(X)
        for residual in (False, True)
    ]
    assert not np.allclose(said[0], said[1])
