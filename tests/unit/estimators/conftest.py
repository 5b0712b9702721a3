"""A small table of mixed types, and an estimator that has learnt from it."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from penstock.estimators import PenstockClassifier

QUICK: dict[str, Any] = {"seconds": 30, "trials": 2, "families": ["linear"], "random_state": 0}
Mixed = tuple[pd.DataFrame, pd.Series]


@pytest.fixture(scope="session")
def mixed() -> Mixed:
    """Return 240 rows with numbers, texts, booleans, dates, categories and gaps, and whether each row is a yes."""
    draw = np.random.default_rng(0)
    rows = 240
    frame = pd.DataFrame(
        {
            "age": draw.integers(18, 80, rows),
            "income": np.where(draw.random(rows) < 0.1, np.nan, draw.normal(50, 20, rows)),
            "colour": draw.choice(["red", "green", "blue"], rows),
            "size": pd.Categorical(draw.choice(["s", "m", "l"], rows)),
            "member": draw.random(rows) < 0.5,
            "since": pd.Timestamp("2024-01-01") + pd.to_timedelta(draw.integers(0, 700, rows), unit="D"),
            "nothing": np.nan,
        }
    )
    frame.loc[:9, "colour"] = None
    odds = (frame["age"] - 45) / 8 + 2 * (frame["colour"] == "red") + frame["member"]
    target = pd.Series(np.where(odds + draw.normal(size=rows) > 0, "yes", "no"), name="target")
    return frame, target


@pytest.fixture(scope="session")
def learnt(mixed: Mixed) -> PenstockClassifier:
    """Return a classifier that has searched the table."""
    return PenstockClassifier(**QUICK).fit(*mixed)
