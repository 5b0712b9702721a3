"""Boosted trees by XGBoost, an extra."""

import json
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock.domain.datasets import Problem
from penstock.domain.search import Real, SearchSpace, Value, Whole
from penstock.errors import ModelError
from penstock.graphs import GraphBuilder
from penstock.models._base import BuildContext, Matrix, ModelFamily, Needs, Vector
from penstock.models._boosting import faster
from penstock.models._extras import Watch, need, why_absent
from penstock.models._probabilities import probabilities, write_probabilities
from penstock.models._target import SMEARED, TargetScale, learn_scale, skewness
from penstock.models._trees import Tree, grid_step, write_trees

LOG_SKEW = 1.5  # skewness above which trees gain from the target's logarithm
MOST_TREES = 5_000  # of all classes together: with more, answering a row takes over a millisecond
MOST_BAG_NODES = 400_000  # of all fold models together
SMALLEST = float(np.finfo(np.float32).tiny)  # of float32 that every library compares alike


@dataclass(slots=True)
class XGBoostEstimator:
    """Boosted trees that stop when an inner split no longer gains, at `rounds`, or at the deadline."""

    context: BuildContext
    values: dict[str, Value]
    booster: Any = None
    scale: TargetScale | None = None
    start: NDArray[np.float64] = field(default_factory=lambda: np.zeros(1))
    rounds: int = 0
    rate: float = 0.0
    nodes: int = 0

    def fit(
        self, x: Matrix, y: Vector, valid: tuple[Matrix, Vector] | None = None, weight: Vector | None = None
    ) -> "XGBoostEstimator":
        """Boost; with `valid` the rounds after its best one are thrown away."""
        import xgboost

        if not self.context.classes:
            wanted = self.values.get("log_target")
            self.scale = learn_scale(y, skewness(y) > LOG_SKEW if wanted is None else bool(wanted))
        self.start = self._starts(y, weight)
        train = self._table(xgboost, x, self._goal(y), weight)
        inner = [] if valid is None else [(self._table(xgboost, valid[0], self._goal(valid[1]), None, train), "inner")]
        rounds, room = int(self.values["rounds"] or 1), MOST_TREES // len(self.start)
        rate = faster(float(self.values["rate"] or 0.05), rounds, room)
        watch = Watch(self.context.deadline, rate, max(1, min(rounds, room)))
        keeper = _keeper(xgboost, watch)
        grown = xgboost.train(
            {**self._own(), "eta": rate}, train, watch.rounds, evals=inner, callbacks=[keeper], verbose_eval=False
        )
        self.rounds, self.rate = watch.best + 1, watch.rate
        self.booster = xgboost.Booster({"nthread": self.context.threads})
        self.booster.load_model(bytearray(json.dumps(_on_grid(_text_of(grown[: self.rounds]))).encode()))
        self.nodes = sum(len(tree["left_children"]) for tree in _trees(_text_of(self.booster)))
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
        return self.nodes

    def refit_parameters(self) -> dict[str, Value]:
        """Return the rounds and the rate that were settled."""
        return {"rounds": self.rounds, "rate": self.rate}

    def write(self, graph: GraphBuilder, features: str) -> str:
        """Add the nodes that do what `predict` does."""
        if self.booster is None:
            raise ModelError("Boosted trees must be fitted before they are exported.")
        columns = len(self.start)
        trees = [_tree(one, place % columns, columns) for place, one in enumerate(_trees(_text_of(self.booster)))]
        summed = graph.cast(write_trees(graph, features, trees, np.zeros(columns)), "double")
        raw = graph.add("Add", summed, graph.constant(self.start, double=True))
        if self.scale is not None:
            return self.scale.write(graph, raw)
        return write_probabilities(graph, graph.cast(raw, "float"), columns)

    def _raw(self, x: Matrix) -> NDArray[np.float64]:
        import xgboost

        given = xgboost.DMatrix(np.ascontiguousarray(x), missing=np.nan, nthread=self.context.threads)
        said = np.asarray(self.booster.predict(given, output_margin=True), np.float64)
        raw: NDArray[np.float64] = said.reshape(len(x), len(self.start)) + self.start
        return raw

    def _table(self, xgboost: Any, x: Matrix, goal: Vector, weight: Vector | None, as_in: Any = None) -> Any:
        """Return rows in bins, those of another table if it is given."""
        margin = np.tile(self.start.astype(np.float32), (len(x), 1))
        threads = self.context.threads
        return xgboost.QuantileDMatrix(
            x, goal, weight=weight, base_margin=margin, missing=np.nan, nthread=threads, ref=as_in
        )

    def _starts(self, y: Vector, weight: Vector | None) -> NDArray[np.float64]:
        """Return what trees are added to: the mean on the scale of raw scores."""
        if not self.context.classes:
            return np.zeros(1)
        shares = np.bincount(y, weight, self.context.classes)
        logs = np.log(np.maximum(shares / shares.sum(), 1e-6))
        start = logs if self.context.classes > 2 else logs[1:] - logs[:1]  # noqa: PLR2004 - one raw score is a binary one
        rounded: NDArray[np.float64] = np.round(start, 6)
        return rounded

    def _goal(self, y: Vector) -> Vector:
        return y if self.scale is None else self.scale.apply(y)

    def _own(self) -> dict[str, Any]:
        classes, values = self.context.classes, self.values
        objective = {0: "reg:squarederror", 2: "binary:logistic"}.get(classes, "multi:softprob")
        metric = {0: "rmse", 2: "logloss"}.get(classes, "mlogloss")
        own: dict[str, Any] = {
            "objective": objective,
            "eval_metric": metric,
            "eta": values["rate"],
            "max_depth": values["depth"],
            "min_child_weight": values["child_weight"],
            "subsample": values["row_share"],
            "colsample_bylevel": values["column_share"],
            "lambda": values["l2"],
            "tree_method": "hist",
            "nthread": self.context.threads,
            "seed": self.context.seed,
        }
        if len(self.start) > 1:
            own["num_class"] = classes
        if self.context.monotone and len(self.start) == 1:
            own["monotone_constraints"] = tuple(self.context.monotone)
        return own


