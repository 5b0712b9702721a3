"""Deterministic searches: the same seed and number of trials give the same model, whatever the clock says."""

import hashlib
import pickle
from dataclasses import replace
from pathlib import Path

from penstock.domain.search import Slot
from penstock.search import campaign
from penstock.search.order import rounds
from penstock.search.order.board import Board
from penstock.search.order.plans import Shape
from penstock.search.work import Found, Work
from tests.unit.search.conftest import make_rows, make_work
from tests.unit.search.order.trials import EVERYTHING, FAIR, GOOD, POOR, Timed, ended, make


def exact(folder: Path, *names: str, trials: int, slots: int = 1) -> Work:
    work = make_work(folder, *names, seconds=1, trials=trials)
    settings = replace(work.settings, deterministic=True)
    cut = tuple(Slot(number, (number,), 900) for number in range(slots))
    return replace(work, rows=make_rows(rows=900), settings=settings, slots=cut)


def digest(found: Found, work: Work) -> str:
    recipe = pickle.loads(found.model.read_bytes())  # noqa: S301  written by this test
    return hashlib.sha256(recipe.prepare(work.families).to_onnx()).hexdigest()


def told(found: Found) -> list[tuple[object, ...]]:
    return [
        (one.number, one.family, one.state, one.fold_scores, sorted(map(str, one.parameters.items())))
        for one in found.trials
    ]


def test_two_searches_of_one_seed_give_one_graph_on_one_slot_or_two(tmp_path: Path) -> None:
    works = [
        exact(tmp_path / str(place), "lightgbm", "linear", "forest", trials=11, slots=slots)
        for place, slots in enumerate((1, 2))
    ]
    first, second = (campaign.run(work) for work in works)
    assert told(first) == told(second)
    assert first.best.family == second.best.family
    assert digest(first, works[0]) == digest(second, works[1])
    assert sum(one.state in {"finished", "pruned"} for one in first.trials if one.family != "ensemble") == 11


def test_a_budget_in_seconds_does_not_end_it(tmp_path: Path) -> None:
    found = campaign.run(exact(tmp_path, "linear", trials=4))
    assert len([one for one in found.trials if one.family != "ensemble"]) == 4
    assert not any("time" in reason for reason in found.reasons)


def planned() -> rounds.Rounds:
    known: Board = make(
        baseline=Timed("sklearn", 0.01),
        linear=Timed("sklearn", 0.01),
        lightgbm=Timed("lightgbm", 1),
        mlp=Timed("torch", 2),
    )
    return rounds.Rounds(
        families=known.families,
        shape=Shape((800,) * 5, 1000, known.shape.features, 2),
        budget=known.budget,
        slots=2,
        defaults=known.defaults,
        spaces=known.spaces,
    )


def test_a_round_ends_before_the_next_begins() -> None:
    schedule = planned()
    assert schedule.next(EVERYTHING, 0, 20) is None  # there is no baseline yet
    schedule.ended.append(ended(1, "baseline", POOR))
    plans = [schedule.next(EVERYTHING, 0, 20) for _ in range(3)]
    assert [plan.family for plan in plans if plan] == ["lightgbm", "linear", "mlp"]
    schedule.running = {number: plan for number, plan in enumerate(plans) if plan}
    assert schedule.next(EVERYTHING, 0, 20) is None
    schedule.running = {}
    schedule.ended += [ended(4, "mlp", FAIR), ended(3, "linear", POOR), ended(2, "lightgbm", GOOD)]
    again = [schedule.next(EVERYTHING, 0, 20) for _ in range(2)]
    assert [(plan.family, plan.kind) for plan in again if plan] == [("lightgbm", "tuned"), ("mlp", "tuned")]


def test_the_order_of_a_round_does_not_depend_on_which_slot_asks() -> None:
    schedule = planned()
    schedule.ended.append(ended(1, "baseline", POOR))
    assert schedule.next({"sklearn", "torch"}, 0, 20) is None
    assert schedule.wanted(0, 20) == ["lightgbm"]
    plan = schedule.next({"sklearn", "lightgbm"}, 0, 20)
    assert plan is not None
    assert plan.family == "lightgbm"


def test_a_trial_is_hopeless_by_the_rounds_before() -> None:
    schedule = planned()
    schedule.ended = [ended(1, "baseline", POOR)]
    schedule.next(EVERYTHING, 0, 20)
    schedule.ended.append(ended(2, "lightgbm", GOOD))
    assert not schedule.hopeless("mlp", [0.8, 0.81])
    schedule.known = list(schedule.ended)
    assert schedule.hopeless("mlp", [0.8, 0.81])
