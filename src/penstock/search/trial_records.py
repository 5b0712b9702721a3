"""A configuration that is about to be tried, and the trial that ended: what a study gives out and what it keeps."""

from dataclasses import dataclass, field
from typing import Any, Literal

from penstock.domain.search import Footprint, Trial, Value

MOST_RETRIES = 2  # a configuration whose process died twice more is what kills it

Kind = Literal["default", "partial", "portfolio", "tuned"]


@dataclass(frozen=True, slots=True)
class Draft:
    """A configuration that is about to be tried."""

    number: int
    family: str
    kind: Kind
    parameters: dict[str, Value]
    retries: int = 0

    @property
    def again(self) -> bool:
        """Whether it may be tried again, should its process die."""
        return self.retries < MOST_RETRIES


@dataclass(frozen=True, slots=True)
class Ended:
    """A trial that ended, with what later ones and the final fit learn from it.

    `refit` is what early stopping settled, in the mean over folds; `most_rows` what it was capped at; `bag` is what the
    bag of its fold models takes to answer, `parts` how many of them it holds, `excess` how many times over a limit one
    model is, less 1.
    """

    trial: Trial
    kind: Kind
    refit: dict[str, Value] = field(default_factory=dict)
    fitted_parameters: int = 0
    fold_seconds: tuple[float, ...] = ()
    most_rows: int | None = None
    bag: Footprint | None = None
    excess: float = 0.0
    parts: int = 0

    @property
    def whole(self) -> bool:
        """Whether it finished every fold on every row."""
        return self.trial.state == "finished" and not self.trial.partial

    @property
    def fits(self) -> bool:
        """Whether it is whole and within the limits: only such a trial may win."""
        return self.whole and not self.trial.over


def lost(family: str, begun: dict[str, Any]) -> Ended:
    """Return a trial that died with its search, from what was written down when it began."""
    trial = Trial(
        number=begun["number"],
        family=family,
        parameters=begun["parameters"],
        state="failed",
        score=None,
        fold_scores=(),
        seconds=0.0,
        slot=None,
        reason="the process of its search was killed; it is tried again, at most twice",
        mark="process died",
    )
    return Ended(trial, begun["kind"])


def restore(kept: dict[str, Any]) -> Ended:
    """Return a trial that ended from the plain values that it was kept as."""
    trial = dict(kept["trial"])
    trial |= {name: tuple(trial[name]) for name in ("fold_scores", "over")}
    trial["footprint"] = _footprint(trial["footprint"])
    return Ended(
        **{
            **kept,
            "trial": Trial(**trial),
            "fold_seconds": tuple(kept["fold_seconds"]),
            "bag": _footprint(kept["bag"]),
        }
    )


def _footprint(kept: dict[str, Any] | None) -> Footprint | None:
    return None if kept is None else Footprint(**kept)
