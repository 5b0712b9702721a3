"""Guards: harm is shown by figures, and our own load is no harm."""

import numpy as np
import pytest
from numpy.random import Generator

from penstock.rollout import guard
from penstock.rollout.observations import (
    LATE_EVERY,
    MOST_KEPT,
    MOST_OF_ONE,
    Evidence,
    Observation,
    Source,
    by_caller,
    callers,
)
from penstock.rollout.release import Finding
from penstock.spec import Tolerate

TOLERATE = Tolerate()


def observed(
    count: int, rng: Generator, *, failing: float = 0.0, slower: float = 0.0, noise: float = 0.02
) -> list[Observation]:
    """Requests of as many callers: 0.3 ms, and now and then some milliseconds more, for either version."""
    before = 0.3 + (rng.random(count) < noise) * rng.exponential(20, count)
    after = 0.3 + slower + (rng.random(count) < noise) * rng.exponential(20, count)
    failed = rng.random(count) < failing
    return [
        Observation(str(number), bool(fails), None if fails else float(one), None if fails else float(other))
        for number, (fails, one, other) in enumerate(zip(failed, before, after, strict=True))
    ]


def first_harm(seen: list[Observation]) -> tuple[int, Finding] | None:
    for count in (10 * 2**look for look in range(12)):
        found = guard.find_harm(Evidence(seen[:count], []), TOLERATE)
        if found is not None:
            return count, found
    return None


def test_a_challenger_that_fails_one_in_five_is_found_within_some_dozens() -> None:
    harm = first_harm(observed(400, np.random.default_rng(1), failing=0.2))
    assert harm is not None
    count, found = harm
    assert count <= 160
    assert (found.guard, found.limit, found.sample) == ("errors", 0.01, count)
    assert 0.1 < found.value < 0.35
    assert found.limit < found.smallest <= found.value
    assert "least that so many could have shown" in found.said


def test_a_challenger_that_is_slow_is_found_at_the_first_look() -> None:
    harm = first_harm(observed(100, np.random.default_rng(2), slower=400.0))
    assert harm is not None
    assert (harm[0], harm[1].guard, harm[1].value) == (guard.FIRST_LOOK, "latency", 1.0)


def test_a_challenger_that_is_slow_for_one_in_ten_is_found() -> None:
    rng = np.random.default_rng(3)
    seen = [
        Observation(each.caller, False, each.champion_ms, (each.challenger_ms or 0) + 50 * (rng.random() < 0.1))
        for each in observed(2000, rng)
    ]
    harm = first_harm(seen)
    assert harm is not None
    assert harm[1].guard == "latency"


@pytest.mark.parametrize("noise", [0.02, 0.3])
def test_a_busy_machine_is_no_harm(noise: float) -> None:
    rng = np.random.default_rng(4)
    for _ in range(40):
        assert first_harm(observed(700, rng, noise=noise)) is None


def test_what_takes_three_times_a_tenth_of_a_millisecond_harms_nobody() -> None:
    seen = [Observation(str(number), False, 0.1, 0.3) for number in range(700)]
    assert first_harm(seen) is None
    assert guard.is_safe(seen, TOLERATE)[0]


def test_a_good_challenger_passes_with_as_many_answers_as_it_takes() -> None:
    seen = observed(guard.smallest_safe(TOLERATE) * 2, np.random.default_rng(5))
    safe, said = guard.is_safe(seen, TOLERATE)
    assert safe, said
    assert "1.00% tolerated" in said
    few, missing = guard.is_safe(seen[:100], TOLERATE)
    assert not few
    assert "100 of the 321 answers" in missing


def test_two_failures_in_a_hundred_never_pass_and_are_shown_in_the_end() -> None:
    rng = np.random.default_rng(6)
    seen = observed(12000, rng, failing=0.02)
    assert not guard.is_safe(seen, TOLERATE)[0]
    assert guard.find_harm(Evidence(seen, []), TOLERATE) is not None


def test_live_failures_are_not_hidden_by_a_clean_replay() -> None:
    rng = np.random.default_rng(7)
    found = guard.find_harm(Evidence(observed(650, rng), observed(100, rng, failing=0.3)), TOLERATE)
    assert found is not None
    assert "live answers" in found.said


def test_a_false_alarm_is_as_rare_as_it_says() -> None:
    rng, alarms = np.random.default_rng(8), 0
    for _ in range(100):
        seen = observed(640, rng, failing=TOLERATE.errors)  # as bad as tolerated, no worse
        grid = [10 * 2**look for look in range(7)]
        alarms += any(guard.find_harm(Evidence(seen[:count], seen[:count]), TOLERATE) for count in grid)
    assert alarms <= 100 * guard.ERROR


