"""Further fits of what a model is made of, with other seeds, in time that is left: their mean varies less."""

import math
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from penstock.domain.search import SearchSettings
from penstock.search.machine.messages import Answer, FitJob, JobDone
from penstock.search.trial_records import Ended

FIRST_NUMBER = 1_000_000  # jobs from here on are copies: no search has as many trials
MOST_COPIES = 7  # of a member: the ninth fit of the same adds little
SAFETY = 1.25  # times the seconds that a fit is predicted to take
CLOSING_SECONDS = 0.3  # before the end: what is still at work then is given up

Start = Callable[[Ended, FitJob], bool]


def bears_copies(settings: SearchSettings) -> bool:
    """Return whether time left is used: not with limits, held by what was measured, nor where work is counted."""
    return not settings.limits and not settings.deterministic and settings.budget.trials is None


@dataclass(slots=True)
class Copies:
    """The copies of a search: their jobs by number, the trials that they repeat, and the files of those done."""

    begun: dict[int, FitJob] = field(default_factory=dict)
    of: dict[int, int] = field(default_factory=dict)
    ended: set[int] = field(default_factory=set)
    done: dict[int, list[Path]] = field(default_factory=dict)

    def go_on(self, members: Iterable[tuple[Ended, FitJob, float]], left: float, start: Start) -> bool:
        """Start copies of the members that have the fewest, while there is time, and return whether some are at work.

        Parameters
        ----------
        members
            What may be copied: each with the job that fits it on all rows, and the seconds that this takes.
        left
            Seconds until the search ends.
        start
            Gives a job to a slot; false if none is free.
        """
        if left <= CLOSING_SECONDS:
            return False
        counts = Counter(self.of.values())
        for one, job, seconds in sorted(members, key=lambda member: counts[member[0].trial.number]):
            trial = one.trial.number
            if counts[trial] >= MOST_COPIES or seconds * SAFETY > left - CLOSING_SECONDS:
                continue
            number = FIRST_NUMBER + len(self.begun)
            path = Path(job.path).with_name(f"estimator-{trial}-{1 + counts[trial]}.pkl")
            copy = replace(job, number=number, copy=1 + counts[trial], path=str(path), deadline=math.inf)
            if start(one, copy):
                self.begun[number], self.of[number] = copy, trial
        return len(self.ended) < len(self.begun)

    def take(self, answer: Answer) -> None:
        """Note what became of a copy; one that failed is done without."""
        self.ended.add(answer.number)
        if isinstance(answer, JobDone) and not answer.over:
            self.done.setdefault(self.of[answer.number], []).append(Path(self.begun[answer.number].path))

    def told(self, trials: Iterable[int]) -> tuple[str, ...]:
        """Return a sentence on the copies of some trials, if there are any."""
        made = sum(len(self.done.get(trial, ())) for trial in trials)
        return (f"fitted {made} more times with other seeds in the time left: their mean varies less",) if made else ()
