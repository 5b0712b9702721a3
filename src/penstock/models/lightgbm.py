"""Boosted trees by LightGBM."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock.domain.datasets import Problem
from penstock.domain.search import Choice, Real, SearchSpace, Value, Whole
from penstock.errors import MissingExtra, ModelError
from penstock.graphs import GraphBuilder
from penstock.models._base import BuildContext, Matrix, ModelFamily, Needs, Vector
from penstock.models._boosting import Pace, count_nodes, faster, on_grid, read_trees
from penstock.models._probabilities import probabilities, write_probabilities
from penstock.models._target import SMEARED, TargetScale, learn_scale, skewness
from penstock.models._trees import write_trees

FEW_ROWS = 5_000  # below this smaller trees on fewer columns do better
MANY_ROWS = 20_000  # above this a binary problem carries more leaves
LOG_SKEW = 1.5  # skewness above which trees gain from the target's logarithm; they mind a long tail less than nets
MOST_TREES = 5_000  # of all classes together: with more, answering a row takes over a millisecond
MOST_BAG_NODES = 400_000  # of all fold models together: with more, they are slow to reach, not to walk
TREES_AT_ONCE = 256  # whose nodes stay in a core's cache while rows pass: twice as fast for thousands of trees
BINS = 255  # of a feature; fewer are a little faster and a little worse
FIXED: dict[str, Value] = {
    "verbosity": -1,
    "deterministic": True,
    "force_col_wise": True,
    "feature_pre_filter": False,
    "boost_from_average": True,
    "min_sum_hessian_in_leaf": 1e-7,
    "bagging_freq": 1,
    "max_bin": BINS,
}


@dataclass(slots=True)
class BoostedEstimator:
    """Boosted trees that stop when an inner split no longer gains, at `rounds`, or at the deadline."""

    context: BuildContext
    values: dict[str, Value]
    booster: Any = None
    scale: TargetScale | None = None
    rounds: int = 0
    rate: float = 0.0
    splits: int = field(default=0)

    def fit(
        self, x: Matrix, y: Vector, valid: tuple[Matrix, Vector] | None = None, weight: Vector | None = None
    ) -> "BoostedEstimator":
        """Boost; with `valid` the rounds after its best one are thrown away."""
        import lightgbm

        if not self.context.classes:
            wanted = self.values.get("log_target")
            self.scale = learn_scale(y, skewness(y) > LOG_SKEW if wanted is None else bool(wanted))
        parameters = {**FIXED, **self._own()}
        train = lightgbm.Dataset(x, self._goal(y), weight=weight, params=parameters, free_raw_data=True)
        inner = [] if valid is None else [lightgbm.Dataset(valid[0], self._goal(valid[1]), reference=train)]
        wanted_rounds, room = int(self.values["rounds"] or 1), MOST_TREES // _outputs(self.context.classes)
        rate = faster(float(self.values["rate"] or 0.05), wanted_rounds, room)
        parameters["learning_rate"] = rate
        pace = Pace(self.context.deadline, rate, max(1, min(wanted_rounds, room)))
        booster = lightgbm.train(parameters, train, pace.rounds, valid_sets=inner, callbacks=[pace])
        self.rounds = pace.best + 1 if inner else booster.current_iteration()
        self.rate = pace.rate
        text = on_grid(booster.model_to_string(num_iteration=self.rounds))
        self.booster = lightgbm.Booster(model_str=text)
        self.splits = count_nodes(text)
        if self.scale is not None and self.scale.logarithm:
            some = slice(None, None, max(1, len(x) // SMEARED))
            self.scale = self.scale.smear(self._raw(x[some])[:, 0], y[some])
        return self

    def predict(self, x: Matrix) -> NDArray[np.float64]:
        """Return probabilities of shape (n, classes), or values of shape (n,)."""
        raw = self._raw(x)
        return probabilities(raw) if self.scale is None else self.scale.invert(raw[:, 0])

    @property
    def parameters(self) -> int:
        """The number of splits and leaves."""
        return self.splits

    def refit_parameters(self) -> dict[str, Value]:
        """Return the rounds and the rate that were settled."""
        return {"rounds": self.rounds, "rate": self.rate}

    def write(self, graph: GraphBuilder, features: str) -> str:
        """Add the nodes that do what `predict` does."""
        if self.booster is None:
            raise ModelError("Boosted trees must be fitted before they are exported.")
        columns = _outputs(self.context.classes)
        trees = read_trees(self.booster.model_to_string(), columns)
        raw = write_trees(graph, features, trees, np.zeros(columns))
        if self.scale is not None:
            return self.scale.write(graph, graph.cast(raw, "double"))
        return write_probabilities(graph, raw, columns)

    def _raw(self, x: Matrix) -> NDArray[np.float64]:
        some = max(1, TREES_AT_ONCE // _outputs(self.context.classes))
        found = np.zeros((len(x), _outputs(self.context.classes)))
        for start in range(0, self.rounds, some):
            raw = self.booster.predict(
                x, start_iteration=start, num_iteration=some, raw_score=True, num_threads=self.context.threads
            )
            found += np.asarray(raw, np.float64).reshape(found.shape)
        return found

    def _goal(self, y: Vector) -> Vector:
        return y if self.scale is None else self.scale.apply(y)

    def _own(self) -> dict[str, Value | list[int]]:
        classes, values = self.context.classes, self.values
        objective = {0: "regression", 2: "binary"}.get(classes, "multiclass")
        own: dict[str, Value | list[int]] = {
            "objective": objective,
            "learning_rate": values["rate"],
            "num_leaves": values["leaves"],
            "min_data_in_leaf": values["leaf_rows"],
            "bagging_fraction": values["row_share"],
            "feature_fraction": values["column_share"],
            "lambda_l2": values["l2"],
            "extra_trees": values["random_splits"],
            "num_threads": self.context.threads,
            "seed": self.context.seed,
        }
        if objective == "multiclass":
            own["num_class"] = classes
        if self.context.monotone and classes <= 2:  # noqa: PLR2004 - LightGBM constrains one output alone
            own["monotone_constraints"] = list(self.context.monotone)
        return own


class LightGBM(ModelFamily):
    """Gradient-boosted trees (Ke et al. 2017, "LightGBM: A highly efficient gradient boosting decision tree")."""

    name = "lightgbm"
    flavour = "tree"
    library = "lightgbm"
    bags = True

    def default(self, problem: Problem, rows: int, features: int) -> dict[str, Value]:
        """Return what did best untuned on the project's data sets (starting from Holzmueller et al. 2024)."""
        del features
        common: dict[str, Value] = {"rounds": 1000, "l2": 0.0, "random_splits": False}
        if problem == "regression":
            few = rows < FEW_ROWS
            own: dict[str, Value] = {"leaves": 16 if few else 63, "column_share": 0.4 if few else 0.7}
            return {**common, **own, "rate": 0.05, "leaf_rows": 3, "row_share": 0.7, "log_target": None}
        if problem == "multiclass":
            own = {"rate": 0.1, "leaves": 20, "leaf_rows": 10, "row_share": 0.75, "column_share": 0.5}
            return {**common, **own, "l2": 1.0}  # without it many classes at a high rate run away
        leaves = 8 if rows < MANY_ROWS else 16
        return {**common, "rate": 0.05, "leaves": leaves, "leaf_rows": 20, "row_share": 0.75, "column_share": 0.5}

    def portfolio(self, problem: Problem, rows: int, features: int) -> tuple[dict[str, Value], ...]:
        """Return trees of another size, then random splits (after AutoGluon 1.6 and Holzmueller et al. 2024).

        Where rows are many, large trees come first: they find in few rounds what small ones never do.
        """
        del features
        random: dict[str, Value] = {"random_splits": True, "rate": 0.04, "leaves": 39, "leaf_rows": 3}
        if problem == "multiclass":
            return ({"leaves": 50, "rate": 0.05, "leaf_rows": 5}, {**random, "rate": 0.1})
        if problem == "binary":
            small: dict[str, Value] = {"leaves": 4, "rate": 0.06, "column_share": 0.4, "leaf_rows": 30}
            found: tuple[dict[str, Value], ...] = (
                small,
                {"leaves": 40, "rate": 0.04, "leaf_rows": 40},
                {**random, "leaves": 16, "leaf_rows": 20},
            )
            large: dict[str, Value] = {
                "leaves": 127,
                "rate": 0.08,
                "leaf_rows": 5,
                "row_share": 0.8,
                "column_share": 0.8,
            }
            return found if rows < FEW_ROWS else (large, *found)
        if rows < FEW_ROWS:
            return ({"leaves": 8, "column_share": 0.45, "row_share": 0.72}, random)
        return ({"leaves": 127, "row_share": 0.7, "column_share": 0.6}, random)

    def space(self, problem: Problem, rows: int, features: int) -> SearchSpace:
        """Return rate, size and randomness of trees, and for a regression the target's logarithm."""
        del features
        most = 64 if rows < FEW_ROWS or problem == "multiclass" else 256
        space: SearchSpace = {
            "rate": Real(0.02, 0.2, log=True),
            "leaves": Whole(4, most, log=True),
            "leaf_rows": Whole(1, 100, log=True),
            "row_share": Real(0.5, 1.0),
            "column_share": Real(0.3, 1.0),
            "l2": Real(1e-3, 20.0, log=True),
            "random_splits": Choice((False, True)),
        }
        if problem == "regression":
            space["log_target"] = Choice((None, False, True))
        return space

    def needs(self, rows: int, features: int, classes: int) -> Needs:
        """Return what the usual rounds take: a pass over rows and features a tree, measured."""
        trees = _outputs(classes) * {0: 600, 2: 350}.get(classes, 150)
        seconds = 0.05 + trees * (3e-4 + rows * (features + 12) * 3.4e-9 + features * BINS * 2e-8)
        megabytes = 30 + rows * (features * 5 + 24 * _outputs(classes)) / 1e6 + trees * 0.01
        return Needs(memory_mb=megabytes, seconds=seconds)

    def build(self, parameters: dict[str, Value], context: BuildContext) -> BoostedEstimator:
        """Return unfitted boosted trees.

        Raises
        ------
        MissingExtra
            If LightGBM is not installed.
        """
        try:
            import lightgbm
        except ImportError as missing:
            raise MissingExtra("The family lightgbm needs the package lightgbm, which is not installed.") from missing
        del lightgbm
        known = {**self.default(context.problem, 0, 0), **parameters}
        return BoostedEstimator(context, known)

    def in_bag(self, estimator: Any, place: int, parts: int) -> BoostedEstimator | None:
        """Return it, if there is room for its nodes beside those before it; the first is always there."""
        del parts
        kept: BoostedEstimator = estimator
        return kept if place == 0 or (place + 1) * kept.parameters <= MOST_BAG_NODES else None

    def to_onnx(self, estimator: Any, features: int) -> bytes:
        """Return a graph of one node that walks all trees, and the way from raw scores to answers."""
        graph = GraphBuilder()
        return graph.finish_family(features, estimator.write(graph, "features"), estimator.context.classes)


def _outputs(classes: int) -> int:
    return classes if classes > 2 else 1  # noqa: PLR2004 - one raw score says all of a binary problem
