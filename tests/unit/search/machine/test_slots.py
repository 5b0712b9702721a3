import math
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from penstock.domain.search import Slot
from penstock.search.encoding import Encoding
from penstock.search.machine.messages import Answer, GoOn, JobDone, JobFailed, Setting, TrialJob
from penstock.search.machine.slots import STARTS, Crew, lives, owner, start_time
from tests.unit.search.conftest import make_rows

SLOT = Slot(0, (0,), 900)


@pytest.fixture
def crew(tmp_path: Path, mischief: None) -> Iterator[Crew]:  # noqa: ARG001
    encoding = Encoding(make_rows(), ("tree",), tmp_path / "folds", 7)
    encoding.start()
    assert encoding.thread is not None
    encoding.thread.join()
    encoding.check()
    found = Crew((SLOT,), tmp_path)
    found.start(SLOT, "sklearn")
    found.tell(Setting(encoding.encoded, "roc_auc", 7))
    yield found
    found.close()


def answer_of(crew: Crew, family: str, seconds: float, first: float = math.inf) -> Answer:
    """Give the slot a job as soon as its process is ready, and return its end; its first fold is due after `first`."""
    end = time.monotonic() + 60
    while (host := crew.host(SLOT, "sklearn")) is None:
        assert time.monotonic() < end, "the slot's process did not start"
        crew.wait(0.1)
    now = time.monotonic()
    crew.submit(host, TrialJob(1, family, {}, now + seconds, now + seconds + 1, (0,), first_by=now + first))
    while time.monotonic() < end:
        for host, answer in crew.wait(0.1):
            if isinstance(answer, JobDone | JobFailed):
                return answer
            crew.answer(host, GoOn())
    raise AssertionError("the job did not end")


def test_what_never_ends_is_ended_at_its_deadline_and_the_slot_works_on(crew: Crew) -> None:
    failed = answer_of(crew, "endless", 0.2)
    assert isinstance(failed, JobFailed)
    assert failed.cause == "deadline"
    assert isinstance(answer_of(crew, "baseline", 30), JobDone)


def test_what_has_no_fold_to_show_in_time_hangs_and_is_ended_long_before_its_deadline(crew: Crew) -> None:
    failed = answer_of(crew, "endless", 3600, first=0.2)
    assert isinstance(failed, JobFailed)
    assert failed.cause == "deadline"
    assert "its first fold" in failed.reason


def test_what_asks_for_too_much_at_once_fails_by_itself_and_its_process_lives(crew: Crew) -> None:
    failed = answer_of(crew, "greedy", 60)
    assert isinstance(failed, JobFailed)
    assert failed.cause == "memory"
    assert "MemoryError" in failed.reason
    (host,) = crew.hosts.values()
    assert isinstance(answer_of(crew, "baseline", 30), JobDone)
    assert crew.hosts[0, "sklearn"] is host


def test_a_trials_process_is_the_first_that_the_kernel_would_end(crew: Crew) -> None:
    answer_of(crew, "baseline", 30)
    (host,) = crew.hosts.values()
    assert Path(f"/proc/{host.process.pid}/oom_score_adj").read_text(encoding="utf-8").strip() == "1000"


def test_a_job_leases_of_a_gpu_while_it_is_at_work_and_a_dead_process_leases_nothing(tmp_path: Path) -> None:
    slot = Slot(0, (0,), 900, gpu=1, gpu_mb=8_000)
    crew = Crew((slot,), tmp_path)
    crew.start(slot, "sklearn")
    (host,) = crew.hosts.values()
    crew.submit(host, TrialJob(1, "baseline", {}, math.inf, math.inf, (0,), "cuda"), gpu_mb=3_000)
    assert (crew.leased_mb(1), crew.leased_mb(0)) == (3_000, 0)
    crew.end(host, "it was killed", "died")
    assert crew.leased_mb(1) == 0
    crew.close()


def test_what_outgrows_its_slot_is_ended_alone_with_the_figures(crew: Crew) -> None:
    failed = answer_of(crew, "hungry", 60)
    assert isinstance(failed, JobFailed)
    assert failed.cause == "memory"
    assert "more than the slot's 900 MB" in failed.reason


def test_a_process_dies_with_its_search_and_none_is_left(crew: Crew) -> None:
    pids = [host.process.pid for host in crew.hosts.values()]
    crew.close()
    assert pids
    assert all(start_time(pid) is None for pid in pids)


def test_an_owner_is_known_by_its_id_and_its_start() -> None:
    pid, started = owner()
    assert pid == os.getpid()
    assert lives(pid, started)
    assert not lives(pid, started + 1)


def test_a_slot_whose_process_dies_at_every_start_is_given_up_and_another_works_on(tmp_path: Path) -> None:
    slots = (SLOT, Slot(1, (0,), 900))
    crew = Crew(slots, tmp_path)
    try:
        for slot in slots:
            crew.start(slot, "sklearn")
        for _ in range(STARTS):
            end_start(crew)
        assert list(crew.hosts) == [(1, "sklearn")]
        crew.start(SLOT, "sklearn")
        assert (0, "sklearn") not in crew.hosts
        for _ in range(STARTS + 1):  # a process that had started may die as often as it likes
            settle(crew, lambda: crew.hosts[1, "sklearn"].ready)
            crew.hosts[1, "sklearn"].job = TrialJob(1, "baseline", {}, 0, 0, (0,))
            crew.hosts[1, "sklearn"].process.kill()
            settle(crew, lambda: not crew.hosts[1, "sklearn"].ready)
        assert crew.broken == {}
    finally:
        crew.close()


def test_a_library_whose_processes_die_at_every_start_in_every_slot_is_broken(tmp_path: Path) -> None:
    crew = Crew((SLOT,), tmp_path)
    crew.start(SLOT, "sklearn")
    for _ in range(STARTS):
        end_start(crew)
    assert crew.hosts == {}
    assert "the slot's process ended with -9" in crew.broken["sklearn"]


def end_start(crew: Crew) -> None:
    """Kill the first slot's process while it starts, and wait until that is seen."""
    killed = crew.hosts[0, "sklearn"]
    killed.process.kill()
    settle(crew, lambda: crew.hosts.get((0, "sklearn")) is not killed)


def settle(crew: Crew, holds: Callable[[], bool]) -> None:
    """Hear what the processes say until something is so."""
    end = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < end, "it did not come to this"
        crew.wait(0.05)
