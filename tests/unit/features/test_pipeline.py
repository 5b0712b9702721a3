"""Decoded arrays become features, learnt on training rows alone, and the graph gives the very same ones."""

from dataclasses import replace
from typing import Any

import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray

from penstock.data.decoding import compile_decoding
from penstock.data.readers import MISSING
from penstock.data.types.words import TEXT_PARTS
from penstock.domain.features import ColumnPlan, FeaturePlan, Flavour
from penstock.errors import ModelError
from penstock.features._base import prepare_targets
from penstock.features.categories import LevelMeans
from penstock.features.graph import features_to_onnx
from penstock.features.numbers import ScaledNumbers
from penstock.features.pipeline import Pipeline, build_pipeline
from penstock.features.texts import TextScores

COLUMNS = (
    ColumnPlan("amount", "number", "number", ""),
    ColumnPlan("gone", "number", "dropped", ""),
    ColumnPlan("paid", "boolean", "boolean", ""),
    ColumnPlan("plan", "string", "category", ""),
    ColumnPlan("city", "string", "high_cardinality", ""),
    ColumnPlan("note", "string", "text", "", tokens=8, parts=TEXT_PARTS),
    ColumnPlan("when", "date", "date", "", parts=("month", "weekday", "hour", "days")),
)
BOTH = pytest.mark.parametrize("flavour", ["tree", "dense"])


def rows(count: int, seed: int = 0) -> tuple[NDArray[np.float32], NDArray[Any]]:
    random = np.random.default_rng(seed)
    words = np.array(["late", "invoice", "refund", "please", "call", "again", "thanks", "broken", "door"], object)
    amount = random.lognormal(3, 2, count)
    amount[random.random(count) < 0.1] = np.nan
    when = np.datetime64("2024-01-01", "us") + random.integers(0, 10_000, count).astype("m8[h]")
    when[random.random(count) < 0.05] = np.datetime64("NaT")
    table = {
        "amount": amount,
        "paid": random.random(count) > 0.5,
        "plan": random.choice(np.array(["free", "team", "firm", None], object), count),
        "city": np.array([f"city {place}" for place in random.zipf(1.4, count) % 300], object),
        "note": np.array([" ".join(random.choice(words, random.integers(0, 12))) for _ in range(count)], object),
        "when": when,
    }
    used = tuple(column for column in COLUMNS if column.treatment != "dropped")
    return compile_decoding(FeaturePlan("p", "d", "x", used).decoding).columns(table)


def target(count: int, classes: int) -> NDArray[Any]:
    random = np.random.default_rng(7)
    return random.lognormal(size=count) if classes == 0 else random.integers(0, classes, count)


def fitted(flavour: Flavour, classes: int = 2, count: int = 600) -> tuple[Pipeline, NDArray[np.float32]]:
    pipeline = build_pipeline(COLUMNS, flavour, classes, seed=1)
    return pipeline, pipeline.fit_transform(*rows(count), target(count, classes))


def through_graph(pipeline: Pipeline, numbers: NDArray[Any], texts: NDArray[Any]) -> NDArray[np.float32]:
    session = onnxruntime.InferenceSession(features_to_onnx(pipeline), providers=["CPUExecutionProvider"])
    feeds = {name: values for name, values in (("numbers", numbers), ("texts", texts)) if values.shape[1]}
    found: NDArray[np.float32] = session.run(["features"], feeds)[0]
    return found


@BOTH
@pytest.mark.parametrize("classes", [0, 2, 4, 15])
def test_the_graph_gives_the_very_same_features(flavour: Flavour, classes: int) -> None:
    pipeline, learnt = fitted(flavour, classes)
    numbers, texts = rows(500, seed=3)
    texts[::5, 0] = "never seen"
    texts[1::5, 1] = MISSING
    numbers[::6] = np.nan
    numbers[1::6, 0] = [1e30, -1e30] * 42
    expected = pipeline.transform(numbers, texts)
    assert expected.dtype == learnt.dtype == np.float32
    assert expected.shape == (500, len(pipeline.feature_names))
    assert np.array_equal(through_graph(pipeline, numbers, texts), expected, equal_nan=True)


@BOTH
def test_a_graph_of_numbers_alone_has_no_texts(flavour: Flavour) -> None:
    pipeline = build_pipeline((COLUMNS[0],), flavour, 2)
    numbers = rows(50)[0][:, :1]
    pipeline.fit_transform(numbers, np.empty((50, 0), object), target(50, 2))
    given = through_graph(pipeline, numbers, np.empty((50, 0), object))
    assert np.array_equal(given, pipeline.transform(numbers, np.empty((50, 0), object)), equal_nan=True)


