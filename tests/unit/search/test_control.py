"""What a person says of a search: spaces, samplers, estimators of their own, and what former searches found."""

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from penstock.domain.datasets import Problem
from penstock.domain.search import Choice, OwnSource, Real, SearchSpace, Value, Whole
from penstock.errors import ModelError, NotFound, SpecError
from penstock.models._base import BuildContext
from penstock.models.forest import Forest
from penstock.models.lightgbm import LightGBM
from penstock.search import campaign
from penstock.search.tuning import Study
from penstock.search.wishes import asked
from penstock.search.wishes.grids import grid, grid_sizes
from penstock.search.wishes.own import OwnFamily
from penstock.search.wishes.spaces import Shaped
from penstock.search.work import Found, Work
from penstock.spec import ProjectSpec
from tests.unit.search.conftest import make_work

SIZE: tuple[Problem, int, int] = ("binary", 400, 3)

MINE = """
import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.naive_bayes import GaussianNB

class Nearest(ClassifierMixin, BaseEstimator):
    '''Calls each row by the nearer class mean; knows no probabilities.'''
    def __init__(self, shrink=0.0):
        self.shrink = shrink

    def fit(self, x, y):
        self.classes_ = np.unique(y)
        self.means_ = np.array([x[y == k].mean(axis=0) * (1 - self.shrink) for k in self.classes_])
        return self

    def predict(self, x):
        return self.classes_[((x[:, None, :] - self.means_) ** 2).sum(axis=2).argmin(axis=1)]

class Graphed(GaussianNB):
    def to_onnx(self, features):
        from penstock.graphs import GraphBuilder
        graph = GraphBuilder()
        scale, mean = 1 / self.var_, self.theta_
        square = graph.add("MatMul", graph.add("Mul", "features", "features"), graph.constant(-0.5 * scale.T))
        line = graph.add("MatMul", "features", graph.constant((mean * scale).T))
        shift = np.log(self.class_prior_) - 0.5 * (mean**2 * scale).sum(1) - 0.5 * np.log(self.var_).sum(1)
        odds = graph.add("Add", graph.add("Add", square, line), graph.constant(shift))
        return graph.finish({"features": features}, graph.add("Softmax", odds, axis=1), "scores", len(shift))

def made(smoothing=1e-9):
    return GaussianNB(var_smoothing=smoothing)

def needy(depth):
    return GaussianNB(var_smoothing=10.0**-depth)

numbers = [1, 2]
"""


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    path = tmp_path / "mine.py"
    path.write_text(MINE, encoding="utf-8")
    return path


def source(path: Path, name: str, attribute: str, **said: object) -> OwnSource:
    return OwnSource(name, str(path), attribute, tuple(said.items()))


def with_own(work: Work, *sources: OwnSource) -> Work:
    families = {**work.families, **{one.name: OwnFamily(one) for one in sources}}
    return replace(work, families=families, settings=replace(work.settings, own=sources))


def of(found: Found, family: str) -> list[dict[str, object]]:
    return [dict(trial.parameters) for trial in found.trials if trial.family == family]


def test_what_is_fixed_is_in_every_configuration_and_in_no_space() -> None:
    shaped = Shaped(LightGBM(), {"rate": 0.11, "leaves": [4, 8], "random_splits": [True]})
    assert "rate" not in shaped.space(*SIZE)
    assert shaped.space(*SIZE)["leaves"] == Whole(4, 8, log=True)
    assert shaped.space(*SIZE)["random_splits"] == Choice((True,))
    for configuration in (shaped.default(*SIZE), *shaped.portfolio(*SIZE)):
        assert (configuration["rate"], configuration["random_splits"]) == (0.11, True)
        assert 4 <= int(configuration["leaves"] or 0) <= 8
    assert (shaped.name, shaped.library, shaped.bags) == ("lightgbm", "lightgbm", True)


def test_a_search_keeps_to_the_space_that_was_said(tmp_path: Path) -> None:
    work = make_work(tmp_path, "forest", trials=5)
    work = replace(work, families={**work.families, "forest": Shaped(Forest(), {"leaf_rows": [30, 40], "share": 0.5})})
    tried = of(campaign.run(work), "forest")
    assert len(tried) == 4
    assert {one["share"] for one in tried} == {0.5}
    assert all(30 <= int(one["leaf_rows"]) <= 40 for one in tried)  # type: ignore[call-overload]


