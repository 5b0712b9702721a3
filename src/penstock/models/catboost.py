"""Boosted trees by CatBoost, an extra."""

import json
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
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
MOST_TREES = 2_000  # deeper than LightGBM's, and each has all its leaves
MOST_BAG_NODES = 400_000  # of all fold models together
LOWEST = -1e37  # a border that tells missing values from all others is below every value
CHUNK = 20_000  # rows predicted at once


@dataclass(frozen=True, slots=True)
class Levels:
    """One oblivious tree: each level asks one question of all rows, bit i of a leaf's place is level i's answer.

    A row answers yes where its feature is above the border, and where it is missing and `missing` says so.
    """

    features: NDArray[np.int64]
    borders: NDArray[np.float32]
    missing: NDArray[np.bool_]
    leaves: NDArray[np.float64]

    def places(self, x: Matrix) -> NDArray[np.int64]:
        """Return the place of each row's leaf."""
        found = np.zeros(len(x), np.int64)
        for level, (feature, border, missing) in enumerate(zip(self.features, self.borders, self.missing, strict=True)):
            given = x[:, feature]
            yes = ~(given <= border) if missing else given > border
            found += yes.astype(np.int64) << level
        return found

    def table(self) -> Tree:
        """Return it as a table of nodes, level by level."""
        depth, width = len(self.features), self.leaves.shape[1]
        inner = 2**depth - 1
        levels = np.floor(np.log2(np.arange(1, inner + 1))).astype(np.int64)
        places = np.arange(inner)
        values = np.zeros((inner + 2**depth, width))
        order = np.array([int(f"{leaf:0{depth}b}"[::-1], 2) if depth else 0 for leaf in range(2**depth)])
        values[inner:] = self.leaves[
            order
        ]  # from the left the first level's answer counts most, in a place it counts least
        none, still = np.full(2**depth, -1, np.int64), np.zeros(2**depth)
        return Tree(
            np.concatenate([self.features[levels], none]),
            np.concatenate([self.borders[levels].astype(np.float64), still]),
            np.concatenate([2 * places + 1, none]),
            np.concatenate([2 * places + 2, none]),
            np.concatenate([~self.missing[levels], still.astype(bool)]),
            values,
        )


