"""Networks read numbers as they are where classes are many, and in pieces where they are few, unless told."""

import numpy as np
import pytest

from penstock.domain.search import Value
from penstock.models._base import BuildContext
from penstock.models.mlp import BENDS, LARGEST_BATCH, MANY_CLASSES, MLP


@pytest.mark.parametrize(
    ("classes", "bends", "pieces"),
    [(3, None, BENDS), (MANY_CLASSES, None, 0), (MANY_CLASSES, 4, 4), (3, 0, 0)],
)
def test_numbers_are_cut_into_pieces_where_classes_are_few(classes: int, bends: Value, pieces: int) -> None:
    random = np.random.default_rng(0)
    x = random.normal(size=(300, 2)).astype(np.float32)
    y = np.arange(300) % classes
    parameters = {**MLP().default("multiclass", 300, 2), "bends": bends, "epochs": 1}
    fitted = MLP().build(parameters, BuildContext("multiclass", classes, 0)).fit(x, y)
    assert fitted.pieces is not None
    assert len(fitted.pieces.feature) == 2 * pieces


def test_fewer_rows_have_smaller_batches_so_that_there_are_steps_enough() -> None:
    steps = [rows / float(MLP().default("binary", rows, 5)["batch"] or 1) for rows in (1_000, 3_000, 5_000, 12_000)]
    assert min(steps) >= 15  # an epoch, of a dozen or more
    assert MLP().default("binary", 50_000, 5)["batch"] == LARGEST_BATCH