def test_dense_features_have_no_gaps_and_stay_near() -> None:
    pipeline, learnt = fitted("dense")
    numbers, texts = rows(300, seed=2)
    numbers[0] = 1e30
    for features in (learnt, pipeline.transform(numbers, texts)):
        assert np.isfinite(features).all()
    scaled = pipeline.encoders[0]
    assert isinstance(scaled, ScaledNumbers)
    assert np.abs(scaled.transform(numbers, texts)).max() <= 3.001


def test_tree_features_keep_gaps_and_code_levels_by_frequency() -> None:
    pipeline, learnt = fitted("tree")
    assert np.isnan(learnt).any()
    (place,) = pipeline.categorical
    assert pipeline.feature_names[place] == "plan"
    codes, counts = np.unique(learnt[:, place], return_counts=True)
    assert codes.tolist() == [0, 1, 2, 3]
    assert sorted(counts, reverse=True) == counts.tolist()


@BOTH
def test_the_same_seed_learns_the_same(flavour: Flavour) -> None:
    assert np.array_equal(fitted(flavour)[1], fitted(flavour)[1], equal_nan=True)


def test_a_level_that_names_its_row_tells_nothing_of_its_own_target() -> None:
    random = np.random.default_rng(0)
    y = random.integers(0, 2, 500)
    texts = np.array([[f"row {place}"] for place in range(500)], object)
    means = LevelMeans((0,), ("row",))
    honest = means.fit_transform(np.empty((500, 0), np.float32), texts, prepare_targets(y, 2, 0))
    assert np.all(honest[:, 0] == 0)


@BOTH
def test_a_group_is_never_encoded_by_its_own_targets(flavour: Flavour) -> None:
    random = np.random.default_rng(0)
    group = np.repeat(np.arange(120, dtype=np.uint64), 5)
    y = np.repeat(random.integers(0, 2, 120), 5)  # a group is of one class
    texts = np.array([[f"customer {one}", f"w{one}", "said", f"w{one}", "again", "", ""] for one in group], object)
    columns = (ColumnPlan("customer", "string", "category", ""), ColumnPlan("note", "string", "text", "", tokens=6))
    numbers = np.empty((len(y), 0), np.float32)

    def told(groups: NDArray[np.uint64] | None) -> float:
        pipeline = build_pipeline(columns, flavour, 2)
        learnt = pipeline.fit_transform(numbers, texts, y, groups)
        looks = [place for place, name in enumerate(pipeline.feature_names) if "target" in name or "linear" in name]
        return max(abs(float(np.nan_to_num(np.corrcoef(learnt[:, place], y)[0, 1]))) for place in looks)

    assert told(None) > 0.9
    assert told(group) < 0.3


def test_words_of_pure_noise_do_not_tell_the_training_rows_their_target() -> None:
    random = np.random.default_rng(0)
    y = random.integers(0, 2, 600)
    column = ColumnPlan("note", "string", "text", "", tokens=6)
    texts = np.array([[f"w{word}" for word in random.integers(0, 150, 6)] for _ in range(600)], object)
    pipeline = build_pipeline((column,), "tree", 2)
    learnt = pipeline.fit_transform(np.empty((600, 0), np.float32), texts, y)
    place = pipeline.feature_names.index("note: words for target share")
    assert abs(np.corrcoef(learnt[:, place], y)[0, 1]) < 0.15


def test_words_that_matter_separate_the_classes() -> None:
    random = np.random.default_rng(0)
    y = random.integers(0, 2, 400)
    texts = np.array([["win" if label and random.random() < 0.8 else "hello", "now", "", ""] for label in y], object)
    column = ColumnPlan("note", "string", "text", "", tokens=4)
    learnt = build_pipeline((column,), "dense", 2).fit_transform(np.empty((400, 0), np.float32), texts, y)
    assert max(abs(np.corrcoef(feature, y)[0, 1]) for feature in learnt.T if feature.std() > 0) > 0.7


def test_monotone_constraints_reach_the_plain_numbers_alone() -> None:
    pipeline, _ = fitted("tree")
    signs = pipeline.monotone((("amount", 1), ("plan", -1)))
    assert signs[pipeline.feature_names.index("amount")] == 1
    assert sum(map(abs, signs)) == 1
    assert pipeline.monotone(()) == ()


