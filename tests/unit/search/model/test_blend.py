from dataclasses import replace
from itertools import product

import numpy as np
import onnxruntime
import pytest

from penstock.features.pipeline import Pipeline, build_pipeline
from penstock.models._base import BuildContext, ModelFamily
from penstock.plugins import find_plugin
from penstock.search.encoding import TrainingRows
from penstock.search.model.blend import Blend, Member, Part
from tests.unit.search.conftest import FOLDS, make_rows

SMALL = {"rounds": 30, "trees": 8, "epochs": 4, "width": 16}


def learnt(rows: TrainingRows, family: ModelFamily, fold: int | None) -> Part:
    trains = rows.training(fold)
    pipeline: Pipeline = build_pipeline(rows.plan.columns, family.flavour, rows.classes)
    x = pipeline.fit_transform(rows.numbers[trains], rows.texts[trains], rows.target[trains])
    values = family.default(rows.problem, len(x), x.shape[1])
    values |= {key: value for key, value in SMALL.items() if key in values}
    estimator = family.build(values, BuildContext(rows.problem, rows.classes, 3))
    return Part(pipeline, estimator.fit(x, rows.target[trains]))


def blend(rows: TrainingRows) -> Blend:
    trees, line = (find_plugin("penstock.models", ModelFamily, name)() for name in ("lightgbm", "linear"))
    bag = tuple(learnt(rows, trees, fold) for fold in range(FOLDS))
    return Blend((Member(trees, 0.7, bag), Member(line, 0.3, (learnt(rows, line, None),))))


@pytest.mark.parametrize("problem", ["binary", "regression"])
def test_one_graph_gives_the_weighted_mean_of_bags_and_single_models(problem: str) -> None:
    rows = make_rows(problem=problem)
    mixed = blend(rows)
    said = mixed.predict(rows.numbers, rows.texts)
    bag, line = mixed.members
    means = [
        np.mean([part.estimator.predict(part.pipeline.transform(rows.numbers, rows.texts)) for part in member.parts], 0)
        for member in (bag, line)
    ]
    assert np.allclose(said, 0.7 * means[0] + 0.3 * means[1])
    session = onnxruntime.InferenceSession(mixed.to_onnx(), providers=["CPUExecutionProvider"])
    assert [given.name for given in session.get_inputs()] == ["numbers", "texts"]
    shown = session.run(["scores"], {"numbers": rows.numbers, "texts": rows.texts})[0]
    assert np.allclose(shown, said.reshape(shown.shape), atol=1e-5)
    one = session.run(["scores"], {"numbers": rows.numbers[:1], "texts": rows.texts[:1]})[0]
    assert np.allclose(one, shown[:1])


def test_values_far_from_zero_are_served_as_they_are_predicted() -> None:
    rows = make_rows(problem="regression")
    mixed = blend(replace(rows, target=rows.target + 2e8))
    session = onnxruntime.InferenceSession(mixed.to_onnx(), providers=["CPUExecutionProvider"])
    shown = session.run(["scores"], {"numbers": rows.numbers, "texts": rows.texts})[0][:, 0]
    assert np.abs(shown - mixed.predict(rows.numbers, rows.texts)).max() < 1e-4


@pytest.mark.parametrize("problem", ["binary", "regression"])
def test_a_bag_of_forests_has_as_many_trees_as_one(problem: str) -> None:
    rows = make_rows(problem=problem)
    forest = find_plugin("penstock.models", ModelFamily, "forest")()
    whole = [learnt(rows, forest, fold) for fold in range(FOLDS)]
    bag = Blend(
        (Member(forest, 1.0, tuple(Part(part.pipeline, forest.in_bag(part.estimator, 0, FOLDS)) for part in whole)),)
    )
    assert bag.parameters < sum(part.estimator.parameters for part in whole) / 2
    said = bag.predict(rows.numbers, rows.texts)
    session = onnxruntime.InferenceSession(bag.to_onnx(), providers=["CPUExecutionProvider"])
    shown = session.run(["scores"], {"numbers": rows.numbers, "texts": rows.texts})[0]
    assert np.allclose(shown, said.reshape(shown.shape), atol=1e-5)


def test_its_parameters_are_those_of_all_parts() -> None:
    mixed = blend(make_rows())
    parts = [part for member in mixed.members for part in member.parts]
    assert mixed.parameters == sum(part.estimator.parameters for part in parts)


def test_parts_on_the_same_features_share_a_pipeline() -> None:
    rows = make_rows()
    family = find_plugin("penstock.models", ModelFamily, "linear")()
    part = learnt(rows, family, None)
    pair = Blend(tuple(Member(family, weight, (part,)) for weight, _ in product((0.5,), range(2))))
    alone = Blend((Member(family, 1.0, (part,)),))
    assert np.allclose(pair.predict(rows.numbers, rows.texts), alone.predict(rows.numbers, rows.texts))
    assert len(pair.to_onnx()) < 1.6 * len(alone.to_onnx())


def test_a_bag_of_boosted_trees_ends_where_its_nodes_would_be_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    trees = find_plugin("penstock.models", ModelFamily, "lightgbm")()
    estimator = learnt(make_rows(), trees, 0).estimator
    monkeypatch.setattr("penstock.models.lightgbm.MOST_BAG_NODES", 2 * estimator.parameters)
    assert [trees.in_bag(estimator, place, FOLDS) is not None for place in range(FOLDS)] == [True, True, False]
