"""What is searched, for how long, where, and what came of it."""

from dataclasses import dataclass, field
from typing import Any, Literal

from penstock.domain.datasets import Problem
from penstock.domain.features import Flavour

Value = float | int | str | bool | None
Mark = Literal["", "over memory", "over deadline", "process died", "half batch", "moved to the CPU"]


@dataclass(frozen=True, slots=True)
class Real:
    """A dimension of real numbers from `low` to `high`."""

    low: float
    high: float
    log: bool = False


@dataclass(frozen=True, slots=True)
class Whole:
    """A dimension of whole numbers from `low` to `high`, both included."""

    low: int
    high: int
    log: bool = False


@dataclass(frozen=True, slots=True)
class Choice:
    """A dimension of named values."""

    values: tuple[Value, ...]


SearchSpace = dict[str, Real | Whole | Choice]


@dataclass(frozen=True, slots=True)
class OwnSource:
    """An estimator of the user's own: its name, its file, a class or function in it, and its space as it was said."""

    name: str
    path: str
    attribute: str
    said: tuple[tuple[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class Budget:
    """How much a search may use: seconds from slot start to final fit, trials, memory in GB."""

    seconds: float
    trials: int | None = None
    memory_gb: float | None = None
    gpus: int | Literal["auto"] = "auto"


@dataclass(frozen=True, slots=True)
class Machine:
    """What placement found: cores by affinity and quota, memory in MB by cgroup, free GPU memory in MB."""

    cores: float
    memory_mb: int
    gpus: tuple[tuple[int, str, int], ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Slot:
    """Cores, memory and perhaps a GPU that one trial has to itself."""

    number: int
    cores: tuple[int, ...]
    memory_mb: int
    gpu: int | None = None
    reason: str = ""
    gpu_mb: int = 0  # of the GPU's memory, free when slots were cut; a slot that shares its GPU has the same


@dataclass(frozen=True, slots=True)
class MemoryNote:
    """What a trial's memory was said to be beyond its libraries, and what it was at most, in MB."""

    family: str
    rows: int
    features: int
    classes: int
    said_mb: int
    peak_mb: int


@dataclass(frozen=True, slots=True)
class DeviceNote:
    """The seconds of one short fit on the CPU and on a GPU of this machine."""

    family: str
    gpu: str
    rows: int
    features: int
    cpu_seconds: float
    gpu_seconds: float


@dataclass(frozen=True, slots=True)
class Experience:
    """What searches have measured on a machine, the newest last: kept, so that later ones begin with it."""

    memory: tuple[MemoryNote, ...] = ()
    devices: tuple[DeviceNote, ...] = ()


@dataclass(frozen=True, slots=True)
class EncodedFolds:
    """Encoded training rows on disk as `.npy`, memory-mapped by the slots.

    The folder holds `target.npy` (class codes as int64, or float64), `fold.npy` (int8: the fold that validates
    the row, -3 for none), `group.npy` (uint64), and `<flavour>-<k>.npy` for each fold k: float32, shape
    (n_rows, n_features), encoded by a pipeline learnt on the rows that train fold k; `<flavour>-all.npy` is
    learnt on all rows. With `time_ordered`, fold k trains on -3 and the folds before k.
    """

    folder: str
    problem: Problem
    classes: int
    rows: int
    folds: int
    time_ordered: bool
    features: dict[Flavour, int]


@dataclass(frozen=True, slots=True)
class SearchSettings:
    """What a search is asked for: `metric` is one of `evaluation.metrics`.

    `sampler` proposes what is tuned. `deterministic` says that time decides nothing: trials go in fixed rounds until
    `budget.trials` are done.
    """

    metric: str
    budget: Budget
    include: tuple[str, ...] | Literal["all"] = "all"
    exclude: tuple[str, ...] = ()
    limits: dict[str, float] = field(default_factory=dict)
    monotone: tuple[tuple[str, int], ...] = ()
    seed: int = 7
    costs: tuple[tuple[str, float], ...] = ()
    sampler: Literal["tpe", "random", "grid"] = "tpe"
    deterministic: bool = False
    own: tuple[OwnSource, ...] = ()


@dataclass(frozen=True, slots=True)
class Footprint:
    """What a model takes to answer: median ms for one row and 10^6 bytes of its graph, fitted parameters, and flops.

    `flops` are the floating-point operations of one row.
    """

    latency_ms: float
    size_mb: float
    parameters: int
    flops: int


@dataclass(frozen=True, slots=True)
class Trial:
    """One configuration and its fold scores (higher is better).

    `partial` marks a first trial on one inner split or capped rows: it is listed and never chosen over a whole one.
    `mark` says what became of it otherwise than was planned, `placed` why it ran on its device. `footprint` is measured
    where there are limits, and `over` says which it is over: such a trial is listed and never wins.
    """

    number: int
    family: str
    parameters: dict[str, Value]
    state: Literal["finished", "pruned", "failed", "skipped", "running"]
    score: float | None
    fold_scores: tuple[float, ...]
    seconds: float
    slot: int | None
    device: str = "cpu"
    predicted_mb: int = 0
    peak_mb: int = 0
    partial: bool = False
    reason: str = ""
    mark: Mark = ""
    placed: str = ""
    predicted_gpu_mb: int = 0
    peak_gpu_mb: int = 0
    footprint: Footprint | None = None
    over: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Candidate:
    """A family with its best configuration; `score` is a selection score, higher is better."""

    trial: int
    family: str
    flavour: Flavour
    parameters: dict[str, Value]
    score: float
    fold_scores: tuple[float, ...]
    out_of_fold: str


@dataclass(frozen=True, slots=True)
class SearchResult:
    """Every trial of a search, the candidate chosen, and where its fitted estimator lies.

    `reasons` name what was passed over, and why; `metric` is what the trials were scored by.
    """

    study: str
    trials: tuple[Trial, ...]
    best: Candidate
    estimator: str
    seconds: float
    slots: tuple[Slot, ...]
    resumed: int = 0
    reasons: tuple[str, ...] = ()
    metric: str = ""

    @property
    def finished(self) -> int:
        """The number of finished trials."""
        return sum(trial.state == "finished" for trial in self.trials)

    @property
    def skipped(self) -> int:
        """The number of trials not run, each with its reason."""
        return sum(trial.state == "skipped" for trial in self.trials)
