"""A schedule of families whose times are known, and trials of theirs that ended."""

from penstock.domain.features import Flavour
from penstock.domain.search import Budget, Real, Trial
from penstock.models._base import Needs
from penstock.search.order.plans import Shape
from penstock.search.order.schedule import Schedule
from penstock.search.trial_records import Ended, Kind

FEATURES: dict[Flavour, int] = {"tree": 10, "dense": 20}
EVERYTHING = {"sklearn", "lightgbm", "torch"}
GOOD, FAIR, POOR = (0.9, 0.91, 0.89, 0.92, 0.88), (0.89, 0.905, 0.885, 0.91, 0.88), (0.7, 0.7, 0.7, 0.7, 0.7)


class Timed:
    """A family of which only library, flavour and needs are asked."""

    flavour: Flavour = "tree"

    def __init__(self, library: str, seconds: float) -> None:
        self.library, self.seconds = library, seconds

    def needs(self, rows: int, features: int, classes: int) -> Needs:
        del features, classes
        return Needs(10, self.seconds * rows / 800)


def make(seconds: float = 20, trials: int | None = None, **families: Timed) -> Schedule:
    known = families or {"linear": Timed("sklearn", 0.01), "lightgbm": Timed("lightgbm", 1), "mlp": Timed("torch", 2)}
    return Schedule(
        families=known,  # type: ignore[arg-type]
        shape=Shape((800,) * 5, 1000, FEATURES, 2),
        budget=Budget(seconds, trials),
        slots=2,
        defaults={name: {} for name in known},
        spaces={name: {"rate": Real(0, 1)} if name != "linear" else {} for name in known},
    )


def ended(number: int, family: str, scores: tuple[float, ...], kind: Kind = "default", seconds: float = 5) -> Ended:
    trial = Trial(
        number=number,
        family=family,
        parameters={},
        state="finished" if scores else "failed",
        score=sum(scores) / len(scores) if scores else None,
        fold_scores=scores,
        seconds=seconds,
        slot=0,
        partial=kind == "partial",
    )
    return Ended(trial, kind, {}, 100 * number, tuple(seconds / 5 for _ in scores))
