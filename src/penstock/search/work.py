"""What a search is given, what it tells while it goes, and what it finds."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from penstock.domain.search import Experience, Mark, SearchSettings, Slot, Trial, Value
from penstock.models._base import ModelFamily
from penstock.search.encoding import TrainingRows
from penstock.search.machine.devices import Placed
from penstock.search.machine.messages import Cause, JobDone, JobFailed, TrialJob
from penstock.search.machine.slots import Host
from penstock.search.order.plans import Plan
from penstock.search.trial_records import Draft, Ended

LEAST_GRACE = 1.0  # seconds: a fit that stops by its deadline still has to predict and to answer
GRACE = 0.2  # of a trial's time, where more is left: a busy machine answers late, and the whole trial would be lost
FIRST_FOLD = 0.5  # of a trial's time: one that has not scored its first fold by then hangs, or will not be whole
FIRST_LEAST = 3.0  # seconds, where that is less: a busy machine is no hanging trial
MARKS: dict[Cause, Mark] = {"error": "", "memory": "over memory", "deadline": "over deadline", "died": "process died"}


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a search is; `best_score` is higher for better, `share` of its budget is used up (None: unknown)."""

    done: int
    running: int
    best_family: str | None
    best_score: float | None
    seconds_left: float
    skipped: int = 0
    share: float | None = None


@dataclass(frozen=True, slots=True)
class Hooks:
    """What a search calls: `progress` twice a second, `meanwhile` once, in a thread, when the slots have work.

    Once `stopped` says so, the best so far is taken.
    """

    progress: Callable[[Progress], None] | None = None
    meanwhile: Callable[[], None] | None = None
    stopped: Callable[[], bool] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Work:
    """What is searched: rows, families, settings, the folder, the slots; `costs` by class and what it is called.

    `experience` is what earlier searches measured on this machine.
    """

    rows: TrainingRows
    families: dict[str, ModelFamily]
    settings: SearchSettings
    folder: Path
    slots: tuple[Slot, ...]
    costs: tuple[tuple[float, ...], ...] = ()
    experience: Experience = field(default_factory=Experience)


@dataclass(frozen=True, slots=True)
class Found:
    """What came of a search: `parameters` are those of the final fit, `model` is the file of the recipe for it.

    `experience` is what it was given, and what it measured itself; `members` are the family, the weight and the
    parameters for a fit on all rows of each of what the model is made of.
    """

    trials: tuple[Trial, ...]
    best: Trial
    parameters: dict[str, Value]
    model: Path
    out_of_fold: Path
    seconds: float
    resumed: int
    reasons: tuple[str, ...]
    experience: Experience = field(default_factory=Experience)
    members: tuple[tuple[str, float, dict[str, Value]], ...] = ()


@dataclass(slots=True)
class AtWork:
    """A trial that a slot is busy with; the baseline's has no slot."""

    draft: Draft
    plan: Plan
    host: Host | None
    began: float
    placed: Placed = field(default_factory=Placed)
    scores: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    pruned: bool = False

    def job(self, must_fit: float) -> TrialJob:
        """Return what the slot is told to do, with the time after which it is ended from outside.

        Parameters
        ----------
        must_fit
            When the final fit must begin, as `time.monotonic()`; a trial has grace after its deadline until then.
        """
        plan, given = self.plan, self.plan.deadline - self.began
        grace = max(LEAST_GRACE, min(GRACE * given, must_fit - plan.deadline))
        return TrialJob(
            number=self.draft.number,
            family=plan.family,
            parameters=self.draft.parameters,
            deadline=plan.deadline,
            latest=plan.deadline + grace,
            folds=plan.folds,
            device=self.placed.device,
            most_rows=plan.most_rows,
            compare=self.placed.compare,
            first_by=self.began + max(FIRST_LEAST, FIRST_FOLD * given) if len(plan.folds) > 1 else math.inf,
        )

    def ended(self, answer: JobDone | JobFailed, predicted_mb: int) -> Ended:
        """Return the trial as it ended."""
        done = answer if isinstance(answer, JobDone) else JobDone(self.draft.number)
        failed = isinstance(answer, JobFailed)
        scores = tuple(done.scores or self.scores)
        trial = Trial(
            number=self.draft.number,
            family=self.draft.family,
            parameters=self.draft.parameters,
            state="failed" if failed else "pruned" if self.pruned else "finished",
            score=None if failed else sum(scores) / len(scores),
            fold_scores=scores,
            seconds=round(time.monotonic() - self.began, 3),
            slot=None if self.host is None else self.host.slot.number,
            device=done.device or self.placed.device,
            predicted_mb=predicted_mb,
            peak_mb=0 if self.host is None else self.host.peak_mb,
            partial=self.plan.kind == "partial",
            reason=answer.reason if isinstance(answer, JobFailed) else self._reason(),
            mark=MARKS[answer.cause] if isinstance(answer, JobFailed) else done.mark or self._moved(),
            placed=self.placed.reason,
            predicted_gpu_mb=self.placed.gpu_mb,
            peak_gpu_mb=done.gpu_mb,
            footprint=done.footprint,
            over=done.over,
        )
        return Ended(
            trial,
            self.plan.kind,
            done.refit,
            done.fitted_parameters,
            tuple(self.seconds),
            self.plan.most_rows,
            done.bag,
            done.excess,
            done.parts,
        )

    def _moved(self) -> Mark:
        return "moved to the CPU" if self.placed.lost else ""

    def _reason(self) -> str:
        if self.pruned:
            return f"behind the best on the first {len(self.scores)} folds"
        if self.plan.kind == "partial":
            return f"one fold, at most {self.plan.most_rows} rows: all would not have fitted into the time"
        return ""
