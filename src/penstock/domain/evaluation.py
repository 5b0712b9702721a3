"""How a model did on rows that nothing has seen, and what follows."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

VerdictWord = Literal["promote", "hold", "retrain", "roll_back", "block"]


@dataclass(frozen=True, slots=True)
class Score:
    """A metric in its own units with a 95 % interval."""

    metric: str
    value: float
    low: float
    high: float
    higher_is_better: bool
    rows: int


@dataclass(frozen=True, slots=True)
class Predictions:
    """What a bundle said of the rows of a split's side: a Parquet table under `digest`.

    Columns: `row` (position in the dataset version), `digest` (uint64 of the row), `group` (uint64), `time`
    (or NaT), `target` (class code, or value), and `p<i>` a class, or `prediction`. Where the table `lacks` columns
    that the bundle needs, or has them in other types, no row is answered, and `digest` is "".
    """

    project: str
    digest: str
    bundle: str
    dataset: str
    rows: int
    lacks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Slice:
    """Rows that share a column's value or range, and how the model does there."""

    column: str
    value: str
    rows: int
    score: float
    gap: float
    p_value: float


@dataclass(frozen=True, slots=True)
class Evaluation:
    """How a model did on the holdout, beside the baseline.

    `side` is `out_of_fold` where no rows are held out; `notes` say how the interval was made and what was tested.
    """

    project: str
    predictions: str
    score: Score
    baseline: Score
    others: tuple[Score, ...]
    gain: float
    gain_low: float
    slices: tuple[Slice, ...] = ()
    confusion: tuple[tuple[int, ...], ...] = ()
    side: Literal["holdout", "out_of_fold"] = "holdout"
    dataset: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Importance:
    """How much the score falls when a column is shuffled, with its standard error."""

    column: str
    value: float
    error: float


@dataclass(frozen=True, slots=True)
class Suspicion:
    """A training row whose label looks wrong, by out-of-fold predictions."""

    row: int
    label: str
    prediction: str
    doubt: float


@dataclass(frozen=True, slots=True)
class Explanation:
    """What drives a model, which labels look wrong, what to label next; `closing` is three lines."""

    project: str
    importances: tuple[Importance, ...]
    suspicions: tuple[Suspicion, ...]
    label_next: tuple[str, ...]
    closing: tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Gate:
    """A property of one version that must hold before it may answer.

    With `judged` false there was not enough to judge it by: neither a pass nor a failure, so `held` stays true.
    """

    name: str
    held: bool
    detail: str
    judged: bool = True


@dataclass(frozen=True, slots=True)
class Comparison:
    """Champion and challenger on the same rows: the paired gain (higher is better) and its lower bound."""

    champion: str
    challenger: str
    metric: str
    rows: int
    gain: float
    low: float
    confidence: float
    look: int
    spent: float
    excluded: int = 0


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do next, with reasons and figures.

    `repeated` says that the challenger repeats the champion's own training, so that it is recorded and no more.
    """

    id: str
    project: str
    verdict: VerdictWord
    reasons: tuple[str, ...]
    at: datetime
    version: str | None = None
    champion: str | None = None
    comparison: Comparison | None = None
    gates: tuple[Gate, ...] = ()
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class Held:
    """A challenger that was held, and is judged again when rows to judge by have grown.

    `rows` is how many rows its last look had, `judged_at` (calendar) when that was; `since` when it was first held.
    """

    project: str
    version: str
    champion: str
    decision: str
    rows: int
    since: datetime
    judged_at: datetime
    incident: str | None = None
