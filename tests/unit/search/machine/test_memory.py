import pytest

from penstock.domain.search import Experience, MemoryNote, Trial
from penstock.search.machine.memory import HEADROOM, LEAST_RATIO, MOST_NOTES, Memory, merged, told


def note(peak: int, rows: int = 10_000, family: str = "forest") -> MemoryNote:
    return MemoryNote(family, rows, 20, 2, 100, peak)


def test_what_was_never_measured_takes_what_its_family_says() -> None:
    assert Memory().predicted_mb("forest", 10_000, 20, 100) == 100


@pytest.mark.parametrize(("peak", "expected"), [(200, 200 * HEADROOM), (50, 50 * HEADROOM), (17, 100 * LEAST_RATIO)])
def test_what_was_measured_near_this_size_corrects_what_is_said(peak: int, expected: float) -> None:
    assert Memory((note(peak),)).predicted_mb("forest", 12_000, 20, 100) == pytest.approx(expected)


def test_of_several_measured_the_largest_counts() -> None:
    assert Memory((note(90), note(150), note(40))).predicted_mb("forest", 10_000, 20, 100) == 150 * HEADROOM


def test_what_was_measured_at_another_size_raises_a_prediction_and_never_lowers_it() -> None:
    assert Memory((note(50),)).predicted_mb("forest", 1_000_000, 20, 9_000) == 9_000
    assert Memory((note(200),)).predicted_mb("forest", 1_000_000, 20, 9_000) == 18_000


def test_another_familys_memory_says_nothing() -> None:
    assert Memory((note(500, family="mlp"),)).predicted_mb("forest", 10_000, 20, 100) == 100


def test_what_is_too_small_to_be_told_from_noise_is_not_learnt() -> None:
    memory = Memory()
    memory.learn(note(3))
    memory.learn(note(60))
    assert memory.kept() == (note(60),)


def test_what_is_kept_for_later_is_bounded_and_holds_each_note_once() -> None:
    many = tuple(note(peak) for peak in range(MOST_NOTES + 50))
    kept = merged(Experience(many), Experience((*many, note(9_999)))).memory
    assert len(kept) == MOST_NOTES
    assert kept[-1] == note(9_999)


def test_the_predictors_error_is_said() -> None:
    def trial(predicted: int, peak: int, number: int) -> Trial:
        return Trial(number, "forest", {}, "finished", 0.9, (0.9,), 1.0, 0, predicted_mb=predicted, peak_mb=peak)

    (said,) = told((trial(100, 50, 1), trial(100, 200, 2), trial(1, 0, 3)))
    assert "2 trials: predicted 1.2 times the real peak in the median, 0.5 to 2; 1 took more than predicted" in said
    assert told(()) == ()