def test_every_feature_says_which_column_it_comes_from() -> None:
    for flavour in ("tree", "dense"):
        pipeline, _ = fitted(flavour)
        assert {feature.source for feature in pipeline.features} == {"amount", "paid", "plan", "city", "note", "when"}
        assert len(set(pipeline.feature_names)) == len(pipeline.feature_names)


@BOTH
@pytest.mark.parametrize("count", [1, 2, 5])
def test_a_handful_of_rows_is_enough_to_fit(flavour: Flavour, count: int) -> None:
    pipeline, _ = fitted(flavour, count=count)
    numbers, texts = rows(20, seed=8)
    assert np.array_equal(through_graph(pipeline, numbers, texts), pipeline.transform(numbers, texts), equal_nan=True)


def test_a_plan_that_uses_nothing_builds_no_pipeline() -> None:
    unused = tuple(replace(column, treatment="dropped") for column in COLUMNS)
    with pytest.raises(ModelError, match="at least one column"):
        build_pipeline(unused, "tree", 2)


@pytest.mark.parametrize(
    ("flavour", "classes", "names"),
    [
        ("tree", 2, ("shop", "target share of shop", "how often: shop")),
        ("tree", 0, ("shop", "target mean of shop", "how often: shop")),
        ("tree", 3, ("shop",)),
    ],
)
def test_trees_are_given_the_mean_target_of_many_levels_beside_their_codes(
    flavour: Flavour, classes: int, names: tuple[str, ...]
) -> None:
    levels = tuple(f"shop {place}" for place in range(24))
    texts = np.random.default_rng(0).choice(np.array(levels, object), (300, 1))
    column = ColumnPlan("shop", "string", "category", "", levels=levels)
    pipeline = build_pipeline((column,), flavour, classes)
    numbers = np.empty((300, 0), np.float32)
    pipeline.fit_transform(numbers, texts, target(300, classes))
    assert pipeline.feature_names == names
    assert pipeline.categorical == (0,)
    given = through_graph(pipeline, numbers, texts)
    assert np.array_equal(given, pipeline.transform(numbers, texts))


def test_pairs_of_words_say_what_no_word_says() -> None:
    random = np.random.default_rng(4)
    first, second = (random.integers(0, 2, 800) for _ in range(2))
    texts = np.column_stack([np.array(["not", "very"], object)[first], np.array(["good", "bad"], object)[second]])
    y = (first != second).astype(np.int64)
    scores = TextScores((0, 1), "note")
    honest = scores.fit_transform(np.empty((800, 0), np.float32), texts, prepare_targets(y, 2, 0))
    assert honest[y == 1].min() > honest[y == 0].max()
    assert np.allclose(scores.transform(np.empty((800, 0), np.float32), texts), honest, atol=0.2)


def test_what_words_of_chance_say_of_a_target_of_chance_is_nothing_on_the_rows_learnt_from() -> None:
    random = np.random.default_rng(5)
    texts = np.array([[f"w{word}" for word in random.integers(0, 150, 6)] for _ in range(600)], object)
    y = random.integers(0, 2, 600)
    said = TextScores(tuple(range(6)), "note").fit_transform(
        np.empty((600, 0), np.float32), texts, prepare_targets(y, 2, 0)
    )
    assert abs(np.corrcoef(said[:, 0], y)[0, 1]) < 0.15


@BOTH
def test_the_time_between_two_dates_is_the_same_in_the_graph(flavour: Flavour) -> None:
    random = np.random.default_rng(6)
    began = np.datetime64("2024-01-01", "us") + random.integers(0, 10**13, 400).astype("m8[us]")
    ended = began + random.integers(0, 10**10, 400).astype("m8[us]")
    ended[::9] = np.datetime64("NaT")
    columns = (
        ColumnPlan("began", "date", "date", "", parts=("hour", "minutes")),
        ColumnPlan("ended", "date", "date", "", parts=("hour", "minutes"), since=("began",)),
    )
    numbers, texts = compile_decoding(FeaturePlan("p", "d", "x", columns).decoding).columns(
        {"began": began, "ended": ended}
    )
    pipeline = build_pipeline(columns, flavour, 2)
    pipeline.fit_transform(numbers, texts, random.integers(0, 2, 400))
    found = pipeline.transform(numbers, texts)
    assert np.array_equal(through_graph(pipeline, numbers, texts), found, equal_nan=True)
    if flavour == "tree":
        minutes = found[:, pipeline.feature_names.index("ended since began")]
        assert np.allclose(minutes[1:9], (ended - began)[1:9].astype(np.int64) / 6e7, atol=0.01)
        assert np.isnan(minutes[0])
