"""What a search is given, what it tells while it goes, and what it finds."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from penstock.domain.search import SearchSettings, Slot, Trial, Value
from penstock.models._base import ModelFamily
from penstock.search.encoding import TrainingRows
from penstock.search.schedule import Plan
from penstock.search.slots import Host
from penstock.search.tuning import Draft, Ended


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a search is; `best_score` is higher for better."""

    done: int
    running: int
    best_family: str | None
    best_score: float | None
    seconds_left: float


@dataclass(frozen=True, slots=True)
class Hooks:
    """What a search calls: `progress` twice a second, `meanwhile` once, in a thread, when the slots have work."""

    progress: Callable[[Progress], None] | None = None
    meanwhile: Callable[[], None] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Work:
    """What is searched: rows, families, settings, the folder, the slots; `costs` by class and what it is called."""

    rows: TrainingRows
    families: dict[str, ModelFamily]
    settings: SearchSettings
    folder: Path
    slots: tuple[Slot, ...]
    costs: tuple[tuple[float, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class Found:
    """What came of a search: `parameters` are those of the final fit, `estimator` is its file."""

    trials: tuple[Trial, ...]
    best: Ended
    parameters: dict[str, Value]
    estimator: Path
    out_of_fold: Path
    seconds: float
    resumed: int
    reasons: tuple[str, ...]


@dataclass(slots=True)
class AtWork:
    """A trial that a slot is busy with; the baseline's has no slot."""

    draft: Draft
    plan: Plan
    host: Host | None
    began: float
    device: str = "cpu"
    scores: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    pruned: bool = False
