from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from sklearn.base import clone

from penstock.estimators import PenstockRegressor
from tests.unit.estimators.conftest import QUICK, Mixed


@pytest.fixture(scope="module")
def learnt(mixed: Mixed) -> PenstockRegressor:
    """Return a regressor of the income that the age gives, with noise."""
    frame = mixed[0].drop(columns="income")
    return PenstockRegressor(**QUICK).fit(frame, wages(mixed))


def wages(mixed: Mixed) -> np.ndarray:
    """Return a value for each row."""
    frame = mixed[0]
    return np.asarray(1000 + 30 * frame["age"] + 500 * (frame["colour"] == "red"), dtype=np.float64)


def test_it_learns_values(learnt: PenstockRegressor, mixed: Mixed) -> None:
    frame = mixed[0].drop(columns="income")
    assert learnt.metric_ == "rmse"
    assert learnt.predict(frame).shape == (240,)
    assert learnt.score(frame, wages(mixed)) > 0.95


def test_its_scores_are_in_the_units_of_the_metric(learnt: PenstockRegressor) -> None:
    table = learnt.leaderboard_.set_index("family")["rmse"].to_dict()
    assert 0 < table["linear"] < table["baseline"]


def test_the_best_fits_again_without_a_search(learnt: PenstockRegressor, mixed: Mixed) -> None:
    frame = mixed[0].drop(columns="income")
    again = clone(learnt.best_estimator_).fit(frame, wages(mixed))
    assert np.allclose(again.predict(frame), learnt.predict(frame))


def test_its_graph_says_what_it_says(learnt: PenstockRegressor, mixed: Mixed, tmp_path: Path) -> None:
    frame = mixed[0].drop(columns="income")
    session = onnxruntime.InferenceSession(learnt.to_onnx(tmp_path / "m.onnx"), providers=["CPUExecutionProvider"])
    scores = session.run(None, learnt.onnx_inputs(frame))[0]
    assert np.allclose(scores[:, 0], learnt.predict(frame), rtol=1e-4)


def test_values_that_are_no_numbers_are_refused() -> None:
    with pytest.raises(ValueError, match="could not convert"):
        PenstockRegressor(**QUICK).fit(np.arange(20.0).reshape(10, 2), ["a"] * 10)
