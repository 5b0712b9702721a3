"""An estimator of the user's own as a family: a scikit-learn class or factory in a Python file of the project."""

import hashlib
import importlib.util
import inspect
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock.domain.datasets import Problem
from penstock.domain.search import OwnSource, SearchSpace, Value
from penstock.errors import ModelError, NotFound
from penstock.models._base import BuildContext, Matrix, ModelFamily, Needs, Vector
from penstock.search.wishes.spaces import dimension_of, nearest

SECONDS_PER_CELL = 5e-6  # of a first fit, before one was measured here
COPIES = 4  # of the rows, in float64: what an estimator that nobody has measured is given

OURS = "penstock_own_"  # begins the names of modules that stand for such files

WITHOUT_GRAPH = (
    "it has no method `to_onnx(features)` that returns a graph (input `features`, output `scores`), and only graphs "
    "are served: it is compared and listed, and cannot win"
)


@dataclass(slots=True, eq=False)
class OwnFamily(ModelFamily):
    """A user's estimator, given imputed, scaled and one-hot encoded features; folds and leaderboard are everybody's."""

    source: OwnSource
    unserved: str = field(init=False)

    def __post_init__(self) -> None:
        """Describe itself.

        Raises
        ------
        NotFound
            If there is no such file, or no such name in it.
        ModelError
            If the file cannot be run.
        """
        self.name, self.flavour, self.library = self.source.name, "dense", "sklearn"  # type: ignore[misc]
        made = _make(self.source, self._first(), None)
        self.unserved = "" if hasattr(made, "to_onnx") else WITHOUT_GRAPH

    @property
    def said(self) -> dict[str, Any]:
        """What the project file says of its parameters."""
        return dict(self.source.said)

    def default(self, problem: Problem, rows: int, features: int) -> dict[str, Value]:
        """Return what was fixed, and the estimator's own default moved into what was narrowed; the rest it knows."""
        del problem, rows, features
        return self._first()

    def _first(self) -> dict[str, Value]:
        own = _own_defaults(_maker(self.source))
        return {
            name: nearest(own.get(name), dimension_of(value)) if isinstance(value, list) else value
            for name, value in self.source.said
        }

    def space(self, problem: Problem, rows: int, features: int) -> SearchSpace:
        """Return what the project file says is to be varied."""
        del problem, rows, features
        return {name: dimension_of(values) for name, values in self.source.said if isinstance(values, list)}

    def needs(self, rows: int, features: int, classes: int) -> Needs:
        """Return a guess, which the first trial corrects."""
        del classes
        cells = rows * features
        return Needs(memory_mb=50 + COPIES * cells * 8 / 2**20, seconds=0.2 + cells * SECONDS_PER_CELL)

    def build(self, parameters: dict[str, Value], context: BuildContext) -> "OwnEstimator":
        """Return an unfitted estimator."""
        return OwnEstimator(self.source, _make(self.source, parameters, context.seed), context.classes)

    def to_onnx(self, estimator: Any, features: int) -> bytes:
        """Return the graph that the estimator writes.

        Raises
        ------
        ModelError
            If it writes none.
        """
        if self.unserved:
            raise ModelError(f"The estimator {self.source.name!r} cannot be exported: {self.unserved}.")
        graph: bytes = estimator.fitted.to_onnx(features)
        return graph


def file_digest(source: OwnSource) -> str:
    """Return the digest of a file's text; of a file that is not there, of none."""
    path = Path(source.path)
    return hashlib.sha256(path.read_bytes() if path.exists() else b"").hexdigest()


def own_families(sources: tuple[OwnSource, ...]) -> dict[str, ModelFamily]:
    """Return the families of the user's estimators, by name."""
    return {source.name: OwnFamily(source) for source in sources}


