from dataclasses import replace

import numpy as np

from penstock.domain.features import Decoding
from penstock.domain.models import Signature
from penstock.search.model.blend import Blend
from penstock.search.model.finishing import Aim, finish
from tests.unit.search.conftest import make_rows


def test_a_regression_that_misses_some_rows_farther_has_intervals_by_row() -> None:
    rows = make_rows(problem="regression", rows=4_000)
    draw = np.random.default_rng(3)
    wide = np.where(rows.numbers[:, 1] > 0, 9.0, 1.0)
    rows = replace(rows, target=rows.numbers[:, 0] + wide * draw.normal(size=4_000))
    about = Signature("toy", "regression", "y", Decoding(()))
    model, calibrated = finish(Blend(()), rows.numbers[:, 0].astype(np.float64), rows, about, Aim("rmse"))
    widths = model.signature.widths
    assert widths is not None
    assert widths.half([0.0, 1.0], 0.0) > 4 * widths.half([0.0, -1.0], 0.0)
    assert model.signature.half_width is not None
    assert "widths of intervals by what a row is" in model.calibrator.reason
    assert np.array_equal(calibrated, rows.numbers[:, 0])
