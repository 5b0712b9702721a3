"""What every model family is: it describes itself, builds estimators and exports them."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from penstock.domain.datasets import Problem
from penstock.domain.features import Flavour
from penstock.domain.search import SearchSpace, Value

Matrix = NDArray[np.float32]
Vector = NDArray[Any]


@dataclass(frozen=True, slots=True)
class BuildContext:
    """What an estimator must know besides its parameters.

    `classes` is 0 for a regression; `deadline` is a `time.monotonic()` at which fitting stops by itself with what
    it has (None: no limit); `device` is `cpu` or `cuda`; `categorical` are the positions of features that hold
    ordinal codes of categories; `monotone` holds -1, 0 or 1 a feature (empty: no constraint).
    """

    problem: Problem
    classes: int
    seed: int
    threads: int = 1
    device: str = "cpu"
    deadline: float | None = None
    categorical: tuple[int, ...] = ()
    monotone: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Needs:
    """What one fit is predicted to take: memory in MB beyond the loaded libraries, and seconds on one core."""

    memory_mb: float
    seconds: float
    gains_from_gpu: bool = False


class Estimator(Protocol):
    """A fitted or unfitted model of encoded features."""

    def fit(
        self, x: Matrix, y: Vector, valid: tuple[Matrix, Vector] | None = None, weight: Vector | None = None
    ) -> "Estimator":
        """Fit on `x` of shape (n, k) and `y` of shape (n,): class codes, or values.

        `valid` is an inner split for early stopping; it is never the fold that is scored.
        """
        ...

    def predict(self, x: Matrix) -> NDArray[np.float64]:
        """Return probabilities of shape (n, classes), or values of shape (n,)."""
        ...

    @property
    def parameters(self) -> int:
        """The number of fitted parameters (weights, or leaves and splits)."""
        ...

    def refit_parameters(self) -> dict[str, Value]:
        """Return what early stopping settled (such as the number of rounds), for a fit without an inner split."""
        ...


class ModelFamily(ABC):
    """A kind of model.

    `flavour` names the encoding it wants: `tree` keeps NaN and codes, `dense` is imputed, scaled and one-hot.
    `library` names what a process loads for it: two families of different compiled libraries (lightgbm, torch)
    never share a process. `bags` says that a classifier of many rows does better as the mean of its fold models than
    as one fit on all rows. A family with a compiled library, or that `stops_early`, is given an inner split. `brief`
    are parameters that make a fit short and leave what a step costs, to compare CPU and GPU; without any a family that
    gains from a GPU is sent there untimed.
    """

    name: ClassVar[str]
    problems: ClassVar[frozenset[str]] = frozenset({"binary", "multiclass", "regression"})
    flavour: ClassVar[Flavour]
    library: ClassVar[Literal["sklearn", "lightgbm", "torch"]] = "sklearn"
    bags: ClassVar[bool] = False
    stops_early: ClassVar[bool] = False
    brief: ClassVar[dict[str, Value]] = {}

    @abstractmethod
    def default(self, problem: Problem, rows: int, features: int) -> dict[str, Value]:
        """Return the strong default configuration."""

    def portfolio(self, problem: Problem, rows: int, features: int) -> tuple[dict[str, Value], ...]:
        """Return configurations that are strong elsewhere and differ from the default, the best first."""
        del problem, rows, features
        return ()

    @abstractmethod
    def space(self, problem: Problem, rows: int, features: int) -> SearchSpace:
        """Return what a search may vary; empty for a family with nothing to tune."""

    def refusal(self, problem: Problem, rows: int, features: int) -> str | None:
        """Return why it is not tried on such a table or in this environment (listed as skipped), None where it is."""
        del problem, rows, features
        return None

    @abstractmethod
    def needs(self, rows: int, features: int, classes: int) -> Needs:
        """Return what one fit takes with the default configuration."""

    @abstractmethod
    def build(self, parameters: dict[str, Value], context: BuildContext) -> Estimator:
        """Return an unfitted estimator.

        Raises
        ------
        ModelError
            If the parameters cannot be built.
        """

    def in_bag(self, estimator: Any, place: int, parts: int) -> Any:
        """Return what of a fold model goes into a bag, at this place of so many; None for nothing.

        A family that is many models itself gives some of them, one of large models gives the first of them alone: a
        bag is not to answer much more slowly than one model does.
        """
        del place, parts
        return estimator

    @abstractmethod
    def to_onnx(self, estimator: Estimator, features: int) -> bytes:
        """Return an ONNX graph: input `features` float32 (N, k), output `scores`.

        That is float32 of shape (N, classes), or float64 of shape (N, 1): a value far from 0 has no room in float32.

        Raises
        ------
        ModelError
            If the estimator cannot be exported; the message says why.
        """
