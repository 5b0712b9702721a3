"""Trials that the search's own process runs while the slots' processes load: quick ones, of families of ours."""

import math
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock.models._base import ModelFamily
from penstock.search.encoding import Encoding
from penstock.search.machine.messages import FitJob, FoldDone, JobDone, JobFailed, Setting, TrialJob
from penstock.search.machine.trials import Shelf, evaluate, fit
from penstock.search.order.plans import BASELINE, Plan
from penstock.search.order.schedule import Schedule
from penstock.search.phases.refit import Refit
from penstock.search.trial_records import Ended
from penstock.search.tuning import Study
from penstock.search.work import LEAST_GRACE, AtWork, Work

QUICK_SECONDS = 0.4  # for all folds: less than a slot's process needs to load what the trial does
OF_LEFT = 0.5  # of the time left: what a trial here may take at most
OURS = "penstock.models."  # what another package brings may hang or end its process: a slot's, not the search's


def lay_first(refit: Refit, study: Study, encoding: Encoding, failed: list[Ended], began: float) -> list[Ended]:
    """Try and fit the baseline in this process, and what is as quick while no slot has loaded; return what fails.

    Parameters
    ----------
    refit, study, encoding
        The search's: its schedule and its study are told, and what is tried is fitted on all rows too.
    failed
        Trials that failed before.
    began
        When the search began, as `time.monotonic()`.
    """
    setting, schedule, work = refit.crew.setting, refit.schedule, refit.work
    fails: list[Ended] = []
    if setting is None:
        return fails
    tried = {one.trial.family for one in (*schedule.ended, *failed)}
    tried |= {plan.family for plan in schedule.running.values()}
    now = time.monotonic()
    for name in laid_here(schedule, work, most_seconds(now - began, refit.end - now)):
        late = name != BASELINE and (schedule.enough() or any(host.told for host in refit.crew.hosts.values()))
        waits = not encoding.done and not isinstance(shelf_for(name, setting), Unencoded)
        if name in tried or late or waits:
            continue
        latest = math.inf if name == BASELINE else refit.end - LEAST_GRACE
        plan = Plan(name, "default", schedule.shape.folds, latest, schedule.whole_seconds(name))
        ended = lay(plan, setting, schedule, study, work)
        if ended.trial.state == "failed":
            fails.append(ended)
            schedule.give_up(ended)
            continue
        schedule.ended.append(ended)
        refit.take(fit_here(refit.job(ended), work.families[name], shelf_for(name, setting)))
        if name != BASELINE:
            break  # slots may have loaded meanwhile
    return fails


def most_seconds(waited: float, left: float) -> float:
    """Return how long a trial may take here: the longer, the longer no slot has loaded, as on a busy machine."""
    return max(QUICK_SECONDS, min(waited, OF_LEFT * left))


def laid_here(schedule: Schedule, work: Work, most: float) -> list[str]:
    """Return the families whose default this process tries, the baseline first: there is always one model.

    Parameters
    ----------
    schedule, work
        The search's.
    most
        Seconds that a trial of another family may take, by prediction.
    """
    if work.settings.deterministic:
        return [BASELINE]
    quick = [
        name
        for name, family in work.families.items()
        if type(getattr(family, "inner", family)).__module__.startswith(OURS)
        and family.library == "sklearn"
        and name not in schedule.skips
        and schedule.whole_seconds(name) <= most
    ]
    return [BASELINE, *(name for name in quick if name != BASELINE)]


class Unencoded(Shelf):
    """The rows of a search for what looks at no feature: it need not wait until they are encoded."""

    def array(self, name: str, deadline: float) -> NDArray[Any]:
        """Return the target, the folds or the groups as they are, and for features one that is always 0."""
        if name in {"target", "fold", "group"}:
            return Shelf.array(self, name, deadline)
        return np.broadcast_to(np.float32(0), (self.setting.folds.rows, 1))


def shelf_for(name: str, setting: Setting) -> Shelf:
    """Return the rows that a family is tried on; with limits the baseline is weighed with its encoding too."""
    return Unencoded(setting) if name == BASELINE and not setting.limits else Shelf(setting)


def lay(plan: Plan, setting: Setting, schedule: Schedule, study: Study, work: Work) -> Ended:
    """Try a family's default in this process, and return the trial as it ended.

    Parameters
    ----------
    plan
        The family, and when its fit must end.
    setting
        What all trials have in common.
    schedule, study, work
        The search's; the study is told.
    """
    name = plan.family
    draft = study.ask(name, "default", schedule.defaults[name], schedule.spaces[name])
    busy = AtWork(draft, plan, None, time.monotonic())

    def note(fold: FoldDone) -> bool:
        busy.scores.append(fold.score)
        busy.seconds.append(fold.seconds)
        return True

    job = TrialJob(draft.number, name, draft.parameters, plan.deadline, plan.deadline, plan.folds)
    memory_mb = round(schedule.memory_mb(name))
    try:
        ended = busy.ended(evaluate(job, work.families[name], shelf_for(name, setting), note), memory_mb)
    except Exception as error:
        if name == BASELINE:
            raise
        reason = f"{type(error).__name__}: {error}"[:500]
        ended = busy.ended(JobFailed(draft.number, reason), memory_mb)
    study.tell(ended)
    return ended


def fit_here(job: FitJob, family: ModelFamily, shelf: Shelf) -> JobDone | JobFailed:
    """Fit a family on all rows in this process; without the baseline there is nothing to fall back on, so it raises."""
    try:
        return fit(job, family, shelf)
    except Exception as error:
        if job.family == BASELINE:
            raise
        return JobFailed(job.number, f"{type(error).__name__}: {error}"[:500])
