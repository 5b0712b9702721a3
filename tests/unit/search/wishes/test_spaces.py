"""A family with a person's say, or with what is known of tables like this one, is still the same family."""

from penstock.domain.datasets import Problem
from penstock.domain.search import Value
from penstock.models.knn import Nearest
from penstock.models.lightgbm import LightGBM
from penstock.models.mlp import MLP
from penstock.search.wishes.spaces import Shaped, with_portfolio

SIZE: tuple[Problem, int, int] = ("binary", 9_000, 20)


def test_it_is_refused_trained_and_timed_as_the_family_that_it_shapes() -> None:
    many, net = Shaped(Nearest(), {"sharp": 1.0}), Shaped(MLP(), {"width": 128})
    assert many.refusal("binary", 1_000_000, 20) == Nearest().refusal("binary", 1_000_000, 20)
    assert many.refusal("binary", 1_000_000, 20) is not None
    assert (net.stops_early, net.brief, net.bags) == (MLP.stops_early, MLP.brief, MLP.bags)


def test_what_helped_on_tables_like_it_comes_after_former_configurations_and_keeps_to_what_was_said() -> None:
    near: tuple[dict[str, Value], ...] = ({"width": 384, "layers": 3}, {"dropout": 0.1})
    family = with_portfolio(Shaped(MLP(), {"width": 128}, former=({"layers": 1},)), near)
    default = family.default(*SIZE)
    found = family.portfolio(*SIZE)
    assert [one["layers"] for one in found] == [1, 3, default["layers"]]
    assert {one["width"] for one in found} == {128}
    assert found[-1]["dropout"] == 0.1


def test_a_family_that_was_not_measured_stays_as_it_is() -> None:
    family = MLP()
    assert with_portfolio(family, None) is family
    assert with_portfolio(family, ()).portfolio(*SIZE) == ()


def test_with_many_rows_a_familys_own_word_goes_before_what_smaller_tables_say() -> None:
    near: tuple[dict[str, Value], ...] = ({"leaves": 4},)
    found = with_portfolio(LightGBM(), near).portfolio("binary", 30_000, 20)
    assert [one["leaves"] for one in found] == [LightGBM().portfolio("binary", 30_000, 20)[0]["leaves"], 4]
