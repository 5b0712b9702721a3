"""What every model family must do, drop-ins from elsewhere included."""

import time
from collections.abc import Callable
from typing import Any

import cloudpickle
import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray

from penstock.data.decoding import compile_decoding
from penstock.data.types.words import TEXT_PARTS
from penstock.domain.datasets import Problem
from penstock.domain.features import ColumnPlan, FeaturePlan
from penstock.domain.search import Choice, Real, Value, Whole
from penstock.errors import MissingExtra
from penstock.features.graph import compose, features_to_onnx
from penstock.features.pipeline import build_pipeline
from penstock.models._base import BuildContext, Estimator, ModelFamily
from penstock.plugins import find_plugins

FAMILIES = find_plugins("penstock.models", ModelFamily)
ABSENT = {name: family().refusal("binary", 1_000, 10) for name, family in FAMILIES.items()}
CASES = [
    pytest.param(name, problem, marks=pytest.mark.skipif(ABSENT[name] is not None, reason=str(ABSENT[name])))
    for name, family in FAMILIES.items()
    for problem in ("binary", "multiclass", "regression")
    if problem in family.problems
]
CLASSES: dict[str, int] = {"binary": 2, "multiclass": 3, "regression": 0}
SMALLER: dict[str, Value] = {"rounds": 40, "trees": 8, "epochs": 6, "width": 16}

Arrays = tuple[NDArray[np.float32], NDArray[Any]]
each_case = pytest.mark.parametrize(("name", "problem"), CASES)


def table(problem: Problem, rows: int, seed: int = 0) -> Arrays:
    """Return features with something to learn, gaps and a code among them, and a target."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(rows, 6)).astype(np.float32)
    x[:, 4] = random.integers(-1, 5, rows)
    signal = 2 * x[:, 0] + np.abs(x[:, 1]) + (x[:, 4] > 2)
    if problem == "regression":
        return x, np.exp(signal / 3 + random.normal(0, 0.1, rows))
    cuts = np.quantile(signal, [0.6] if problem == "binary" else [0.3, 0.7])
    return x, np.searchsorted(cuts, signal + random.normal(0, 0.1, rows)).astype(np.int64)


def gaps(x: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return features with missing values."""
    holes = np.random.default_rng(1).random(x.shape) < 0.1
    return np.where(holes, np.float32(np.nan), x)


def make(
    name: str, problem: Problem, changes: dict[str, Value] | None = None, deadline: float | None = None
) -> Estimator:
    """Return an unfitted estimator with the family's default, made smaller."""
    family = FAMILIES[name]()
    values = family.default(problem, 400, 6)
    values |= {key: value for key, value in SMALLER.items() if key in values} | (changes or {})
    context = BuildContext(problem, CLASSES[problem], seed=3, deadline=deadline, categorical=(4,))
    return family.build(values, context)


def scores(graph: bytes, feeds: dict[str, Any]) -> NDArray[Any]:
    """Run a graph on one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    found: NDArray[Any] = session.run(["scores"], feeds)[0]
    return found


def agree(said: NDArray[Any], predicted: NDArray[np.float64]) -> None:
    """Hold a graph's answers to what system.md allows a bundle, but for every row."""
    assert said.dtype == (np.float32 if predicted.ndim == 2 else np.float64)
    expected = predicted if predicted.ndim == 2 else predicted[:, None]
    assert said.shape == expected.shape
    allowed = 1e-4 if predicted.ndim == 2 else np.maximum(1e-4, 1e-5 * np.abs(expected))
    assert np.all(np.abs(said - expected) <= allowed)


@each_case
def test_it_learns_more_than_the_baseline(name: str, problem: Problem) -> None:
    x, y = table(problem, 600)
    estimator = make(name, problem).fit(x[:400], y[:400], (x[400:480], y[400:480]))
    predicted = estimator.predict(x[480:])
    plain = make("baseline", problem).fit(x[:400], y[:400]).predict(x[480:])
    if problem == "regression":
        assert predicted.shape == (120,)
        loss, least = (float(np.mean((said - y[480:]) ** 2)) for said in (predicted, plain))
    else:
        assert predicted.shape == (120, CLASSES[problem])
        assert np.allclose(predicted.sum(axis=1), 1)
        loss, least = (float(-np.log(said[np.arange(120), y[480:]] + 1e-12).mean()) for said in (predicted, plain))
    assert loss <= least if name == "baseline" else loss < least


