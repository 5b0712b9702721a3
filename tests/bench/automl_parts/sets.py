"""The sets that systems are compared on: what to predict, which columns no model may see, and how rows are split."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

SHARED = Path(__file__).resolve().parents[4] / "shared" / "data"
USUAL = (
    "adult_income",
    "telco_churn",
    "credit_default",
    "letter_recognition",
    "ames_housing",
    "bike_sharing_hourly",
    "chicago_crimes",
    "elec2",
)
METRICS = {"binary": "roc_auc", "multiclass": "log_loss", "regression": "rmse"}
LEFT_OUT = ("id_columns", "leakage_columns", "exclude_from_features")
TEST_SHARE = 0.3


@dataclass(frozen=True, slots=True)
class Split:
    """A set with its rows dealt: what every system learns from, and what it is scored on.

    `target` are class codes as `classes` has them, or values, of the rows of `test`.
    """

    name: str
    problem: str
    metric: str
    target_column: str
    train: pd.DataFrame
    test: pd.DataFrame
    classes: tuple[str, ...]
    target: NDArray[np.float64]


def described(folder: Path = SHARED) -> dict[str, dict[str, object]]:
    """Return what `index.json` says of each set."""
    index = json.loads((folder / "index.json").read_text(encoding="utf-8"))
    return {entry["name"]: entry for entry in index["datasets"]}


def load(name: str, seed: int, folder: Path = SHARED) -> Split:
    """Return a set split at random, 70 % to learn from: the same rows for every system.

    A target of classes is text for all of them; columns that name rows or give the target away are left out, as
    `index.json` says.
    """
    entry = described(folder)[name]
    frame = pd.read_parquet(folder / name / f"{name}.parquet")
    hidden = [column for key in LEFT_OUT for column in (entry.get(key) or [])]  # type: ignore[attr-defined]
    frame = frame.drop(columns=hidden)
    problem, target = str(entry["task"]), str(entry["target"])
    frame = frame[frame[target].notna()].reset_index(drop=True)
    if problem != "regression":
        frame[target] = frame[target].astype(str)
    tests = np.zeros(len(frame), bool)
    tests[np.random.default_rng(seed).permutation(len(frame))[: int(len(frame) * TEST_SHARE)]] = True
    train, test = frame[~tests].reset_index(drop=True), frame[tests].reset_index(drop=True)
    classes = () if problem == "regression" else _classes(frame[target], entry.get("positive_class"))
    scored = test[target].map(classes.index) if classes else test[target]
    metric = METRICS[problem]
    return Split(name, problem, metric, target, train, test, classes, scored.to_numpy(np.float64))


def _classes(values: pd.Series, positive: object) -> tuple[str, ...]:
    """Return the classes as text, the positive one of two last."""
    found = sorted(values.unique())
    last = str(positive)
    return tuple(sorted(found, key=lambda one: (one == last, one))) if positive is not None else tuple(found)