class XGBoost(ModelFamily):
    """Boosted trees (Chen, Guestrin 2016, "XGBoost: A scalable tree boosting system"); in the extra `xgboost`."""

    name = "xgboost"
    flavour = "tree"
    library = "lightgbm"  # the processes of boosted trees: what matters is that they are not torch's
    bags = True

    def default(self, problem: Problem, rows: int, features: int) -> dict[str, Value]:
        """Return what Holzmueller et al. 2024, "Better by Default", tuned once for all."""
        del rows, features
        common: dict[str, Value] = {"rounds": 1000}
        if problem == "regression":
            own: dict[str, Value] = {
                "rate": 0.05,
                "depth": 9,
                "row_share": 0.7,
                "column_share": 0.9,
                "log_target": None,
            }
            return {**common, **own, "child_weight": 2.0, "l2": 1e-3}
        own = {"rate": 0.08, "depth": 6, "row_share": 0.65, "column_share": 0.9, "child_weight": 1e-3, "l2": 1e-3}
        return {**common, **own}

    def portfolio(self, problem: Problem, rows: int, features: int) -> tuple[dict[str, Value], ...]:
        """Return small trees."""
        del problem, rows, features
        return ({"depth": 4, "column_share": 0.6, "rate": 0.05},)

    def space(self, problem: Problem, rows: int, features: int) -> SearchSpace:
        """Return rate, size and randomness of trees."""
        del problem, rows, features
        return {
            "rate": Real(0.02, 0.2, log=True),
            "depth": Whole(3, 10),
            "child_weight": Real(1e-3, 30.0, log=True),
            "row_share": Real(0.5, 1.0),
            "column_share": Real(0.3, 1.0),
            "l2": Real(1e-3, 20.0, log=True),
        }

    def refusal(self, problem: Problem, rows: int, features: int) -> str | None:
        """Return that the package is absent, if it is."""
        del problem, rows, features
        return why_absent("xgboost")

    def needs(self, rows: int, features: int, classes: int) -> Needs:
        """Return what the usual rounds take: a pass over rows and features a level of a tree, measured."""
        outputs = classes if classes > 2 else 1  # noqa: PLR2004 - one raw score says all of a binary problem
        trees = outputs * {0: 400, 2: 150}.get(classes, 100)
        seconds = 0.1 + trees * (1e-3 + rows * (features + 20) * 8e-9)
        return Needs(memory_mb=40 + rows * (features * 6 + 32 * outputs) / 1e6 + trees * 0.05, seconds=seconds)

    def build(self, parameters: dict[str, Value], context: BuildContext) -> XGBoostEstimator:
        """Return unfitted boosted trees.

        Raises
        ------
        MissingExtra
            If XGBoost is not installed.
        """
        need("xgboost")
        return XGBoostEstimator(context, {**self.default(context.problem, 0, 0), **parameters})

    def in_bag(self, estimator: Any, place: int, parts: int) -> XGBoostEstimator | None:
        """Return it, if there is room for its nodes beside those before it; the first is always there."""
        del parts
        kept: XGBoostEstimator = estimator
        return kept if place == 0 or (place + 1) * kept.parameters <= MOST_BAG_NODES else None

    def to_onnx(self, estimator: Any, features: int) -> bytes:
        """Return a graph of one node that walks all trees, and the way from raw scores to answers."""
        graph = GraphBuilder()
        return graph.finish_family(features, estimator.write(graph, "features"), estimator.context.classes)