@each_case
def test_the_same_seed_gives_the_same_answers(name: str, problem: Problem) -> None:
    x, y = table(problem, 300)
    first, second = (make(name, problem).fit(x, y).predict(x) for _ in range(2))
    assert np.array_equal(first, second)


@each_case
@pytest.mark.parametrize("rows", [2, 12])
def test_it_takes_tiny_tables_of_one_value(name: str, problem: Problem, rows: int) -> None:
    x, _ = table(problem, rows)
    y = np.full(rows, 1.5) if problem == "regression" else np.ones(rows, np.int64)
    estimator = make(name, problem).fit(x, y)
    predicted = estimator.predict(x)
    assert np.isfinite(predicted).all()
    assert predicted.shape[1:] == ((CLASSES[problem],) if CLASSES[problem] else ())
    agree(scores(FAMILIES[name]().to_onnx(estimator, 6), {"features": x}), predicted)


@each_case
def test_it_is_kept_and_found_again(name: str, problem: Problem) -> None:
    x, y = table(problem, 300)
    estimator = make(name, problem).fit(x, y, (x[:50], y[:50]))
    again = cloudpickle.loads(cloudpickle.dumps(estimator))
    assert np.array_equal(again.predict(x), estimator.predict(x))
    assert again.parameters == estimator.parameters > 0


@each_case
def test_its_graph_gives_the_same_answers(name: str, problem: Problem) -> None:
    x, y = table(problem, 500)
    tree = FAMILIES[name].flavour == "tree"
    shown = gaps(x) if tree else x
    estimator = make(name, problem).fit(shown, y)
    others, _ = table(problem, 2000, seed=9)
    others = gaps(others * 3) if tree else others * 3
    graph = FAMILIES[name]().to_onnx(estimator, 6)
    agree(scores(graph, {"features": others}), estimator.predict(others))
    assert scores(graph, {"features": others[:1]}).shape[0] == 1


@pytest.mark.parametrize(("name", "problem"), [case for case in CASES if case.values[1] == "regression"])
def test_its_graph_tells_values_far_from_zero_apart(name: str, problem: Problem) -> None:
    x, y = table(problem, 300)
    estimator = make(name, problem).fit(x, 2e8 + y)
    said = scores(FAMILIES[name]().to_onnx(estimator, 6), {"features": x})
    assert np.abs(said[:, 0] - estimator.predict(x)).max() <= 1e-4


@each_case
def test_its_graph_joins_the_pipelines(name: str, problem: Problem) -> None:
    columns = (
        ColumnPlan("amount", "number", "number", ""),
        ColumnPlan("plan", "string", "category", ""),
        ColumnPlan("city", "string", "high_cardinality", ""),
        ColumnPlan("note", "string", "text", "", tokens=6, parts=TEXT_PARTS),
        ColumnPlan("day", "date", "date", "", parts=("weekday", "month", "days")),
    )
    decoder = compile_decoding(FeaturePlan("p", "d", "x", columns).decoding)
    numbers, texts = decoder.columns(people(400, 0))
    _, y = table(problem, 400)
    pipeline = build_pipeline(columns, FAMILIES[name].flavour, CLASSES[problem], 1)
    estimator = make(name, problem).fit(pipeline.fit_transform(numbers, texts, y), y)
    numbers, texts = decoder.columns(people(300, 5))
    texts[::7, 0] = "a plan that nobody had"
    numbers[::11, 0] = np.nan
    graph = compose(features_to_onnx(pipeline), FAMILIES[name]().to_onnx(estimator, len(pipeline.features)))
    agree(scores(graph, {"numbers": numbers, "texts": texts}), estimator.predict(pipeline.transform(numbers, texts)))


