"""Quality: labels that come while a rollout lasts show what a challenger loses, as a whole and in a segment."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from numpy.random import Generator

from penstock.domain.releases import Label
from penstock.domain.workspace import Clock, Workspace
from penstock.rollout import guard, quality
from penstock.rollout.labelled import Labelled, in_calendar
from penstock.rollout.observations import Answered, Evidence, Lost, Missed, Observation
from penstock.rollout.release import Finding
from penstock.spec import Tolerate
from penstock.store.labels import save_labels

TOLERATE = Tolerate()
COUNT = 1280


def rows(rng: Generator, *, worse: float = 0.0, others: float = 0.1, count: int = COUNT) -> list[Lost]:
    """Some rows are answered otherwise, as often better as worse, and `worse` of all besides are answered wrongly."""
    drawn = rng.random(count)
    lost = np.where(drawn < others / 2, -1.0, np.where(drawn < others + worse, 1.0, 0.0))
    plans = rng.choice(["gold", "silver", "iron", "tin"], count)
    ages = rng.integers(20, 70, count)
    return [
        Lost(str(number), float(loss), row={"plan": str(plan), "age": int(age), "name": f"n{number}"})
        for number, (loss, plan, age) in enumerate(zip(lost, plans, ages, strict=True))
    ]


def harm(lost: list[Lost] | None = None, missed: list[Missed] | None = None) -> Finding | None:
    return guard.find_harm(Evidence([], [], lost=lost or [], missed=missed or []), TOLERATE)


def test_a_loss_of_ten_points_is_found() -> None:
    found = harm(rows(np.random.default_rng(1), worse=0.1))
    assert found is not None
    assert (found.guard, found.limit) == ("quality", 0.02)
    assert found.limit < found.smallest <= found.value
    assert "labelled answers to the same rows" in found.said


def test_a_loss_of_ten_points_is_found_mostly_and_an_equal_challenger_hardly_ever() -> None:
    """The power, and the error at the edge of what is tolerated, through the code that is shipped."""
    rng = np.random.default_rng(2)
    assert sum(harm(rows(rng, worse=0.1)) is not None for _ in range(40)) >= 36
    alarms = 0
    for _ in range(60):
        lost = rows(rng, worse=TOLERATE.quality)
        alarms += any(harm(lost[: 40 << look]) is not None for look in range(6))
    assert alarms <= 60 * guard.ERROR


def test_a_segment_is_found_though_the_whole_is_as_good() -> None:
    rng = np.random.default_rng(3)
    lost = [
        Lost(each.caller, 0.6 * (rng.random() < 0.5) if each.row and each.row["plan"] == "tin" else -0.1, row=each.row)
        for each in rows(rng, others=0.0)
    ]
    assert abs(float(np.mean([each.loss for each in lost]))) < 0.02
    found = harm(lost)
    assert found is not None
    assert (found.guard, found.limit) == ("segment", quality.SEGMENT * TOLERATE.quality)
    assert "where 'plan' is 'tin'" in found.said


def test_a_segment_of_numbers_is_a_quarter() -> None:
    rng = np.random.default_rng(4)
    lost = [Lost(each.caller, 0.5 * (each.row or {})["age"] // 55, row=each.row) for each in rows(rng, others=0.0)]
    found = quality.worst_segment(lost, 0.1, 0.01)
    assert found is not None
    assert "'age' is above" in found.what


def test_what_the_cure_of_a_drift_gains_is_no_harm() -> None:
    cured = [Lost(str(number), -0.1 + 0.3 * (number % 10 == 0)) for number in range(COUNT)]
    assert harm(cured) is None


def arms(rng: Generator, worse: float, count: int = 4000, share: float = 0.25) -> list[Missed]:
    challenger, off = rng.random(count) < share, rng.random(count) * 0.3
    return [
        Missed(str(number), bool(ours), float(loss) + worse * bool(ours))
        for number, (ours, loss) in enumerate(zip(challenger, off, strict=True))
    ]


def test_answers_to_callers_are_compared_by_who_gave_them() -> None:
    rng = np.random.default_rng(5)
    found = harm(missed=arms(rng, 0.1))
    assert found is not None
    assert found.guard == "quality"
    assert "labelled live answers" in found.said
    assert not any(harm(missed=arms(rng, 0.0)) for _ in range(20))
    assert harm(missed=[Missed("a", True, 1.0)] * 100) is None  # no champion to hold it against


def pairs() -> list[Observation]:
    return [Observation(str(number), False, 0.3, 0.3, (("no", "no"),)) for number in range(400)]


def test_labels_hold_a_stage_up_only_if_they_can_tell() -> None:
    def said(lost: list[Lost]) -> tuple[bool, str]:
        return guard.says_the_same(Evidence(pairs(), [], lost=lost), TOLERATE)

    rng = np.random.default_rng(6)
    safe, words = said([])
    assert safe
    assert "quality unknown (labels of 0 rows" in words
    safe, words = said(rows(rng, count=400, worse=0.03))
    assert safe
    assert "too few to tell" in words
    safe, words = said(rows(rng, others=0.02))
    assert safe
    assert "loss of quality at most" in words
    assert not said(rows(rng, others=0.02, worse=0.03))[0]


def test_how_far_off_an_answer_is() -> None:
    sure = {"label": "no", "score": 0.0, "probabilities": {"no": 1.0, "yes": 0.0}}
    half = {"label": "no", "score": 0.5, "probabilities": {"no": 0.5, "yes": 0.5}}
    assert [quality.distance(sure, label) for label in ("no", "yes", "new")] == [0.0, 1.0, 1.0]
    assert quality.distance(half, "no") == 0.25
    assert quality.distance({"value": 3.0, "low": 1.0, "high": 5.0}, "5.0") == 2.0
    lost = quality.losses([Lost("a", 2.0, 10.0), Lost("b", -50.0, 30.0)])
    assert lost.tolist() == [0.2, -1.0]  # in standard deviations of the labels, one at most


# --- labels beside answers ------------------------------------------------------------------------------------------

NO = {"label": "no", "score": 0.1, "probabilities": {"no": 0.9, "yes": 0.1}}
YES = {"label": "yes", "score": 0.9, "probabilities": {"no": 0.1, "yes": 0.9}}


def bring(workspace: Workspace, request_id: str, value: str, *, row: int = 0, picked: bool = False) -> None:
    now = workspace.now()
    save_labels([(Label("churn", request_id, row, value, "http", now, now, 1.0, picked), True)], workspace)


def test_labels_count_once_whether_they_come_before_or_after_the_pair_is_read(workspace: Workspace) -> None:
    bring(workspace, "old", "yes")
    labels = Labelled("churn", datetime.now(UTC))
    bring(workspace, "r1", "yes")
    labels.read(workspace)
    labels.wait_for(Answered("old", "o", [NO], [YES]))
    labels.wait_for(Answered("r1", "a", [NO], [YES], [{"age": 1}]))
    labels.wait_for(Answered("r2", "b", [NO], [YES]))
    labels.wait_for(Answered("r3", "c", None, [YES]))
    labels.wait_for(Answered("r4", "d", [NO], None))
    bring(workspace, "r2", "no")
    labels.read(workspace)
    assert [(each.caller, each.row) for each in labels.lost] == [("b", None), ("a", {"age": 1})]
    assert [each.loss for each in labels.lost] == pytest.approx([0.8, -0.8])
    bring(workspace, "r2", "yes")
    bring(workspace, "r3", "yes")
    bring(workspace, "r4", "yes", picked=True)
    bring(workspace, "r1", "yes", row=7)
    labels.read(workspace)
    assert len(labels.lost) == 2
    assert [(each.caller, each.challenger) for each in labels.missed] == [("c", True)]
    labels.begin_stage()
    assert labels.missed == []


def test_the_calendar_of_a_moment_follows_the_clock(workspace: Workspace) -> None:
    moment = datetime.now(UTC)
    assert in_calendar(moment, workspace) == moment
    clock = Clock(datetime(2026, 1, 1, tzinfo=UTC), 100.0, moment - timedelta(seconds=10))
    fast = Workspace(workspace.home, workspace.app, clock=clock)
    assert in_calendar(moment, fast) == datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=1000)
