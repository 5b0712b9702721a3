"""What labels say of the champion's answers; what is estimated without them."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from numpy.typing import NDArray

from penstock.domain.monitoring import Monitored, Performance, Seen
from penstock.evaluation.metrics import METRICS, MOST_PROBABLE, Choosing, find_metric
from penstock.monitoring.estimation import Expected, expect
from penstock.monitoring.labelled import read_labelled
from penstock.monitoring.maturity import delays_differ
from penstock.monitoring.performance import measure_performance
from penstock.monitoring.policy import decide
from penstock.monitoring.windows import take_window
from penstock.store.database import connect
from tests.unit.monitoring.world import DAYS, QUIET, START, Shift, World

LATER = START + timedelta(days=DAYS)


def measured(world: World, day: float = 1.0) -> Performance:
    """Take a window at a day of the calendar, measure it and keep what was decided."""
    return looked(world, day).performance


def looked(world: World, day: float = 1.0) -> Monitored:
    place = world.at(LATER + timedelta(days=day))
    window = take_window(world.spec, place)
    performance = measure_performance(window, world.spec, place)
    monitored = decide(Seen(window, None, performance), world.spec, "", place)
    connect(place).dispose()
    return monitored


def test_quality_is_that_of_the_labels_with_an_interval(world: World) -> None:
    rows = world.ask(LATER, 1000)
    world.label(rows)
    found = measured(world)
    assert found.metric == "roc_auc"
    assert found.labels == 1000
    assert found.measured is not None
    assert found.low is not None
    assert found.high is not None
    assert found.expected is not None
    assert found.low < found.measured < found.high
    assert found.low < found.expected < found.high
    assert not found.lost
    assert found.tolerance == 0.02
    assert found.last_label == 1000
    assert found.latency_ms == 2.0
    assert found.estimated is not None
    assert found.estimated_low is not None
    assert found.estimated_high is not None
    assert found.estimated_low < found.estimated < found.estimated_high
    assert 0.02 < found.estimated_high - found.estimated_low < 0.12


def test_what_columns_mean_may_change_and_only_labels_see_it(world: World) -> None:
    world.label(world.ask(LATER, 800, Shift(concept=1.0)))
    found = measured(world)
    assert found.lost
    assert found.loss is not None
    assert found.loss_low is not None
    assert found.loss > found.loss_low > 0.02
    assert found.estimated is not None
    assert found.measured is not None
    assert found.estimated - found.measured > 0.2
    assert any("off by 0.2" in note or "off by 0.3" in note for note in found.notes)


def test_labels_are_measured_once(world: World) -> None:
    first = world.ask(LATER, 300)
    world.label(first)
    assert measured(world, 1).labels == 300
    second = world.ask(LATER + timedelta(days=1), 300)
    world.label(second.iloc[:120])
    found = measured(world, 2)
    assert (found.labels, found.last_label) == (120, 420)


def test_few_labels_wait_for_more(world: World) -> None:
    rows = world.ask(LATER, 300)
    world.label(rows.iloc[:30])
    found = measured(world, 1)
    assert (found.measured, found.labels, found.last_label) == (None, 30, 0)
    assert found.notes == ("Not measured: 30 labels are new, and it takes 50.",)
    world.ask(LATER + timedelta(days=1), 300)
    world.label(rows.iloc[30:60])
    assert measured(world, 2).labels == 60


def test_labels_of_one_class_alone_wait(world: World) -> None:
    rows = world.ask(LATER, 400)
    world.label(rows[rows["target"] == "no"])
    found = measured(world)
    assert found.measured is None
    assert "a second class" in found.notes[0]


def test_picked_labels_are_not_measured(world: World) -> None:
    world.label(world.ask(LATER, 300), picked=True)
    found = measured(world)
    assert (found.measured, found.labels) == (None, 0)


def test_a_corrected_label_counts_as_corrected(world: World) -> None:
    rows = world.ask(LATER, 300)
    world.label(rows)
    flipped = rows.assign(target=np.where(rows["target"] == "yes", "no", "yes"))
    world.label(flipped)
    labelled, newest = read_labelled("1", 0, world.trained.model.signature, "when", world.workspace)
    assert (labelled.rows, newest) == (300, 600)
    assert labelled.target.tolist() == (flipped["target"] == "yes").astype(int).tolist()


def test_answers_of_another_version_are_not_the_champions(world: World) -> None:
    world.label(world.ask(LATER, 300))
    labelled, newest = read_labelled("2", 0, world.trained.model.signature, "when", world.workspace)
    assert (labelled.rows, newest) == (0, 300)


def test_labels_of_one_class_that_come_first_are_not_taken_for_the_whole(world: World) -> None:
    """Who leaves tells so within a day, who stays is known after six: at first nearly all labels are of leavers."""
    days = [world.ask(LATER + timedelta(days=day), 150) for day in range(12)]
    shares = []
    for today in range(12):
        told = {"yes": days[today], "no": days[max(today - 5, 0)]} if today >= 5 else {"yes": days[today]}
        for target, rows in told.items():
            waited = timedelta(days=0.5 if target == "yes" else 5.5)
            world.label(rows[rows["target"] == target], waited)
        labelled, _ = read_labelled("1", 0, world.trained.model.signature, "when", world.workspace)
        shares.append(float((labelled.target == 1).mean()))
    assert shares[3] == 1.0
    found = measured(world, 12.5)
    assert any("later than those of another" in note for note in found.notes)
    assert found.matured_to is not None
    assert found.labels < labelled.rows
    truth = np.concatenate([rows["target"].to_numpy() for rows in days[:6]])
    ripe = labelled.take(labelled.at <= np.datetime64(found.matured_to.replace(tzinfo=None)))
    assert float((ripe.target == 1).mean()) == pytest.approx(float((truth == "yes").mean()), abs=0.06)


def test_delays_that_do_not_depend_on_the_class_hold_nothing_back() -> None:
    random = np.random.default_rng(1)
    target = random.integers(0, 2, 400)
    waits = random.exponential(10, 400)
    assert not delays_differ(waits, target)
    assert delays_differ(waits + 10 * target, target)
    assert not delays_differ(waits, target.astype(float))


def expected(metric: str, matrix: NDArray[np.float64], choosing: Choosing = MOST_PROBABLE) -> Expected:
    found = expect(metric, matrix, choosing, 7)
    assert found is not None
    return found


@pytest.mark.parametrize("metric", [name for name, each in METRICS.items() if "binary" in each.problems])
def test_the_estimate_of_calibrated_probabilities_is_the_score(metric: str) -> None:
    random = np.random.default_rng(2)
    share = random.beta(1.0, 2.0, 200_000)
    target = (random.random(share.size) < share).astype(np.int64)
    matrix = np.column_stack([1 - share, share])
    costs = np.array([[0.0, 1.0], [5.0, 0.0]])
    choosing = Choosing(1 / 6, mistakes=costs) if metric == "cost" else Choosing(0.5)
    estimated = expected(metric, matrix, choosing).score
    assert estimated == pytest.approx(find_metric(metric).measure(target, matrix, choosing), abs=0.01)


def test_the_estimate_of_three_classes_is_the_score() -> None:
    random = np.random.default_rng(3)
    matrix = random.dirichlet([1.0, 0.7, 0.4], 100_000)
    target = (matrix.cumsum(axis=1) < random.random(100_000)[:, None]).sum(axis=1)
    for metric in ("roc_auc", "average_precision", "log_loss", "accuracy", "f1"):
        estimated = expected(metric, matrix).score
        assert estimated == pytest.approx(find_metric(metric).measure(target, matrix, Choosing()), abs=0.01), metric


@pytest.mark.parametrize("metric", ["average_precision", "roc_auc", "f1"])
def test_the_estimate_of_rare_classes_is_one_of_those_that_occur(metric: str) -> None:
    random = np.random.default_rng(4)
    matrix = random.dirichlet(4 * np.array([0.5, 0.3, 0.15, *[0.005] * 10]), 300)
    found = expected(metric, matrix)
    assert found.low < found.score < found.high
    real = []
    for _ in range(40):
        target = (matrix.cumsum(axis=1)[:, :-1] < random.random((300, 1))).sum(axis=1)
        real.append(find_metric(metric).measure(target, matrix, Choosing()))
    assert found.score == pytest.approx(np.mean(real), abs=0.04)


def test_values_are_not_estimated() -> None:
    assert expect("rmse", np.array([1.0, 2.0]), Choosing(), 7) is None
    assert expect("roc_auc", np.empty((0, 2)), Choosing(), 7) is None


def test_a_window_with_too_few_rows_still_says_what_labels_say(world: World) -> None:
    rows = world.ask(LATER, 100, QUIET)
    world.label(rows)
    window = take_window(world.spec, world.workspace)
    assert window.table is None
    found = measure_performance(window, world.spec, world.workspace)
    assert found.labels == 100
    assert (found.estimated, found.latency_ms) == (None, None)
    assert replace(found, labels=0).metric == "roc_auc"