def test_a_bundle_that_does_not_load_is_harm() -> None:
    found = guard.find_harm(Evidence([], [], broken="The graph is no graph."), TOLERATE)
    assert found is not None
    assert (found.guard, found.sample) == ("errors", 0)
    assert "The graph is no graph." in found.said


def test_a_thousand_failures_of_one_caller_are_one_callers() -> None:
    source = Source("live answers")
    for _ in range(1000):
        source.add(Observation("one", failed=True))
    for number in range(90):
        source.add(Observation(f"other {number}", False, 0.3, 0.3))
    assert len(source.seen) == MOST_OF_ONE + 90
    assert (callers(source.seen), by_caller(source.seen, [each.failed for each in source.seen])) == (91, 1.0)
    assert guard.find_harm(Evidence([], source.seen), TOLERATE) is None


def looked_at(source: Source) -> Finding | None:
    return guard.find_harm(Evidence([], source.seen, late_live=source.late), TOLERATE)


@pytest.mark.parametrize(("asking", "before"), [(40, 4000), (40, 40_000), (50_000, 25_000)])
@pytest.mark.parametrize("harm", ["errors", "latency"])
def test_harm_that_begins_late_is_found(harm: str, asking: int, before: int) -> None:
    source, found = Source("live answers"), None
    for number in range(before):
        source.add(Observation(str(number % asking), False, 0.3, 0.3))
    assert looked_at(source) is None
    worse = (True, None, None) if harm == "errors" else (False, 0.3, 50.0)
    for number in range(before, before + 2000):
        source.add(Observation(str(number % asking), *worse))
        if number % LATE_EVERY == 0:
            found = found or looked_at(source)
    assert found is not None
    assert (found.guard, "newest live answers" in found.said) == (harm, True)


def test_late_looks_alarm_as_rarely_as_they_say() -> None:
    rng, alarms = np.random.default_rng(11), 0
    for _ in range(20):
        source, alarmed = Source("live answers"), False
        for number, fails in enumerate(rng.random(5000) < TOLERATE.errors):  # as bad as tolerated, no worse
            source.add(Observation(str(number % 20), bool(fails)))
            alarmed = alarmed or (number % LATE_EVERY == 0 and looked_at(source) is not None)
        alarms += alarmed
    assert alarms <= 20 * guard.ERROR


def test_what_is_kept_has_an_end_and_is_the_newest_of_each_caller() -> None:
    source = Source("live answers")
    for number in range(3 * MOST_KEPT):
        source.add(Observation("one" if number % 2 else f"other {number}"))
    newest = source.late.seen
    assert (len(source.seen), len(newest), len(source._newest)) == (MOST_KEPT, MOST_KEPT, MOST_KEPT)
    assert callers(newest) == len(source._places) == MOST_KEPT - MOST_OF_ONE + 1
    assert newest[-2:] == (Observation(f"other {3 * MOST_KEPT - 2}"), Observation("one"))


def test_a_caller_counts_with_the_share_of_its_requests() -> None:
    seen = [Observation("one"), Observation("one", failed=True), Observation("other")]
    assert by_caller(seen, [each.failed for each in seen]) == 0.5


def test_pairs_beside_live_answers_count_for_latency_and_not_for_errors() -> None:
    rng = np.random.default_rng(7)
    first = guard.smallest_safe(TOLERATE)
    pairs = [Observation(f"pair {number}", False, 2.0, 2.0) for number in range(4 * first)]
    busy = rng.choice([2.0, 6.0], size=(first, 2))  # one arm or the other, by turns
    noisy = [Observation(str(number), False, float(one), float(other)) for number, (one, other) in enumerate(busy)]
    assert not guard.is_safe(noisy, TOLERATE)[0]
    assert guard.is_safe(noisy, TOLERATE, pairs)[0]
    failing = [Observation(str(number), number % 50 == 0, 2.0, 2.0) for number in range(first)]
    assert not guard.is_safe(failing, TOLERATE, pairs)[0]


def test_callers_who_ask_again_and_again_do_not_wear_the_evidence_down() -> None:
    first = guard.smallest_safe(TOLERATE)
    seen = [Observation(str(number % (first + 100)), False, 2.0, 2.0) for number in range(20 * first)]
    assert all(guard.is_safe(seen[: many * first], TOLERATE)[0] for many in (2, 4, 10, 20))
    few, said = guard.is_safe([each for each in seen if int(each.caller) < 100], TOLERATE)
    assert not few
    assert "100 of the 321 answers of different callers" in said