def people(rows: int, seed: int) -> dict[str, NDArray[Any]]:
    """Return columns of every treatment."""
    random = np.random.default_rng(seed)
    words = np.array(["late", "invoice", "refund", "please", "call", "again", "thanks", "broken"], object)
    return {
        "amount": random.normal(50, 20, rows),
        "plan": random.choice(np.array(["free", "team", "firm"], object), rows),
        "city": np.array([f"city {place}" for place in random.integers(0, 80, rows)], object),
        "note": np.array([" ".join(random.choice(words, 4)) for _ in range(rows)], object),
        "day": np.datetime64("2024-01-01", "us") + random.integers(0, 500, rows).astype("m8[D]"),
    }


STOPPED: dict[str, Callable[[Any], int]] = {
    "lightgbm": lambda estimator: int(estimator.rounds),
    "forest": lambda estimator: len(estimator.forest.estimators_),
    "mlp": lambda estimator: int(estimator.weights.stop),
    "xgboost": lambda estimator: int(estimator.rounds),
    "catboost": lambda estimator: len(estimator.trees),
}


@pytest.mark.parametrize(("name", "problem"), [case for case in CASES if case.values[0] in STOPPED])
def test_a_deadline_that_has_passed_stops_it_with_what_it_has(name: str, problem: Problem) -> None:
    x, y = table(problem, 400)
    estimator = make(name, problem, {"rounds": 500, "trees": 400, "epochs": 50}, time.monotonic())
    estimator.fit(x, y, (x[:50], y[:50]))
    assert 1 <= STOPPED[name](estimator) < 20
    assert np.isfinite(estimator.predict(x)).all()


@each_case
def test_what_it_settled_builds_it_again_without_an_inner_split(name: str, problem: Problem) -> None:
    x, y = table(problem, 300)
    settled = make(name, problem).fit(x, y, (x[:60], y[:60])).refit_parameters()
    again = make(name, problem, settled).fit(x, y)
    assert np.isfinite(again.predict(x)).all()


@each_case
def test_its_space_holds_buildable_values_and_names_of_its_default(name: str, problem: Problem) -> None:
    family = FAMILIES[name]()
    default, space = family.default(problem, 5000, 20), family.space(problem, 5000, 20)
    assert set(space) <= set(default)
    for dimension in space.values():
        if isinstance(dimension, (Real, Whole)):
            assert dimension.low <= dimension.high
            assert dimension.low > 0 or not dimension.log
        else:
            assert isinstance(dimension, Choice)
            assert dimension.values
    ends: dict[str, Value] = {
        key: dimension.values[-1] if isinstance(dimension, Choice) else dimension.high
        for key, dimension in space.items()
    }
    x, y = table(problem, 200)
    ends |= {key: value for key, value in SMALLER.items() if key in default}
    assert np.isfinite(make(name, problem, ends).fit(x, y).predict(x)).all()


@pytest.mark.parametrize("name", FAMILIES)
def test_it_takes_a_small_table_or_says_what_to_install(name: str) -> None:
    family, refused = FAMILIES[name](), ABSENT[name]
    if refused is not None:
        assert "not installed" in refused
        with pytest.raises(MissingExtra):
            family.build(family.default("binary", 1_000, 10), BuildContext("binary", 2, seed=1))


@pytest.mark.parametrize("name", FAMILIES)
def test_it_needs_more_for_more(name: str) -> None:
    family = FAMILIES[name]()
    small, large = family.needs(1_000, 10, 2), family.needs(100_000, 40, 2)
    assert 0 < small.seconds <= large.seconds
    assert 0 < small.memory_mb <= large.memory_mb


@each_case
def test_weights_count_rows(name: str, problem: Problem) -> None:
    x, y = table(problem, 300)
    weight = np.where(x[:, 0] > 0, 5.0, 0.01)
    plain, weighted = make(name, problem).fit(x, y), make(name, problem).fit(x, y, None, weight)
    if name == "baseline" and problem == "regression":
        assert weighted.predict(x)[0] == pytest.approx(np.average(y, weights=weight))
    others, _ = table(problem, 100, seed=4)
    assert not np.allclose(plain.predict(others), weighted.predict(others))