def test_former_configurations_are_tried_after_the_default(tmp_path: Path) -> None:
    former: tuple[dict[str, Value], ...] = ({"leaf_rows": 17, "share": 0.33, "forgotten": 1},)
    work = make_work(tmp_path, "forest", trials=3)
    work = replace(work, families={**work.families, "forest": Shaped(Forest(), {}, former)})
    default, first = of(campaign.run(work), "forest")
    assert default == Forest().default(*SIZE)
    assert first == {**default, "leaf_rows": 17, "share": 0.33}


def spec(folder: Path, **families: object) -> ProjectSpec:
    return ProjectSpec.model_validate(
        {
            "name": "toy",
            "source": {"kind": "csv_file", "path": "toy.csv"},
            "target": "y",
            "families": families,
            "path": folder / "toy.yaml",
        }
    )


def test_every_wrong_space_is_said_at_once(tmp_path: Path) -> None:
    spaces = {"lightgbm": {"rats": 1, "rounds": [1, 2], "random_splits": ["yes"], "leaves": ["few", "many"]}}
    with pytest.raises(SpecError) as caught:
        asked.shaped_of(spec(tmp_path, spaces=spaces), "binary", {})
    assert len(caught.value.details) == 4
    assert "must name parameters among" in caught.value.message
    with pytest.raises(NotFound, match="No model family is named 'lightbgm'"):
        asked.shaped_of(spec(tmp_path, spaces={"lightbgm": {"rate": 1}}), "binary", {})


def test_a_value_that_a_parameter_cannot_have_ends_the_training_before_it_searches(tmp_path: Path) -> None:
    spaces = {
        "lightgbm": {
            "rate": "fast",
            "leaves": 7.5,
            "random_splits": "yes",
            "rounds": "many",
            "row_share": float("inf"),
        },
        "forest": {"leaf_rows": [0.5, 20], "share": [0.1, float("inf")], "trees": "some"},
        "linear": {"bends": 8, "c": None, "crosses": 64},
        "mlp": {"bends": None, "width": 200, "rate": 1, "batch": 64},
        "knn": {"k": True},
    }
    with pytest.raises(SpecError) as caught:
        asked.shaped_of(spec(tmp_path, spaces=spaces), "binary", {})
    assert [str(one).split("`families.spaces.")[1] for one in caught.value.details] == [
        "lightgbm.rate` must be a number, but is 'fast'.",
        "lightgbm.leaves` must be a whole number, but is 7.5.",
        "lightgbm.random_splits` must be among [False, True], but is 'yes'.",
        "lightgbm.rounds` must be a whole number, but is 'many'.",
        "lightgbm.row_share` must be a number, but is inf.",
        "forest.leaf_rows` must be whole numbers: the two ends of a range, or those to choose from, but is [0.5, 20].",
        "forest.share` must be numbers: the two ends of a range, or those to choose from, but is [0.1, inf].",
        "forest.trees` must be a whole number, but is 'some'.",
        "knn.k` must be a whole number, but is True.",
    ]


def test_a_range_that_reaches_where_there_is_no_logarithm_has_none() -> None:
    for low in (0, 0.5):
        assert Shaped(Forest(), {"leaf_rows": [low, 20]}).space(*SIZE)["leaf_rows"] == Whole(0, 20)
    assert Shaped(Forest(), {"leaf_rows": [1, 20]}).space(*SIZE)["leaf_rows"] == Whole(1, 20, log=True)
    assert Shaped(LightGBM(), {"rate": [0, 0.5]}).space(*SIZE)["rate"] == Real(0.0, 0.5)


@pytest.mark.usefixtures("mischief")
def test_a_family_made_for_another_problem_is_not_asked_for_its_space(tmp_path: Path) -> None:
    wanted = spec(tmp_path, spaces={"mortal": {"shade": 4}})
    assert asked.shaped_of(wanted, "binary", {})["mortal"].default(*SIZE)["shade"] == 4
    assert "mortal" in asked.shaped_of(wanted, "regression", {})


def test_the_first_trial_of_ones_own_estimator_is_its_default_moved_into_what_was_said(mine: Path) -> None:
    for said, first in (([0.2, 0.5], 0.2), ([-1.0, 0.5], 0.0), ([-1.0, -0.5], -0.5), (["a", "b"], "a"), (0.4, 0.4)):
        assert OwnFamily(source(mine, "nearest", "Nearest", shrink=said)).default(*SIZE) == {"shrink": first}
    assert OwnFamily(source(mine, "needy", "needy", depth=[2, 8])).default(*SIZE) == {"depth": 5}
    assert OwnFamily(source(mine, "nearest", "Nearest")).default(*SIZE) == {}


