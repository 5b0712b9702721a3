"""Hard limits: what is measured, that nothing over one wins, and what is tried instead."""

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from penstock.domain.search import Footprint
from penstock.errors import ModelError
from penstock.graphs import count_operations
from penstock.models._base import BuildContext
from penstock.models.lightgbm import LightGBM
from penstock.search import campaign
from penstock.search.model.blend import Blend
from penstock.search.model.limits import Limits, added, measure
from penstock.search.order import board
from penstock.search.order.shrinking import smaller
from penstock.search.work import Found, Work
from tests.unit.search.conftest import make_rows, make_work
from tests.unit.search.order.trials import EVERYTHING, GOOD, POOR, Timed, ended, make

SMALL = Footprint(latency_ms=0.2, size_mb=0.1, parameters=100, flops=1000)
LARGE = Footprint(latency_ms=2.0, size_mb=3.0, parameters=9000, flops=90_000)


def limited(work: Work, **most: float) -> Work:
    return replace(work, settings=replace(work.settings, limits=most))


def prepared(found: Found, work: Work) -> Blend:
    recipe = pickle.loads(found.model.read_bytes())  # noqa: S301  written by this test
    return recipe.prepare(work.families)  # type: ignore[no-any-return]


def taken(found: Found, work: Work) -> Footprint:
    return measure(prepared(found, work), (work.rows.numbers[:5], work.rows.texts[:5].astype(np.str_)))


def test_a_limit_says_what_was_found_and_what_is_allowed() -> None:
    limits = Limits({"size_mb": 1.0, "parameters": 5000})
    assert limits.over(SMALL) == ()
    assert limits.over(LARGE) == ("3 MB, at most 1", "9e+03 parameters, at most 5e+03")
    assert limits.excess(LARGE) == pytest.approx(2.0)
    assert limits.over(None) == ("not measured",)
    assert Limits().over(None) == ()


def test_latency_keeps_something_for_the_decoding_of_a_row() -> None:
    assert Limits({"latency_ms": 0.21}).over(SMALL)
    assert not Limits({"latency_ms": 0.23}).over(SMALL)


def test_several_models_take_what_each_takes_together() -> None:
    both = added([SMALL, LARGE])
    assert both.parameters == 9100
    assert both.size_mb == pytest.approx(3.1)


def test_operations_are_the_depths_of_trees() -> None:
    rows = make_rows()
    context = BuildContext("binary", 2, 7)
    family = LightGBM()
    x = np.column_stack([rows.numbers, rows.numbers]).astype(np.float32)
    few, many = (
        family.build({**family.default("binary", 400, 4), "rounds": rounds, "leaves": 2}, context).fit(x, rows.target)
        for rounds in (5, 10)
    )
    assert count_operations(family.to_onnx(few, x.shape[1])) == 5
    assert count_operations(family.to_onnx(many, x.shape[1])) == 10


def test_a_candidate_over_a_limit_never_wins_and_the_winner_is_within_it(tmp_path: Path) -> None:
    free = make_work(tmp_path / "free", "lightgbm", "linear", trials=3)
    large = taken(campaign.run(free), free)
    most = large.size_mb * 0.9
    work = limited(make_work(tmp_path / "limited", "lightgbm", "linear", trials=6), size_mb=most)
    found = campaign.run(work)
    assert taken(found, work).size_mb <= most
    measured = [trial for trial in found.trials if trial.state == "finished" and trial.footprint is not None]
    over = [trial for trial in measured if trial.footprint is not None and trial.footprint.size_mb > most]
    assert over
    assert all(trial.over for trial in over)
    assert found.best not in over
    assert any("over a limit" in reason for reason in found.reasons)


def test_a_mean_is_within_the_limits_or_is_no_mean(tmp_path: Path) -> None:
    work = limited(make_work(tmp_path, "lightgbm", "linear", trials=4), parameters=1e6, latency_ms=100)
    found = campaign.run(work)
    assert taken(found, work).parameters <= 1e6
    narrow = limited(make_work(tmp_path / "narrow", "lightgbm", "linear", trials=4), parameters=60)
    found = campaign.run(narrow)
    assert taken(found, narrow).parameters <= 60


def test_limits_that_nothing_keeps_are_an_error_with_the_figures(tmp_path: Path) -> None:
    work = limited(make_work(tmp_path, "linear"), size_mb=1e-6)
    with pytest.raises(ModelError, match=r"At least one candidate must be within `limits`.*MB, at most 1e-06"):
        campaign.run(work)


def test_a_bag_within_the_limits_stays_a_bag_and_one_over_them_is_fitted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(board, "FEW_ROWS", 100)
    wide = limited(make_work(tmp_path / "wide", "lightgbm"), size_mb=50)
    (member,) = prepared(campaign.run(wide), wide).members
    assert len(member.parts) == 3
    size = taken(campaign.run(wide), wide).size_mb
    narrow = limited(make_work(tmp_path / "narrow", "lightgbm"), size_mb=size * 0.7)
    (member,) = prepared(campaign.run(narrow), narrow).members
    assert len(member.parts) == 1


def test_a_family_that_is_too_large_is_tried_smaller() -> None:
    planned = make(lightgbm=Timed("lightgbm", 1), linear=Timed("sklearn", 0.01))
    planned.limits = Limits({"size_mb": 1.0})
    default = {"rounds": 1000, "rate": 0.05, "leaves": 16}
    planned.defaults["lightgbm"] = default  # type: ignore[assignment]
    large = ended(1, "lightgbm", GOOD)
    trial = replace(large.trial, over=("3 MB, at most 1",), footprint=LARGE)
    planned.ended = [replace(large, trial=trial, excess=2.0, refit={"rounds": 300}), ended(2, "linear", POOR)]
    plan = planned.next(EVERYTHING, 0, 60)
    assert plan is not None
    assert (plan.family, plan.kind) == ("lightgbm", "portfolio")
    given = planned.given(plan)
    assert (given["rounds"], given["leaves"]) == (86, 16)
    assert given["rate"] == pytest.approx(0.1725)


def test_a_family_without_rounds_is_made_narrower() -> None:
    one = replace(ended(1, "mlp", GOOD), excess=3.0)
    assert smaller(one, {"width": 256, "layers": 2}) == {"width": 119, "layers": 2}
    assert smaller(one, {"c": 0.1}) == {"c": 0.1}
