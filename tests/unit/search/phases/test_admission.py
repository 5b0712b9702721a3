from dataclasses import replace
from pathlib import Path

from penstock.domain.search import DeviceNote, Experience, MemoryNote, Trial
from penstock.domain.workspace import Workspace
from penstock.search import steps
from penstock.search.machine.messages import JobDone
from penstock.search.machine.slots import Crew
from penstock.search.order.plans import Shape
from penstock.search.order.schedule import Schedule
from penstock.search.phases.admission import Admission
from penstock.search.trial_records import Ended
from tests.unit.search.conftest import make_work

MEMORY = MemoryNote("linear", 1_000, 10, 2, 30, 60)
DEVICE = DeviceNote("mlp", "H200", 1_000, 10, 3.0, 1.0)


def made(folder: Path, *known: MemoryNote) -> tuple[Admission, Schedule]:
    work = replace(make_work(folder, "linear"), experience=Experience(known))
    admission = Admission(work, Crew(work.slots, folder))
    schedule = Schedule(
        families=work.families,
        shape=Shape((800,) * 5, 1_000, {"tree": 10, "dense": 10}, 2),
        budget=work.settings.budget,
        slots=1,
        defaults={name: {} for name in work.families},
        spaces={name: {} for name in work.families},
        memory=admission.memory,
    )
    return admission, schedule


def ended(peak: int, most_rows: int | None = None) -> Ended:
    trial = Trial(1, "linear", {}, "finished", 0.9, (0.9,), 1.0, 0, peak_mb=peak)
    return Ended(trial, "default", most_rows=most_rows)


def test_a_trial_that_took_more_than_was_said_raises_what_is_predicted(tmp_path: Path) -> None:
    admission, schedule = made(tmp_path)
    before = schedule.memory_mb("linear")
    admission.learn(ended(round(10 * before)), JobDone(1), schedule)
    assert schedule.memory_mb("linear") > 10 * before
    assert [note.peak_mb for note in admission.experience.memory] == [round(10 * before)]


def test_a_trial_on_capped_rows_says_nothing_of_the_whole(tmp_path: Path) -> None:
    admission, schedule = made(tmp_path)
    admission.learn(ended(900, most_rows=100), JobDone(1), schedule)
    assert admission.experience.memory == ()


def test_what_earlier_searches_measured_is_begun_with(tmp_path: Path) -> None:
    said = made(tmp_path)[1].memory_mb("linear")
    assert made(tmp_path, MEMORY)[1].memory_mb("linear") > 2 * said


def test_what_two_searches_measured_is_kept_in_the_workspace(workspace: Workspace) -> None:
    assert steps._experience(workspace) == Experience()
    steps._keep(Experience(memory=(MEMORY,)), workspace)
    steps._keep(Experience(devices=(DEVICE,)), workspace)
    assert steps._experience(workspace) == Experience((MEMORY,), (DEVICE,))