@dataclass(slots=True)
class CatBoostEstimator:
    """Oblivious trees, kept as arrays, so that predicting and loading need no CatBoost."""

    context: BuildContext
    values: dict[str, Value]
    trees: list[Levels] = field(default_factory=list)
    scale: TargetScale | None = None
    start: NDArray[np.float64] = field(default_factory=lambda: np.zeros(1))

    def fit(
        self, x: Matrix, y: Vector, valid: tuple[Matrix, Vector] | None = None, weight: Vector | None = None
    ) -> "CatBoostEstimator":
        """Boost; with `valid` the rounds after its best one are thrown away."""
        import catboost

        if not self.context.classes:
            wanted = self.values.get("log_target")
            self.scale = learn_scale(y, skewness(y) > LOG_SKEW if wanted is None else bool(wanted))
        self.start = self._starts(y, weight)
        if np.all(y == y[0]):
            return self  # CatBoost refuses a target of one value; without trees the start says it
        train = self._pool(catboost, x, self._goal(y), weight)
        inner = None if valid is None else self._pool(catboost, valid[0], self._goal(valid[1]), None)
        wanted_rounds, room = int(self.values["rounds"] or 1), MOST_TREES // len(self.start)
        rate = faster(float(self.values["rate"] or 0.08), wanted_rounds, room)
        watch = Watch(self.context.deadline, rate, max(1, min(wanted_rounds, room)))
        model = catboost.CatBoost({**self._own(watch.rounds), "learning_rate": rate})
        model.fit(train, eval_set=inner, callbacks=[_Keeper(watch)], use_best_model=False)
        self.trees = _on_grid(_read(model)[: watch.best + 1])
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
        """The number of questions and leaves."""
        return sum(len(tree.features) + tree.leaves.size for tree in self.trees) + len(self.start)

    def refit_parameters(self) -> dict[str, Value]:
        """Return the rounds that were settled."""
        return {"rounds": max(1, len(self.trees))}

    def write(self, graph: GraphBuilder, features: str) -> str:
        """Add the nodes that do what `predict` does."""
        columns = len(self.start)
        trees = [tree.table() for tree in self.trees] or [_nothing(columns)]
        summed = graph.cast(write_trees(graph, features, trees, np.zeros(columns)), "double")
        raw = graph.add("Add", summed, graph.constant(self.start, double=True))
        if self.scale is not None:
            return self.scale.write(graph, raw)
        return write_probabilities(graph, graph.cast(raw, "float"), columns)

    def _raw(self, x: Matrix) -> NDArray[np.float64]:
        raw = np.tile(self.start, (len(x), 1))
        for begin in range(0, len(x), CHUNK):
            part = np.asfortranarray(x[begin : begin + CHUNK])
            for tree in self.trees:
                raw[begin : begin + CHUNK] += tree.leaves[tree.places(part)]
        return raw

    def _pool(self, catboost: Any, x: Matrix, goal: Vector, weight: Vector | None) -> Any:
        margin = np.tile(self.start, (len(x), 1))
        return catboost.Pool(np.asarray(x), goal, weight=weight, baseline=margin)

    def _starts(self, y: Vector, weight: Vector | None) -> NDArray[np.float64]:
        """Return what trees are added to: the mean on the scale of raw scores."""
        if not self.context.classes:
            return np.zeros(1)
        shares = np.bincount(y, weight, self.context.classes)
        logs = np.log(np.maximum(shares / shares.sum(), 1e-6))
        start: NDArray[np.float64] = logs if self.context.classes > 2 else logs[1:] - logs[:1]  # noqa: PLR2004 - one raw score is a binary one
        return start

    def _goal(self, y: Vector) -> Vector:
        return y if self.scale is None else self.scale.apply(y)

    def _own(self, rounds: int) -> dict[str, Any]:
        values, classes = self.values, self.context.classes
        own: dict[str, Any] = {
            "loss_function": {0: "RMSE", 2: "Logloss"}.get(classes, "MultiClass"),
            "iterations": rounds,
            "learning_rate": values["rate"],
            "depth": values["depth"],
            "l2_leaf_reg": values["l2"],
            "random_strength": values["random"],
            "rsm": values["column_share"],
            "boosting_type": "Plain",
            "bootstrap_type": "Bernoulli",
            "subsample": values["row_share"],
            "boost_from_average": False,
            "leaf_estimation_iterations": 1,
            "thread_count": self.context.threads,
            "random_seed": self.context.seed,
            "allow_writing_files": False,
            "verbose": False,
        }
        if classes > 2:  # noqa: PLR2004 - one raw score is a binary one
            own["classes_count"] = classes
        if self.context.monotone and classes <= 2:  # noqa: PLR2004 - CatBoost constrains one output alone
            own["monotone_constraints"] = list(self.context.monotone)
        return own


