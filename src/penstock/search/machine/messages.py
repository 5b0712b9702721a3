"""What a search and its slots say to each other."""

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from penstock.domain.features import Flavour
from penstock.domain.search import EncodedFolds, Footprint, Mark, OwnSource, Value

Cause = Literal["error", "memory", "deadline", "died"]


@dataclass(frozen=True, slots=True)
class Setting:
    """What every trial of a search has in common.

    `categorical` and `monotone` are by flavour, as `BuildContext` wants them; `costs` is a matrix (class, called);
    `limits` are hard ones, by the names of `Footprint`'s figures; `own` are the user's own estimators.
    """

    folds: EncodedFolds
    metric: str
    seed: int
    costs: tuple[tuple[float, ...], ...] = ()
    categorical: dict[Flavour, tuple[int, ...]] = field(default_factory=dict)
    monotone: dict[Flavour, tuple[int, ...]] = field(default_factory=dict)
    limits: dict[str, float] = field(default_factory=dict)
    own: tuple[OwnSource, ...] = ()


@dataclass(frozen=True, slots=True)
class TrialJob:
    """Evaluate one configuration on folds; `most_rows` caps what it fits on.

    Fits stop by themselves at `deadline`, a `time.monotonic()`; at `latest` the trial is ended. With `compare` a short
    fit is timed on the CPU and on `device` first, and the trial goes where it is quicker. A trial that has not scored
    its first fold at `first_by` hangs, and is ended too.
    """

    number: int
    family: str
    parameters: dict[str, Value]
    deadline: float
    latest: float
    folds: tuple[int, ...]
    device: str = "cpu"
    most_rows: int | None = None
    compare: bool = False
    first_by: float = math.inf


@dataclass(frozen=True, slots=True)
class FitJob:
    """Fit one configuration on every row, and keep the estimator at `path`.

    It stops by itself at `deadline`, and is ended at `latest`; `least` is the score on the rows it was fitted on
    below which the fit was cut short, or went astray. A `copy` draws with a seed of its own; 0 is the search's.
    """

    number: int
    family: str
    parameters: dict[str, Value]
    deadline: float
    latest: float
    path: str
    least: float
    device: str = "cpu"
    copy: int = 0


@dataclass(frozen=True, slots=True)
class Ready:
    """The slot's process has loaded its libraries; `device` is where it can compute besides the CPU."""

    device: str = "cpu"


@dataclass(frozen=True, slots=True)
class Broken:
    """The slot's process cannot load its libraries."""

    reason: str


@dataclass(frozen=True, slots=True)
class FoldDone:
    """One fold was scored (higher is better); the slot waits to be told whether to go on."""

    number: int
    fold: int
    score: float
    seconds: float


@dataclass(frozen=True, slots=True)
class GoOn:
    """Go on with the next fold, or stop here."""

    go: bool = True


@dataclass(frozen=True, slots=True)
class JobDone:
    """A job's end: what early stopping settled, in the mean over folds, and the number of fitted parameters.

    `scores` are those of the folds, where all folds together say more of them than each alone (see `scoring`).
    `device` is where it ended ("": where it was sent), `mark` what happened on the way, `gpu_mb` the most it held of a
    GPU's memory; `lost` says that the GPU is gone for this process, `compared` are the seconds of a short fit on the
    CPU and on the GPU. With limits, `footprint` is what one model takes to answer, `bag` what a bag does,
    `over` the limits that one model is over, in words, and `excess` how many times, less 1. `parts` is how many fold
    models the bag holds.
    """

    number: int
    refit: dict[str, Value] = field(default_factory=dict)
    fitted_parameters: int = 0
    seconds: float = 0.0
    stopped: bool = False
    device: str = ""
    mark: Mark = ""
    lost: bool = False
    gpu_mb: int = 0
    compared: tuple[float, float] | None = None
    scores: tuple[float, ...] = ()
    footprint: Footprint | None = None
    bag: Footprint | None = None
    over: tuple[str, ...] = ()
    excess: float = 0.0
    parts: int = 0


@dataclass(frozen=True, slots=True)
class JobFailed:
    """A job's end without a result."""

    number: int
    reason: str
    cause: Cause = "error"


Job = TrialJob | FitJob
Answer = FoldDone | JobDone | JobFailed


def out_of_fold_path(folder: str, number: int) -> Path:
    """Return where a trial's out-of-fold predictions lie."""
    return Path(folder) / f"oof-{number}.npy"


def bag_path(folder: str, number: int) -> Path:
    """Return where a trial's fold models lie: a list of folds and pickled estimators."""
    return Path(folder) / f"bag-{number}.pkl"
