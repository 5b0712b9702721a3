"""What a search tried, for people: selection scores with their spread, what each took, and what each would cost."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from penstock.domain.search import Footprint, SearchResult, Trial
from penstock.evaluation.metrics import shown

INTERVAL = 1.96  # standard errors: 95 % of means over folds, as far as folds are alike
MOST_TRADEOFFS = 15  # lines: a table of all trials is the leaderboard


@dataclass(frozen=True, slots=True)
class Tradeoff:
    """A measured candidate: `front` says that none within the limits is better in one thing and no worse in another."""

    trial: Trial
    score: float
    footprint: Footprint
    front: bool
    chosen: bool


def interval(trial: Trial, metric: str) -> tuple[float, float] | None:
    """Return the ends of a selection score's interval in the metric's own units, None for fewer than two folds."""
    scores = trial.fold_scores
    if len(scores) < 2 or trial.score is None:  # noqa: PLR2004  one fold has no spread
        return None
    error = INTERVAL * float(np.std(scores, ddof=1)) / math.sqrt(len(scores))
    low, high = sorted((shown(metric, trial.score - error), shown(metric, trial.score + error)))
    return low, high


def rows_of(result: SearchResult, most: int) -> list[dict[str, Any]]:
    """Return the leaderboard as a table, the best first: every trial, with what it took and why it is where it is."""
    metric = result.metric
    ranked = sorted(result.trials, key=lambda trial: (trial.score is None, bool(trial.over), -(trial.score or 0.0)))
    return [_row(trial, metric, chosen=trial.number == result.best.trial) for trial in ranked[:most]]


def _row(trial: Trial, metric: str, *, chosen: bool) -> dict[str, Any]:
    ends = interval(trial, metric) if metric else None
    row: dict[str, Any] = {
        "trial": trial.number,
        "family": trial.family,
        "state": "chosen" if chosen else trial.state,
        f"selection {metric or 'score'}": _figure(trial.score, metric),
        "95 % of folds": "" if ends is None else f"{ends[0]:.5g} to {ends[1]:.5g}",
        "folds": ", ".join(f"{_figure(score, metric):.4g}" for score in trial.fold_scores),
        "seconds": round(trial.seconds, 2),
        "device": trial.device,
        "predicted MB": trial.predicted_mb,
        "peak MB": trial.peak_mb,
        "partial": trial.partial,
        "reason": "; ".join(word for word in (trial.reason, trial.mark, trial.placed) if word),
    }
    if trial.predicted_gpu_mb:
        row |= {"predicted GPU MB": trial.predicted_gpu_mb, "peak GPU MB": trial.peak_gpu_mb}
    if trial.footprint is not None:
        row |= {"ms a row": trial.footprint.latency_ms, "graph MB": trial.footprint.size_mb}
        row |= {"parameters": trial.footprint.parameters, "flops": trial.footprint.flops}
    if trial.over:
        row["over a limit"] = "; ".join(trial.over)
    return row


def tradeoffs(result: SearchResult, metric: str) -> tuple[Tradeoff, ...]:
    """Return score against latency and size: the front, the chosen one and the best of each family, the best first.

    Empty where nothing was measured, which is where there are no limits.
    """
    measured = [one for one in result.trials if one.state == "finished" and one.score is not None and one.footprint]
    ranked = sorted(measured, key=lambda one: (one.partial, -(one.score or 0.0)))
    within = [one for one in ranked if not one.over and not one.partial]
    firsts = {one.family: one.number for one in reversed(ranked)}
    found = []
    for one in ranked:
        chosen, front = one.number == result.best.trial, one in within and not _dominated(one, within)
        if one.footprint and (front or chosen or firsts[one.family] == one.number):
            found.append(Tradeoff(one, shown(metric, one.score or 0.0), one.footprint, front, chosen))
    kept = sorted(found, key=lambda line: (not line.chosen, not line.front))[:MOST_TRADEOFFS]
    return tuple(line for line in found if line in kept)


def _dominated(one: Trial, others: list[Trial]) -> bool:
    mine = _wishes(one)
    return any(
        all(his >= my for his, my in zip(_wishes(other), mine, strict=True)) and _wishes(other) != mine
        for other in others
    )


def _wishes(trial: Trial) -> tuple[float, float, float]:
    """Return what is wished for, each the more the better."""
    if trial.footprint is None or trial.score is None:
        return (-math.inf, -math.inf, -math.inf)
    return (trial.score, -trial.footprint.latency_ms, -trial.footprint.size_mb)


def _figure(score: float | None, metric: str) -> float | None:
    if score is None or not metric:
        return score
    return round(shown(metric, score), 6)


def best_rows(result: SearchResult, most: int) -> list[tuple[str, ...]]:
    """Return the best trials as lines of text: a mark, the family, score, interval, seconds and device."""
    ranked = sorted(
        (one for one in result.trials if one.state == "finished" and one.score is not None),
        key=lambda one: (one.number != result.best.trial, bool(one.over), one.partial, -(one.score or 0.0)),
    )
    lines: list[tuple[str, ...]] = []
    for one in ranked[:most]:
        mark = "*" if one.number == result.best.trial else "over" if one.over else "part" if one.partial else ""
        ends = interval(one, result.metric) if result.metric else None
        spread = "" if ends is None else f"{ends[0]:.4g} to {ends[1]:.4g}"
        score = f"{_figure(one.score, result.metric):.5g}"
        lines.append((mark, f"{one.family} {one.number}", score, spread, f"{one.seconds:.1f}", one.device))
    return lines
