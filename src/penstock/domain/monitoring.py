"""How far current has moved from reference, and how good predictions were."""

from dataclasses import dataclass
from datetime import datetime

from penstock.domain.evaluation import Decision


@dataclass(frozen=True, slots=True)
class Window:
    """The newest answered rows that no earlier window held: a Parquet table under `table`, None if there are none.

    Columns: `request_id`, `row`, `at`, `version`, `latency_ms`, `failed`, the contract's columns as canonical types,
    and `p<i>` a class (in the champion's order) or `prediction`. `last_id` is the newest request of the window;
    `from_at` and `to_at` are in the calendar that policies read; `skipped` rows were new as well, and older.
    """

    project: str
    number: int
    rows: int
    table: str | None
    from_at: datetime | None
    to_at: datetime | None
    last_id: str
    version: str
    skipped: int = 0


@dataclass(frozen=True, slots=True)
class ColumnDrift:
    """How far one column has moved: an effect size (0 is none) beside the threshold above which it drifted."""

    column: str
    detector: str
    effect: float
    threshold: float
    drifted: bool
    detail: str
    importance: float = 0.0


@dataclass(frozen=True, slots=True)
class DriftReport:
    """The columns of a window beside the reference: the training rows of the version that serves."""

    project: str
    reference: str
    reference_rows: int
    rows: int
    columns: tuple[ColumnDrift, ...]
    notes: tuple[str, ...] = ()

    @property
    def moved(self) -> tuple[ColumnDrift, ...]:
        """The columns that drifted, the largest effect (in thresholds) first."""
        moved = [column for column in self.columns if column.drifted]
        return tuple(sorted(moved, key=lambda column: -column.effect / column.threshold))

    @property
    def drifted(self) -> tuple[str, ...]:
        """The names of the columns that drifted."""
        return tuple(column.column for column in self.moved)


@dataclass(frozen=True, slots=True)
class Performance:
    """How good predictions were, in the metric's own units.

    `measured` is from `labels` rows whose labels are new since the window before, with a 95 % interval; `estimated`
    stands for rows without labels, with the band in which chance leaves it, and sees a change of the inputs only;
    `expected` is the reference: the score of the version on its own holdout. `loss` is how much worse measured is than
    expected, with its lower bound; above zero is worse, whatever the metric. `tolerance` is the loss that is borne:
    with `lost`, even the lower bound is above it. `last_label` numbers the newest label that was looked at, here or
    earlier; where labels of one class come later than those of another, `matured_to` is the time up to which requests
    were.

    `latency_ms` is the 95th percentile of the champion's answers, in requests of `request_rows` rows on average;
    `failures` are requests that another version had to answer. Of the `asked` predict calls since the window before,
    `errors` got no answer, by the service's own count, which stood at `counted`: the journal holds answers alone.
    `strained` says that this machine was training then, so that latency tells of that, and not of the version.
    """

    metric: str
    expected: float | None = None
    measured: float | None = None
    low: float | None = None
    high: float | None = None
    estimated: float | None = None
    labels: int = 0
    loss: float | None = None
    loss_low: float | None = None
    lost: bool = False
    latency_ms: float | None = None
    failures: int = 0
    last_label: int = 0
    notes: tuple[str, ...] = ()
    tolerance: float | None = None
    estimated_low: float | None = None
    estimated_high: float | None = None
    matured_to: datetime | None = None
    request_rows: float | None = None
    asked: int | None = None
    errors: int | None = None
    counted: tuple[int, int] | None = None
    strained: bool = False


@dataclass(frozen=True, slots=True)
class Seen:
    """What a window showed, before anything was decided; `drift` is None for a window with too few rows."""

    window: Window
    drift: DriftReport | None
    performance: Performance


@dataclass(frozen=True, slots=True)
class Monitored:
    """One monitoring window from its rows to its decision; `flow_run` is the run that looked at it.

    `alerts` say what got worse that no retraining mends: errors, latency.
    """

    window: Window
    drift: DriftReport | None
    performance: Performance
    decision: Decision
    flow_run: str | None = None
    report: str | None = None
    alerts: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        """What follows, in a word or two: a retraining, an alert, or nothing."""
        if self.decision.verdict == "retrain":
            return "retrain"
        return "alert" if self.alerts else "no action"
