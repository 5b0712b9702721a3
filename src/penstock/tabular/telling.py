"""What a search tells a person in a notebook or a terminal: how far it is, every trial, every column."""

import math
import sys
import time
from dataclasses import dataclass, field
from typing import Any, Literal, TextIO

import pandas as pd

from penstock.domain.features import FeaturePlan
from penstock.evaluation import metrics
from penstock.search.phases.choosing import ENSEMBLE
from penstock.search.work import Found, Progress

Verbosity = bool | Literal["auto"]
SECONDS_A_LINE = 10.0  # where a line cannot be written over


@dataclass(slots=True)
class Teller:
    """Shows progress on one line: written over in a terminal, one display in a notebook, else a line now and then."""

    metric: str
    shows: bool
    stream: TextIO = field(default_factory=lambda: sys.stderr)
    display: Any = None
    told: float | None = None
    width: int = 0

    def __call__(self, so_far: Progress) -> None:
        """Show how far the search is."""
        if self.shows:
            self._show(said(so_far, self.metric), last=False)

    def end(self, found: Found) -> None:
        """Show what was found, and leave it standing."""
        if not self.shows:
            return
        finished = sum(one.state == "finished" and one.family != ENSEMBLE for one in found.trials)
        score = metrics.shown(self.metric, float(found.best.score or 0.0))
        text = f"{finished} trials in {found.seconds:.0f} s; {found.best.family} {self.metric} {score:.4g} out of fold"
        self._show(text, last=True)
        if self.display is None and self.stream.isatty():
            self.stream.write("\n")

    def _show(self, text: str, *, last: bool) -> None:
        if in_notebook():
            self._display(text)
        elif self.stream.isatty():
            self.stream.write("\r" + text.ljust(self.width))
            self.stream.flush()
            self.width = len(text)
        elif last or self.told is None or time.monotonic() - self.told >= SECONDS_A_LINE:
            self.told = time.monotonic()
            self.stream.write(text + "\n")
            self.stream.flush()

    def _display(self, text: str) -> None:
        from IPython.display import display

        if self.display is None:
            self.display = display({"text/plain": text}, raw=True, display_id=True)
        else:
            self.display.update({"text/plain": text}, raw=True)


def teller(metric: str, verbose: Verbosity) -> Teller:
    """Return what shows progress; with "auto" it does in a notebook and in a terminal."""
    shows = (in_notebook() or sys.stderr.isatty()) if verbose == "auto" else bool(verbose)
    return Teller(metric, shows)


def in_notebook() -> bool:
    """Return whether a notebook's kernel runs this process."""
    shell = sys.modules.get("IPython")
    running = shell.get_ipython() if shell is not None else None
    return running is not None and hasattr(running, "kernel")


def said(so_far: Progress, metric: str) -> str:
    """Return how far a search is, in one line."""
    best = ""
    if so_far.best_score is not None:
        best = f", best {so_far.best_family} {metric} {metrics.shown(metric, so_far.best_score):.4g}"
    left = f", {so_far.seconds_left:.0f} s left" if math.isfinite(so_far.seconds_left) else ""
    return f"{so_far.done} trials done{best}{left}"


def leaderboard(found: Found, metric: str) -> pd.DataFrame:
    """Return every trial, the best first; scores are in the metric's own units and out of fold.

    Columns: trial, family, state, chosen, `metric`, worst_fold and best_fold, seconds, slot, device, predicted_mb,
    peak_mb, partial, parameters, reason.
    """
    order = sorted(found.trials, key=lambda one: (one.number != found.best.number, *_place(one)))
    records = []
    for one in order:
        folds = [metrics.shown(metric, value) for value in one.fold_scores]
        better = metrics.find_metric(metric).higher_is_better
        ends = (min(folds), max(folds)) if folds else (None, None)
        worst, best = ends if better else ends[::-1]
        records.append(
            {
                "trial": one.number,
                "family": one.family,
                "state": one.state,
                "chosen": one.number == found.best.number,
                metric: None if one.score is None else metrics.shown(metric, one.score),
                "worst_fold": worst,
                "best_fold": best,
                "seconds": one.seconds,
                "slot": one.slot,
                "device": one.device,
                "predicted_mb": one.predicted_mb,
                "peak_mb": one.peak_mb,
                "partial": one.partial,
                "parameters": one.parameters,
                "reason": one.reason,
            }
        )
    return pd.DataFrame(records)


def _place(one: Any) -> tuple[bool, bool, float, int]:
    score = -float("inf") if one.score is None else one.score
    return one.state != "finished", one.partial, -score, one.number


def plan_table(plan: FeaturePlan) -> pd.DataFrame:
    """Return what is done to each column, and why; columns: column, type, treatment, reason."""
    return pd.DataFrame(
        [
            {"column": one.name, "type": one.type, "treatment": one.treatment, "reason": one.reason}
            for one in plan.columns
        ]
    )
