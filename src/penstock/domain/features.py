"""What is done to each column, and why."""

from dataclasses import dataclass
from typing import Literal

from penstock.domain.datasets import ColumnType

Treatment = Literal["number", "boolean", "category", "high_cardinality", "date", "text", "dropped"]
Flavour = Literal["tree", "dense"]


@dataclass(frozen=True, slots=True)
class ColumnPlan:
    """What is done to one column, and the reason.

    `parts` are those of a date that become features, or of a text what is counted in it besides its words; `since`
    are other dates from which the time to this one becomes a feature.
    """

    name: str
    type: ColumnType
    treatment: Treatment
    reason: str
    required: bool = False
    levels: tuple[str, ...] = ()
    tokens: int = 0
    parts: tuple[str, ...] = ()
    since: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class GroupGain:
    """What a quick model's loss falls by with a group of features, as a share of the loss without it.

    `error` is the standard error of that share; `features` is how many there are.
    """

    group: str
    features: int
    gain: float
    error: float


@dataclass(frozen=True, slots=True)
class FeaturePlan:
    """The plan of every column of a dataset version but the target.

    `digest` names the plan by its content.
    """

    project: str
    dataset: str
    digest: str
    columns: tuple[ColumnPlan, ...]

    @property
    def used(self) -> tuple[ColumnPlan, ...]:
        """The columns that the model is given."""
        return tuple(column for column in self.columns if column.treatment != "dropped")

    @property
    def dropped(self) -> tuple[ColumnPlan, ...]:
        """The columns left out."""
        return tuple(column for column in self.columns if column.treatment == "dropped")

    @property
    def decoding(self) -> "Decoding":
        """How a row becomes the arrays of the graph."""
        return Decoding(
            tuple(
                InputColumn(
                    column.name,
                    column.type,
                    "category" if column.treatment == "high_cardinality" else column.treatment,
                    column.required,
                    column.tokens,
                    _read_besides(column),
                )
                for column in self.used
            )
        )


def _read_besides(column: ColumnPlan) -> tuple[str, ...]:
    """Return what is read of a text besides its words, or of a date besides the parts that every date has."""
    if column.treatment == "date":
        return tuple(part for part in column.parts if part == "minutes")
    return column.parts if column.treatment == "text" else ()


@dataclass(frozen=True, slots=True)
class InputColumn:
    """How one column of a row is decoded.

    `form` number and boolean give one number (missing is NaN), date its parts as numbers and after them `parts`,
    category one string (missing is a sentinel), text `tokens` strings (padded with "") and a number for each of its
    `parts`.
    """

    name: str
    type: ColumnType
    form: str
    required: bool
    tokens: int = 0
    parts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Decoding:
    """What the decoder of a version is compiled from, in the order of the graph's inputs."""

    columns: tuple[InputColumn, ...]
