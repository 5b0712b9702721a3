"""The process that carries decisions on: ``python -m penstock.control``.

Every two seconds it runs its jobs. Each job is a repeatable step with transactions of its own: killed anywhere and
started again, it does what is left. A job that fails is logged and tried again, and stops no other. Jobs that talk to
one server share a lane, a thread of its own, so that a server that does not answer holds up its own lane only.
"""

import contextlib
import logging
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import FrameType

from penstock.domain.workspace import Workspace
from penstock.errors import PenstockError
from penstock.orchestration.events import send_outbox, start_missing
from penstock.orchestration.heartbeat import write_beat
from penstock.orchestration.held import judge_held
from penstock.orchestration.runs import close_orphaned_runs
from penstock.orchestration.schedules import keep_schedules, start_overdue_monitors
from penstock.rollout.advance import advance_rollouts
from penstock.rollout.reconcile import reconcile_aliases
from penstock.serving.journals.sealing import seal_waiting
from penstock.serving.labels import adopt_all_parked
from penstock.store.audit_heads import keep_head, stamp_releases
from penstock.store.leases import free_dead_leases
from penstock.store.workspace import find_workspace, use_environment

TICK_SECONDS = 2.0
END_SECONDS = 8.0  # for the jobs at work, once the process is asked to end

log = logging.getLogger("penstock.control")


@dataclass(frozen=True, slots=True)
class Job:
    """A step that is done again and again, at most every so many seconds."""

    name: str
    step: Callable[[Workspace], object]
    seconds: float = 0.0


LANES: dict[str, tuple[Job, ...]] = {
    "traffic": (Job("rollouts", advance_rollouts),),
    "registry": (Job("aliases", reconcile_aliases), Job("audit stamps", stamp_releases, 10)),
    "prefect": (
        Job("outbox", send_outbox),
        Job("retrainings", start_missing),
        Job("monitors", start_overdue_monitors),
        Job("schedules", keep_schedules, 15),
        Job("held challengers", judge_held, 10),
        Job("flow runs", close_orphaned_runs, 30),
    ),
    "journal": (
        Job("journal", seal_waiting),
        Job("parked labels", adopt_all_parked, 60),
        Job("leases", free_dead_leases, 30),
        Job("audit head", keep_head, 5),
    ),
}


@dataclass(slots=True)
class Lane:
    """Jobs that are done one after the other, and what came of them."""

    jobs: tuple[Job, ...]
    workspace: Workspace
    ticked: float = 0.0
    errors: dict[str, str] = field(default_factory=dict)
    _due: dict[str, float] = field(default_factory=dict)
    _told: dict[str, set[str]] = field(default_factory=dict)

    def tick(self) -> None:
        """Do every job that is due; one that fails is logged, due again at the next tick, and the next one is done."""
        for job in self.jobs:
            if time.monotonic() >= self._due.get(job.name, 0.0) and self._goes_well(job):
                self._due[job.name] = time.monotonic() + job.seconds
        self.ticked = time.time()

    def _goes_well(self, job: Job) -> bool:
        try:
            job.step(self.workspace)
        except Exception as error:  # noqa: BLE001  whatever it is, the other jobs go on
            self._tell(job, error)
            return False
        if self.errors.pop(job.name, None) is not None:
            log.info("%s: well again.", job.name)
            self._told.pop(job.name, None)
        return True

    def _tell(self, job: Job, error: Exception) -> None:
        """Log an error once, with where it came from unless it says itself what to do."""
        said = error.message if isinstance(error, PenstockError) else f"{type(error).__name__}: {error}"
        self.errors[job.name] = said
        told = self._told.setdefault(job.name, set())
        if said not in told:
            told.add(said)
            foreseen = isinstance(error, PenstockError)
            level = logging.WARNING if foreseen else logging.ERROR
            log.log(level, "%s: %s", job.name, said, exc_info=None if foreseen else error)


def tick(workspace: Workspace, lanes: dict[str, tuple[Job, ...]] | None = None) -> dict[str, str]:
    """Do every job once, lane after lane; return the error of each job that failed."""
    errors: dict[str, str] = {}
    for jobs in (LANES if lanes is None else lanes).values():
        lane = Lane(jobs, workspace)
        lane.tick()
        errors |= lane.errors
    return errors


def run(workspace: Workspace, ending: threading.Event) -> None:
    """Tick until the process is asked to end, and then let the jobs at work come to their end."""
    lanes = {name: Lane(jobs, workspace) for name, jobs in LANES.items()}
    threads = [threading.Thread(target=_follow, args=(lane, ending), name=name) for name, lane in lanes.items()]
    for thread in threads:
        thread.daemon = True
        thread.start()
    while True:
        errors = {name: said for lane in lanes.values() for name, said in dict(lane.errors).items()}
        with contextlib.suppress(OSError):  # a full disk must not end the process that keeps traffic in order
            write_beat({name: lane.ticked for name, lane in lanes.items()}, errors, workspace)
        if ending.wait(TICK_SECONDS):
            break
    deadline = time.monotonic() + END_SECONDS
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))


def _follow(lane: Lane, ending: threading.Event) -> None:
    while not ending.is_set():
        began = time.monotonic()
        lane.tick()
        ending.wait(max(0.1, TICK_SECONDS - (time.monotonic() - began)))


def main() -> None:
    """Run the process until SIGTERM or SIGINT."""
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    workspace, ending = find_workspace(), threading.Event()
    use_environment(workspace)

    def end(number: int, _: FrameType | None) -> None:
        log.info("Ending: signal %d.", number)
        ending.set()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    log.info("Ticking every %g s.", TICK_SECONDS)
    run(workspace, ending)


if __name__ == "__main__":
    main()
