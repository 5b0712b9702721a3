"""Trees as tables give in float32 what their library gives in float64."""

import time
from typing import Any

import lightgbm
import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray

from penstock.graphs import GraphBuilder
from penstock.models._boosting import Pace, faster, on_grid, read_trees
from penstock.models._trees import grid_step, write_trees


def boosted(objective: str, gaps: bool, **more: Any) -> tuple[lightgbm.Booster, NDArray[np.float32]]:
    """Return a booster fitted on values that lie on and around its thresholds."""
    random = np.random.default_rng(0)
    x = random.choice(np.linspace(-1, 1, 40).astype(np.float32), (800, 4))
    if gaps:
        x[random.random(x.shape) < 0.1] = np.nan
    y = np.nan_to_num(x[:, 0]) + np.nan_to_num(x[:, 1]) ** 2 + random.normal(0, 0.1, 800)
    goal = y if objective == "regression" else np.digitize(y, [0.0, 0.6])
    parameters = {"objective": objective, "verbosity": -1, "num_threads": 1, "min_data_in_leaf": 3, **more}
    return lightgbm.train(parameters, lightgbm.Dataset(x, goal), 30), x


def summed(text: str, x: NDArray[np.float32], columns: int) -> NDArray[np.float32]:
    graph = GraphBuilder()
    raw = write_trees(graph, "features", read_trees(text, columns), np.zeros(columns))
    model = graph.finish({"features": 4}, raw, "scores", columns)
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    found: NDArray[np.float32] = session.run(["scores"], {"features": x})[0]
    return found


@pytest.mark.parametrize("gaps", [False, True])
def test_leaves_on_a_grid_add_up_to_exactly_the_same(gaps: bool) -> None:
    booster, x = boosted("regression", gaps)
    text = on_grid(booster.model_to_string())
    again = lightgbm.Booster(model_str=text)
    others = np.vstack([x, np.nextafter(x, np.float32(9)), np.nextafter(x, np.float32(-9)), np.full((1, 4), np.nan)])
    others = others.astype(np.float32)
    said = summed(text, others, 1)[:, 0]
    assert np.array_equal(said, np.asarray(again.predict(others, raw_score=True), np.float32))
    assert np.allclose(again.predict(x), booster.predict(x), atol=1e-5)


def test_several_classes_keep_their_columns() -> None:
    booster, x = boosted("multiclass", True, num_class=3)
    said = summed(booster.model_to_string(), x, 3)
    assert np.allclose(said, booster.predict(x, raw_score=True), atol=1e-5)


def test_a_tree_without_a_split_is_one_leaf() -> None:
    booster, x = boosted("regression", False, min_data_in_leaf=700)
    assert np.allclose(summed(booster.model_to_string(), x, 1)[:, 0], booster.predict(x), atol=1e-6)


def test_a_grid_leaves_room_for_every_sum() -> None:
    largest = np.array([0.3, 1.7, 5.0])
    step = grid_step(largest)
    assert largest.sum() / step <= 2**24
    assert step == 2.0 ** np.round(np.log2(step))


@pytest.mark.parametrize(("seconds", "rounds"), [(None, 20), (1e6, 20), (0.0, 1)])
def test_boosting_stops_at_its_deadline_and_no_earlier(seconds: float | None, rounds: int) -> None:
    random = np.random.default_rng(0)
    x, y = random.normal(size=(300, 3)), random.normal(size=300)
    pace = Pace(None if seconds is None else time.monotonic() + seconds, 0.05, 20)
    booster = lightgbm.train({"verbosity": -1, "num_threads": 1}, lightgbm.Dataset(x, y), 20, callbacks=[pace])
    assert booster.current_iteration() == rounds
    assert pace.rate == 0.05


def test_the_rate_rises_as_far_as_time_is_short_and_no_further() -> None:
    assert faster(0.05, 1000, 500) == 0.05
    assert faster(0.05, 100, 100) == 0.05
    assert faster(0.05, 1000, 140) == pytest.approx(0.1)
    assert faster(0.05, 1000, 1) == 0.3
    assert faster(0.4, 1000, 1) == 0.4