@dataclass(slots=True, eq=False)
class OwnEstimator:
    """A user's estimator with the interface of the others; it pickles with the code of its file."""

    source: OwnSource
    fitted: Any
    classes: int

    def fit(
        self, x: Matrix, y: Vector, valid: tuple[Matrix, Vector] | None = None, weight: Vector | None = None
    ) -> "OwnEstimator":
        """Fit it; there is no early stopping."""
        del valid, weight
        self.fitted = self.fitted.fit(np.asarray(x, np.float64), y)
        return self

    def predict(self, x: Matrix) -> NDArray[np.float64]:
        """Return probabilities of shape (n, classes), certain ones where the estimator knows none, or values (n,)."""
        given = np.asarray(x, np.float64)
        if not self.classes:
            return np.asarray(self.fitted.predict(given), np.float64).reshape(len(given))
        seen = np.asarray(self.fitted.classes_, np.int64)
        shares = np.zeros((len(given), self.classes))
        if hasattr(self.fitted, "predict_proba"):
            shares[:, seen] = self.fitted.predict_proba(given)
        else:
            shares[np.arange(len(given)), np.asarray(self.fitted.predict(given), np.int64)] = 1.0
        return shares

    @property
    def parameters(self) -> int:
        """What it says of itself, else the numbers in its arrays."""
        told = getattr(self.fitted, "parameters", None)
        arrays = [value for value in vars(self.fitted).values() if isinstance(value, np.ndarray)]
        return int(told) if isinstance(told, int) else sum(array.size for array in arrays)

    def refit_parameters(self) -> dict[str, Value]:
        """Return nothing: nothing is settled by early stopping."""
        return {}

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle it with the code of its file, so that the model does not change when the file does."""
        import cloudpickle  # noqa: TID251  with the code of the file, which no other pickle holds

        module = sys.modules.get(type(self.fitted).__module__)
        if module is not None and module.__name__.startswith(OURS):
            cloudpickle.register_pickle_by_value(module)
        return _restored, (self.source, cloudpickle.dumps(self.fitted), self.classes)


def _restored(source: OwnSource, fitted: bytes, classes: int) -> OwnEstimator:
    import cloudpickle  # noqa: TID251  see above

    return OwnEstimator(source, cloudpickle.loads(fitted), classes)


def _make(source: OwnSource, parameters: dict[str, Value], seed: int | None) -> Any:
    """Return an unfitted estimator of the user's, seeded where it takes a seed."""
    maker, where = _maker(source), f"{source.path}:{source.attribute}"
    try:
        given = dict(parameters)
        if seed is not None and "random_state" in inspect.signature(maker).parameters:
            given.setdefault("random_state", seed)
        made = maker(**given)
    except Exception as error:
        raise ModelError(f"The estimator at {where} must be made with {parameters}, but: {error}.") from error
    if not (hasattr(made, "fit") and hasattr(made, "predict")):
        raise ModelError(f"What {where} makes must have `fit` and `predict`, but is a {type(made).__name__}.")
    return made


def _maker(source: OwnSource) -> Callable[..., Any]:
    """Return the class or function that makes an estimator of the user's."""
    maker = getattr(_module(source), source.attribute, None)
    if not callable(maker):
        where = f"{source.path}:{source.attribute}"
        raise NotFound(f"`families.own.{source.name}` must name a class or function, but there is none at {where}.")
    found: Callable[..., Any] = maker
    return found


def _own_defaults(maker: Callable[..., Any]) -> dict[str, Any]:
    """Return what a class or function takes for the parameters that it is not given; nothing where it does not tell."""
    try:
        parameters = inspect.signature(maker).parameters
    except ValueError:  # one that is compiled
        return {}
    return {name: one.default for name, one in parameters.items() if one.default is not one.empty}


def _module(source: OwnSource) -> Any:
    """Return the module of a file, run once a process; a file that was edited is another."""
    path = Path(source.path)
    name = f"{OURS}{source.name}_{file_digest(source)[:12]}"
    if name in sys.modules:
        return sys.modules[name]
    if not path.exists():
        raise NotFound(f"`families.own.{source.name}` must name a file, but there is none at {source.path}.")
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ModelError(f"The file {source.path} must be a Python module, but is not.")
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise ModelError(f"The file {source.path} must run, but: {type(error).__name__}: {error}.") from error
    return module