def test_what_makes_ones_own_estimator_is_given_what_was_said(mine: Path) -> None:
    family = OwnFamily(source(mine, "needy", "needy", depth=3))
    assert family.default(*SIZE) == {"depth": 3}
    with pytest.raises(ModelError, match="must be made with"):
        OwnFamily(source(mine, "needy", "needy"))


def test_an_estimator_of_ones_own_is_on_the_leaderboard_and_without_a_graph_it_never_wins(
    tmp_path: Path, mine: Path
) -> None:
    one = source(mine, "nearest", "Nearest", shrink=[0.0, 0.5])
    two = source(mine, "bayes", "made", smoothing=1e-6)
    found = campaign.run(with_own(make_work(tmp_path / "w", "linear", trials=4), one, two))
    listed = {trial.family: trial for trial in found.trials}
    for name in ("nearest", "bayes"):
        assert listed[name].state == "finished"
        assert len(listed[name].fold_scores) == 3
        assert listed[name].over[0] == "cannot be served"
    assert (listed["bayes"].score or 0) > 0.85
    assert of(found, "bayes")[0] == {"smoothing": 1e-6}
    assert found.best.family == "linear"
    assert any("cannot be served" in reason for reason in found.reasons)


def test_an_estimator_that_writes_its_graph_may_win_and_needs_its_file_no_more(tmp_path: Path, mine: Path) -> None:
    work = with_own(make_work(tmp_path / "w", trials=2), source(mine, "graphed", "Graphed"))
    found = campaign.run(work)
    assert found.best.family == "graphed"
    blend = pickle.loads(found.model.read_bytes()).prepare(work.families)  # noqa: S301  written by this test
    graph = blend.to_onnx()
    mine.unlink()
    copy = pickle.loads(pickle.dumps(blend))  # noqa: S301  the same
    rows = (work.rows.numbers[:5], work.rows.texts[:5])
    assert np.allclose(copy.predict(*rows), blend.predict(*rows))
    assert len(graph) > 500


def test_a_file_that_cannot_be_used_says_why(tmp_path: Path, mine: Path) -> None:
    with pytest.raises(NotFound, match="must name a file"):
        OwnFamily(source(tmp_path / "none.py", "absent", "Mine"))
    with pytest.raises(NotFound, match="must name a class or function"):
        OwnFamily(source(mine, "listed", "numbers"))
    with pytest.raises(ModelError, match="must be made with"):
        OwnFamily(source(mine, "bayes", "made")).build({"smoothness": 1}, BuildContext("binary", 2, 7))
    broken = tmp_path / "broken.py"
    broken.write_text("import nothing_of_the_kind")
    with pytest.raises(ModelError, match="must run, but: ModuleNotFoundError"):
        OwnFamily(source(broken, "broken", "Mine"))


@pytest.mark.parametrize("sampler", ["tpe", "random", "grid"])
def test_samplers_go_by_name(sampler: str, tmp_path: Path) -> None:
    work = make_work(tmp_path, "forest", trials=4)
    work = replace(work, settings=replace(work.settings, sampler=sampler))  # type: ignore[arg-type]
    tried = of(campaign.run(work), "forest")
    assert len({str(one) for one in tried}) == 3


def test_a_grid_is_gone_through_once() -> None:
    space: SearchSpace = {"a": Real(1.0, 100.0, log=True), "b": Whole(1, 2), "c": Choice(("x", "y"))}
    points = grid(space, 7)
    assert len(points) == 12 == len({str(point) for point in points})
    assert {point["a"] for point in points} == {1.0, 10.0, 100.0}
    work = make_work(Path("unused"))
    assert grid_sizes(replace(work.settings, sampler="grid"), {"some": space, "none": {}}) == {"some": 12, "none": 1}
    assert grid_sizes(work.settings, {"some": space}) == {}


def test_a_resumed_grid_goes_on_where_it_was(tmp_path: Path) -> None:
    space: SearchSpace = {"c": Choice(("x", "y", "z"))}
    seen = []
    for _ in range(3):
        study = Study(tmp_path / "journal.log", 7, "grid")
        seen.append(study.ask("some", "tuned", {}, space).parameters["c"])
    assert sorted(map(str, seen)) == ["x", "y", "z"]