class CatBoost(ModelFamily):
    """Boosted oblivious trees (Prokhorenkova et al. 2018, "CatBoost: Unbiased boosting"); in the extra `catboost`.

    Categories come as codes and as the mean target that the pipeline learns inside folds, not by CatBoost's own
    statistics, which no graph of trees holds.
    """

    name = "catboost"
    flavour = "tree"
    library = "lightgbm"  # the processes of boosted trees: what matters is that they are not torch's
    bags = True

    def default(self, problem: Problem, rows: int, features: int) -> dict[str, Value]:
        """Return what Holzmueller et al. 2024, "Better by Default", tuned once for all, less deep for a regression."""
        del rows, features
        common: dict[str, Value] = {"rounds": 1000, "row_share": 0.9, "column_share": 1.0}
        if problem == "regression":
            return {**common, "rate": 0.09, "depth": 7, "l2": 1.0, "random": 0.0, "log_target": None}
        return {**common, "rate": 0.08, "depth": 6, "l2": 1.0, "random": 0.8}

    def space(self, problem: Problem, rows: int, features: int) -> SearchSpace:
        """Return rate, depth and randomness of trees."""
        del problem, rows, features
        return {
            "rate": Real(0.03, 0.2, log=True),
            "depth": Whole(4, 8),
            "l2": Real(0.01, 20.0, log=True),
            "random": Real(0.0, 2.0),
            "row_share": Real(0.5, 1.0),
        }

    def refusal(self, problem: Problem, rows: int, features: int) -> str | None:
        """Return that the package is absent, if it is."""
        del problem, rows, features
        return why_absent("catboost")

    def needs(self, rows: int, features: int, classes: int) -> Needs:
        """Return what the usual rounds take, measured."""
        outputs = classes if classes > 2 else 1  # noqa: PLR2004 - one raw score says all of a binary problem
        trees = min({0: 800}.get(classes, 300), MOST_TREES // outputs)
        seconds = 0.3 + trees * (2e-3 + rows * (features + 20) * 1e-8 * (1 + outputs / 4))
        return Needs(memory_mb=100 + rows * (features * 6 + 32 * outputs) / 1e6 + trees * 0.05, seconds=seconds)

    def build(self, parameters: dict[str, Value], context: BuildContext) -> CatBoostEstimator:
        """Return unfitted boosted trees.

        Raises
        ------
        MissingExtra
            If CatBoost is not installed.
        """
        need("catboost")
        return CatBoostEstimator(context, {**self.default(context.problem, 0, 0), **parameters})

    def in_bag(self, estimator: Any, place: int, parts: int) -> CatBoostEstimator | None:
        """Return it, if there is room for its nodes beside those before it; the first is always there."""
        del parts
        kept: CatBoostEstimator = estimator
        return kept if place == 0 or 2 * (place + 1) * kept.parameters <= MOST_BAG_NODES else None

    def to_onnx(self, estimator: Any, features: int) -> bytes:
        """Return a graph of one node that walks all trees, and the way from raw scores to answers."""
        graph = GraphBuilder()
        return graph.finish_family(features, estimator.write(graph, "features"), estimator.context.classes)


@dataclass(slots=True)
class _Keeper:
    """CatBoost's callback that keeps time; it cannot change the rate."""

    watch: Watch

    def after_iteration(self, info: Any) -> bool:
        """Return whether to go on."""
        losses = next(iter(info.metrics["validation"].values())) if "validation" in (info.metrics or {}) else None
        return not self.watch.is_over(info.iteration, None if losses is None else float(losses[-1]))


def _read(model: Any) -> list[Levels]:
    """Return the trees of a model, which CatBoost writes to a file alone."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.json"
        model.save_model(str(path), format="json")
        text = json.loads(path.read_text(encoding="utf-8"))
    scale, _ = text["scale_and_bias"]
    if scale != 1:
        raise ModelError(f"CatBoost must write leaves as they count, but scales them by {scale!r}.")
    flat = {one["feature_index"]: one for one in text["features_info"]["float_features"]}
    return [_levels(tree, flat) for tree in text["oblivious_trees"]]


def _levels(tree: dict[str, Any], features: dict[int, Any]) -> Levels:
    splits = tree["splits"] or []
    given = [features[split["float_feature_index"]] for split in splits]
    return Levels(
        np.array([one["flat_feature_index"] for one in given], np.int64),
        np.maximum([split["border"] for split in splits], LOWEST).astype(np.float32),
        np.array([one["nan_value_treatment"] == "AsTrue" for one in given], bool),
        np.array(tree["leaf_values"], np.float64).reshape(2 ** len(splits), -1),
    )


def _on_grid(trees: list[Levels]) -> list[Levels]:
    """Put leaves on a grid, so that float32 sums of them are exact."""
    step = grid_step(np.array([np.abs(tree.leaves).max() for tree in trees]))
    return [Levels(one.features, one.borders, one.missing, np.round(one.leaves / step) * step) for one in trees]


def _nothing(columns: int) -> Tree:
    none = np.full(1, -1, np.int64)
    return Tree(none, np.zeros(1), none, none, np.zeros(1, bool), np.zeros((1, columns)))
