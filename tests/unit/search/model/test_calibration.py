import numpy as np
import onnxruntime
import pytest

from penstock.search.model.calibration import Calibrator, calibrate, half_width, threshold


def shares(odds: np.ndarray) -> np.ndarray:
    second = 1 / (1 + np.exp(-odds))
    return np.column_stack([1 - second, second])


def overconfident(rows: int = 4000) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    draw = np.random.default_rng(1)
    odds = draw.normal(size=rows)
    target = (draw.random(rows) < shares(odds)[:, 1]).astype(np.int64)
    return shares(3 * odds + 0.5), target, np.arange(rows) % 5


def test_too_sure_probabilities_are_moved_back() -> None:
    predictions, target, fold = overconfident()
    found = calibrate(predictions, target, fold, 2)
    assert found.changes
    assert found.slope == pytest.approx(1 / 3, abs=0.05)
    assert "falls" in found.reason


def test_good_probabilities_are_left_alone_with_the_reason() -> None:
    draw = np.random.default_rng(2)
    odds = draw.normal(size=4000)
    target = (draw.random(4000) < shares(odds)[:, 1]).astype(np.int64)
    found = calibrate(shares(odds), target, np.arange(4000) % 5, 2)
    assert not found.changes
    assert found.reason.startswith("not calibrated")


def test_rows_without_a_prediction_are_passed_over() -> None:
    predictions, target, fold = overconfident()
    predictions[:100] = np.nan
    assert calibrate(predictions, target, fold, 2).changes


def test_many_classes_are_cooled_by_one_temperature() -> None:
    draw = np.random.default_rng(3)
    raw = draw.normal(size=(3000, 4))
    true = np.exp(raw) / np.exp(raw).sum(axis=1, keepdims=True)
    target = np.array([draw.choice(4, p=row) for row in true])
    sharp = np.exp(4 * raw) / np.exp(4 * raw).sum(axis=1, keepdims=True)
    assert calibrate(sharp, target, np.arange(3000) % 5, 4).slope == pytest.approx(0.25, abs=0.03)


@pytest.mark.parametrize("classes", [2, 4])
def test_the_graph_calibrates_as_numpy_does(classes: int) -> None:
    draw = np.random.default_rng(4)
    given = draw.dirichlet(np.ones(classes), 200).astype(np.float32)
    given[0] = np.eye(classes)[0]
    calibrator = Calibrator(0.6, 0.2 if classes == 2 else 0.0, classes, "")
    session = onnxruntime.InferenceSession(calibrator.to_onnx())
    (found,) = session.run(None, {"raw": given})
    assert np.abs(found - calibrator.apply(given.astype(np.float64))).max() < 1e-6


def test_a_calibrator_that_changes_nothing_adds_no_graph() -> None:
    assert Calibrator(1.0, 0.0, 2, "").to_onnx() is None


def test_the_interval_covers_nine_of_ten_fresh_rows() -> None:
    draw = np.random.default_rng(5)
    width = half_width(np.zeros(2000), draw.standard_t(4, 2000))
    assert np.mean(np.abs(draw.standard_t(4, 20_000)) <= width) == pytest.approx(0.9, abs=0.02)


def test_few_residuals_widen_the_interval_to_the_largest() -> None:
    assert half_width(np.zeros(5), np.array([1.0, -2.0, 3.0, -4.0, 5.0])) == 5.0


def test_costs_move_the_threshold_to_where_errors_cost_the_same() -> None:
    predictions, target, _ = overconfident()
    costs = np.array([[0.0, 1.0], [4.0, 0.0]])
    assert threshold("roc_auc", predictions, target, costs) == pytest.approx(0.2)
