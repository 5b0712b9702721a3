"""Fitted models, the files that serve them, and their numbers."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from penstock.domain.datasets import Problem
from penstock.domain.features import Decoding

Target = str | int | float | bool


def class_name(value: Target) -> str:
    """Return a class as text: the key of its probability, and the end of its column's name offline."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


@dataclass(frozen=True, slots=True)
class Widths:
    """Half the width of a regression's 90 % interval, by what a row is: a binary tree.

    Node `i` asks whether the row's decoded number `asks[i]` (-1: its predicted value) is at most `cuts[i]`, and goes on
    at `left[i]` or `right[i]`; a missing number goes left where `missing_left[i]` says so. A leaf has -1 for both, and
    `halves[i]` is its answer.
    """

    asks: tuple[int, ...]
    cuts: tuple[float, ...]
    left: tuple[int, ...]
    right: tuple[int, ...]
    missing_left: tuple[bool, ...]
    halves: tuple[float, ...]

    def half(self, numbers: Sequence[float], value: float) -> float:
        """Return half the width of the interval of a row, by its decoded numbers and its predicted value."""
        node = 0
        while self.left[node] >= 0:
            ask = self.asks[node]
            found = value if ask < 0 else numbers[ask]
            missing = found != found  # noqa: PLR0124  NaN alone differs from itself
            goes_left = self.missing_left[node] if missing else found <= self.cuts[node]
            node = self.left[node] if goes_left else self.right[node]
        return self.halves[node]


@dataclass(frozen=True, slots=True)
class Signature:
    """What a version takes and gives, in JSON types.

    `classes` are the target's values in the order of the probabilities; `positive` is the index of the class whose
    probability is the score (binary); `threshold` on that probability decides the label; with `costs` (a row of
    class i called j, multiclass) the label is the class of least expected cost; `half_width` is the conformal 90 %
    half width of a regression over all rows, `widths` that of each row where rows differ; the interval ends at 0 where
    the target was `never_negative`; `id_column` keeps a caller on one version.
    """

    project: str
    problem: Problem
    target: str
    decoding: Decoding
    classes: tuple[Target, ...] = ()
    positive: int | None = None
    threshold: float | None = None
    half_width: float | None = None
    id_column: str | None = None
    costs: tuple[tuple[float, ...], ...] = ()
    never_negative: bool = False
    widths: Widths | None = None


@dataclass(frozen=True, slots=True)
class FittedModel:
    """A pipeline and estimator fitted on every training row, with calibration, kept under `digest`.

    `training_rows` is the digest of a sorted uint64 `.npy` of the digests of the rows it was fitted or tuned on.
    `out_of_fold` is the digest of a Parquet table: row (position in the dataset version), and `prediction` or one
    column `p<i>` a class, calibrated.
    """

    project: str
    digest: str
    dataset: str
    plan: str
    family: str
    parameters: dict[str, float | int | str | bool | None]
    signature: Signature
    training_rows: str
    out_of_fold: str
    calibration: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Certificate:
    """How the graph compares with the Python model; `worst` lists the worst rows as text."""

    rows: int
    largest_difference: float
    tolerance: float
    label_flips: int
    allowed_flips: int
    held: bool
    worst: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Bundle:
    """The files that serve a version, measured: the graph's size, a row's median latency, parameters, operations.

    A folder artifact with `graph.onnx`, `signature.json`, `schema.json`, `certificate.json` and `examples.json`.
    """

    project: str
    digest: str
    model: str
    certificate: Certificate
    size_mb: float
    latency_ms: float
    parameters: int
    flops: int = 0


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """A fitted model with a number; never changes."""

    project: str
    version: str
    training: str
    run_id: str
    model: str
    bundle: str
    dataset: str
    created_at: datetime
    report: str | None = None


@dataclass(frozen=True, slots=True)
class Package:
    """A Bento of a version: its tag, the digest of its folder, and its smoke test."""

    project: str
    version: str
    tag: str
    digest: str
    smoke: Literal["passed", "failed"]
    detail: str
    seconds: float
