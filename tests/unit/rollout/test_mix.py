"""Output mix: an unexplained shift is harm, and what the judge saw is none."""

import numpy as np
import pytest
from numpy.random import Generator

from penstock.rollout import guard, mix
from penstock.rollout.observations import Evidence, Observation, Said
from penstock.rollout.release import Finding
from penstock.spec import Tolerate

TOLERATE = Tolerate()
REPLAYED = 1284

Pairs = list[tuple[Said, Said]]


def answers(count: int, rng: Generator, *, more: float = 0.0, others: float = 0.1) -> Pairs:
    """Three of ten say yes; `others` are answered otherwise by the challenger, and it says yes more often besides."""
    before = rng.random(count) < 0.3
    drawn = rng.random(count)
    after = np.where(before, drawn >= others / 2 / 0.3, drawn < (others / 2 + more) / 0.7)
    return [("yes" if one else "no", "yes" if other else "no") for one, other in zip(before, after, strict=True)]


def seen_of(pairs: Pairs) -> list[Observation]:
    return [Observation(str(number), False, 0.3, 0.3, (pair,)) for number, pair in enumerate(pairs)]


def evidence(pairs: Pairs, judged: Pairs | None = None) -> Evidence:
    return Evidence(seen_of(pairs), [], judged=judged or [], asked=REPLAYED)


def harm(found: Evidence) -> Finding | None:
    return guard.find_harm(found, TOLERATE)


def test_a_shift_by_ten_points_is_found_in_the_replay() -> None:
    found = harm(evidence(answers(REPLAYED, np.random.default_rng(1), more=0.1)))
    assert found is not None
    assert (found.guard, found.limit, found.sample) == ("mix", 0.05, 1280)
    assert 0.08 < found.value < 0.12
    assert found.limit < found.smallest < found.value
    assert "'yes' more often than the champion" in found.said


def test_ten_points_are_found_mostly_and_what_is_tolerated_hardly_ever() -> None:
    """The power, and the error at the edge of what is tolerated, through the code that is shipped."""
    rng = np.random.default_rng(2)
    shown = sum(harm(evidence(answers(REPLAYED, rng, more=0.1))) is not None for _ in range(40))
    edge = [evidence(answers(REPLAYED, rng, more=TOLERATE.mix)) for _ in range(100)]
    assert shown >= 30
    assert sum(harm(each) is not None for each in edge) <= 100 * guard.ERROR
    assert sum(guard.says_the_same(each, TOLERATE)[0] for each in edge) <= 2 * 100 * guard.ERROR


@pytest.mark.parametrize("others", [0.0, 0.1, 0.2])
def test_a_model_that_answers_otherwise_now_and_then_passes(others: float) -> None:
    rng = np.random.default_rng(3)
    found = [evidence(answers(REPLAYED, rng, others=others)) for _ in range(25)]
    assert not any(harm(each) for each in found)
    assert sum(guard.says_the_same(each, TOLERATE)[0] for each in found) >= 22


@pytest.mark.parametrize("labelled", [200, 1300])
def test_the_cure_of_a_drift_passes_as_the_judge_saw_what_it_changes(labelled: int) -> None:
    rng = np.random.default_rng(4)
    for _ in range(20):
        judged = answers(labelled, rng, more=0.2, others=0.2)
        cured = evidence(answers(REPLAYED, rng, more=0.2, others=0.2), judged)
        assert harm(cured) is None
        assert harm(evidence(answers(REPLAYED, rng, more=0.2, others=0.2))) is not None  # had nobody judged it
    assert sum_safe(rng, labelled) >= 18


def sum_safe(rng: Generator, labelled: int) -> int:
    cured = [
        evidence(
            answers(REPLAYED, rng, more=0.2, others=0.2),
            answers(labelled, rng, more=0.2, others=0.2),
        )
        for _ in range(20)
    ]
    return sum(guard.says_the_same(each, TOLERATE)[0] for each in cured)


def test_requests_from_before_the_drift_among_those_after_it_are_no_harm() -> None:
    rng = np.random.default_rng(5)
    judged = answers(1300, rng, more=0.2, others=0.2)
    mixed = answers(900, rng, more=0.2, others=0.2) + answers(400, rng, others=0.02)
    assert harm(evidence(mixed, judged)) is None
    assert guard.says_the_same(evidence(mixed, judged), TOLERATE)[0]


@pytest.mark.parametrize(("judged", "now"), [(0.05, 0.25), (0.15, -0.15)])
def test_what_goes_beyond_what_the_judge_saw_or_the_other_way_is_harm(judged: float, now: float) -> None:
    rng = np.random.default_rng(6)
    pairs = answers(REPLAYED, rng, more=abs(now), others=0.02)
    if now < 0:
        pairs = [(after, before) for before, after in pairs]
    found = harm(evidence(pairs, answers(1300, rng, more=judged, others=0.02)))
    assert found is not None
    assert found.guard == "mix"
    assert "often than the judge saw" in found.said


def test_classes_that_either_version_never_says_are_counted() -> None:
    pairs: Pairs = [("a", "c" if number % 5 == 0 else "a") for number in range(REPLAYED)]
    found = harm(evidence(pairs, [("b", "b")] * 200))
    assert found is not None
    assert found.value == pytest.approx(0.2, abs=0.01)


def values(rng: Generator, moved: float, noise: float = 0.1) -> Pairs:
    before = rng.normal(100, 10, REPLAYED)
    after = before + moved + rng.normal(0, 10 * noise, REPLAYED)
    return [(float(one), float(other)) for one, other in zip(before, after, strict=True)]


def test_values_are_compared_by_quarters_of_what_the_champion_says() -> None:
    rng = np.random.default_rng(7)
    assert harm(evidence(values(rng, 0.0))) is None
    assert guard.says_the_same(evidence(values(rng, 0.0)), TOLERATE)[0]
    found = harm(evidence(values(rng, 5.0)))
    assert found is not None
    assert "quarter" in found.said
    assert harm(evidence(values(rng, 5.0), values(rng, 5.0))) is None
    assert guard.says_the_same(evidence(values(rng, 5.0), values(rng, 5.0)), TOLERATE)[0]


def test_rounding_moves_no_value_over_the_end_of_a_quarter() -> None:
    before = [float(value) for value in np.random.default_rng(8).choice([10.0, 20.0, 30.0], REPLAYED)]
    assert harm(evidence([(value, value - 1e-4) for value in before])) is None
    assert harm(evidence([(5.0, 5.0)] * REPLAYED)) is None


def test_a_caller_with_many_rows_counts_once() -> None:
    one = Observation("one", False, 0.3, 0.3, (("no", "yes"),) * 10)
    seen = [one] * 100 + seen_of([("no", "no")] * 99)
    found = mix.shift(seen, [], 0.05)
    assert found is not None
    assert found.value == pytest.approx(0.01)


def test_nothing_is_said_of_the_mix_before_the_replay_has_ended() -> None:
    seen = seen_of(answers(REPLAYED, np.random.default_rng(9), more=0.3))
    assert guard.find_harm(Evidence(seen, [], replayed=False, asked=REPLAYED), TOLERATE) is None
    assert mix.shift([Observation("a", failed=True)], [], 0.05) is None