def _keeper(xgboost: Any, watch: Watch) -> Any:
    """Return XGBoost's callback that keeps time; its base class is only there with the package."""

    class Keeper(xgboost.callback.TrainingCallback):  # type: ignore[misc]
        def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:
            losses = next(iter(evals_log["inner"].values())) if evals_log else None
            over = watch.is_over(epoch + 1, None if losses is None else float(losses[-1]))
            rate = None if over else watch.wanted_rate(epoch + 1)
            if rate is not None:
                model.set_param("learning_rate", rate)
            return over

    return Keeper()


def _text_of(booster: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(bytes(booster.save_raw("json")))
    return found


def _trees(model: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = model["learner"]["gradient_booster"]["model"]["trees"]
    return found


def _on_grid(model: dict[str, Any]) -> dict[str, Any]:
    """Put leaves on a grid, so that float32 sums of them are exact, and take away the score that trees start from."""
    trees = _trees(model)
    leaves = [np.array(tree["left_children"]) < 0 for tree in trees]
    values = [np.array(tree["split_conditions"], np.float64) for tree in trees]
    step = grid_step(np.array([np.abs(one[leaf]).max() for one, leaf in zip(values, leaves, strict=True)]))
    for tree, one, leaf in zip(trees, values, leaves, strict=True):
        rounded = np.where(leaf, np.round(one / step) * step, one)
        tree["split_conditions"] = rounded.tolist()
        tree["base_weights"] = np.where(leaf, rounded, tree["base_weights"]).tolist()
    given = model["learner"]["learner_model_param"]
    objective = model["learner"]["objective"]["name"]
    zero = "5E-1" if objective == "binary:logistic" else "0E0"
    given["base_score"] = f"[{','.join([zero] * max(1, int(given['num_class'])))}]"
    given["boost_from_average"] = "0"
    return model


def _tree(tree: dict[str, Any], column: int, columns: int) -> Tree:
    """Return a tree's table: XGBoost goes left below a threshold, the table up to it."""
    left, right = (np.array(tree[side], np.int64) for side in ("left_children", "right_children"))
    leaf = left < 0
    conditions = np.array(tree["split_conditions"], np.float32)
    below = np.nextafter(conditions, np.float32(-np.inf))
    below = np.where(np.abs(below) < SMALLEST, np.float32(-SMALLEST), below)
    values = np.zeros((len(left), columns))
    values[leaf, column] = conditions[leaf]
    return Tree(
        np.where(leaf, -1, np.array(tree["split_indices"], np.int64)),
        np.where(leaf, 0.0, below.astype(np.float64)),
        np.where(leaf, -1, left),
        np.where(leaf, -1, right),
        np.array(tree["default_left"], bool) & ~leaf,
        values,
    )
