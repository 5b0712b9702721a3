"""How far a search is, in figures and in one line."""

import math

from penstock.evaluation import metrics
from penstock.search.order.plans import best_of
from penstock.search.trial_records import Ended
from penstock.search.work import Progress, Work


def progress_of(ended: list[Ended], left_out: tuple[int, int], work: Work, seconds_left: float) -> Progress:
    """Return how far a search is.

    Parameters
    ----------
    ended
        The trials that ended, without those that failed.
    left_out
        How many trials run, and how many families were left out.
    work
        The search: what it was asked for.
    seconds_left
        Until the budget's end; infinite where trials end the search.
    """
    running, skipped = left_out
    done = [one for one in ended if one.trial.state == "finished"]
    within = [one for one in done if not one.trial.over]
    best = best_of(within).trial if within else None
    family, score = (best.family, best.score) if best else (None, None)
    budget = work.settings.budget
    share = 1.0 - seconds_left / budget.seconds if math.isfinite(seconds_left) else None
    if budget.trials is not None:
        share = max(share or 0.0, len(ended) / budget.trials)
    left = max(0.0, seconds_left)
    return Progress(len(done), running, family, score, left, skipped, None if share is None else min(1.0, share))


def line_of(so_far: Progress, metric: str) -> str:
    """Return progress as one line for a terminal."""
    best = ""
    if so_far.best_score is not None:
        best = f", best {so_far.best_family} {metrics.shown(metric, so_far.best_score):.4g} {metric}"
    skipped = f", {so_far.skipped} skipped" if so_far.skipped else ""
    left = f", {so_far.seconds_left:.0f} s left" if math.isfinite(so_far.seconds_left) else ""
    return f"search: {so_far.done} trials{skipped}{best}{left}"
