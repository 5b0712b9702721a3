"""The comparison as text: a table of sets, ranks, wins, what runs took, and where we lose."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from penstock.evaluation import metrics
from tests.bench.automl_parts import statistics
from tests.bench.automl_parts.keeping import Key
from tests.bench.automl_parts.sets import METRICS
from tests.bench.automl_parts.statistics import Cells, Interval
from tests.bench.measures import measured

US = "penstock"
MOST_BEHIND = {"roc_auc": 0.01, "r2": 0.01, "log_loss": 0.03}  # what a set may be behind its best
JUDGED_BY = {"rmse": "r2"}  # a share of an error in the target's units says little
OVERRUN_SHARE, OVERRUN_SECONDS = 0.05, 3.0
FEWEST_SETS = 3  # drawn again, fewer sets say nothing of others
BUDGET_FREE = "lightgbm"  # is given no budget, and keeps to none


@dataclass(frozen=True, slots=True)
class Comparison:
    """What was run: records by key, for sets, seeds and systems in order; `problems` by set; `absent` with reasons."""

    records: dict[Key, dict[str, Any]]
    sets: tuple[str, ...]
    seeds: tuple[int, ...]
    systems: tuple[str, ...]
    problems: dict[str, str]
    seconds: float
    cores: int
    absent: dict[str, str]

    def record(self, name: str, seed: int, system: str) -> dict[str, Any]:
        """Return a record, empty if there is none."""
        return self.records.get((name, seed, system, float(self.seconds), self.cores), {})

    def shown(self, name: str, system: str, metric: str) -> list[float]:
        """Return a system's scores on a set in the metric's own units, a seed each, NaN where it has none."""
        found = [self.record(name, seed, system).get("scores", {}) for seed in self.seeds]
        return [float(one.get(metric, np.nan)) for one in found]

    def metric(self, name: str) -> str:
        """Return what a set is scored by."""
        return METRICS[self.problems[name]]

    def cells(self) -> Cells:
        """Return scores, higher for better, shape (n_sets, n_seeds, n_systems)."""
        table = np.full((len(self.sets), len(self.seeds), len(self.systems)), np.nan)
        for row, name in enumerate(self.sets):
            sign = 1.0 if metrics.find_metric(self.metric(name)).higher_is_better else -1.0
            for column, system in enumerate(self.systems):
                table[row, :, column] = sign * np.asarray(self.shown(name, system, self.metric(name)))
        return table

    def figures(self, system: str, key: str) -> list[float]:
        """Return what runs of a system took."""
        found = [self.record(name, seed, system).get(key) for name in self.sets for seed in self.seeds]
        return [float(value) for value in found if value is not None]

    def behind(self, name: str, metric: str) -> dict[str, float]:
        """Return by which share each system is behind the best on a set, its seeds averaged."""
        means = [float(np.mean(self.shown(name, system, metric))) for system in self.systems]
        better = metrics.find_metric(metric).higher_is_better
        return dict(zip(self.systems, statistics.behind(means, higher_is_better=better), strict=True))

    def lost(self) -> dict[str, tuple[str, float]]:
        """Return the sets on which we are not the best, with the metric and the share that we are behind."""
        found = {}
        for name in self.sets if US in self.systems else ():
            metric = JUDGED_BY.get(self.metric(name), self.metric(name))
            share = self.behind(name, metric)[US]
            if not share <= statistics.CLOSE:
                found[name] = (metric, share)
        return found


def lines(comparison: Comparison) -> Iterator[str]:
    """Return the comparison, line by line, as Markdown."""
    yield from _scores(comparison)
    yield ""
    yield from _ranks(comparison)
    yield ""
    yield from _wins(comparison)
    yield ""
    yield from _losses(comparison)
    for system, reason in comparison.absent.items():
        yield f"{system} is absent: {reason}"
    for key, record in comparison.records.items():
        if "error" in record and key[2] in comparison.systems:
            yield f"{key[2]} failed on {key[0]}, seed {key[1]}: {record['error']}"


def _scores(comparison: Comparison) -> Iterator[str]:
    yield _row(["set", *comparison.systems])
    yield _row(["---", *("---:" for _ in comparison.systems)])
    for name in comparison.sets:
        metric = comparison.metric(name)
        means = {system: float(np.mean(comparison.shown(name, system, metric))) for system in comparison.systems}
        better = metrics.find_metric(metric).higher_is_better
        behind = statistics.behind(list(means.values()), higher_is_better=better)
        yield _row(
            [
                f"{name}, {metric}",
                *(_bold(_number(value), not gap > 0) for value, gap in zip(means.values(), behind, strict=True)),
            ]
        )


def _ranks(comparison: Comparison) -> Iterator[str]:
    found = statistics.average_ranks(comparison.cells())
    yield _row(["system", "average rank", "fit s, median (most)", "over budget", "one row, ms", "peak MB", "version"])
    yield _row(["---", *("---:" for _ in range(6))])
    for place in np.argsort([one.value for one in found], kind="stable"):
        system, rank = comparison.systems[place], found[place]
        took = comparison.figures(system, "fit_seconds")
        budget = f"{overran(comparison, system)} of {len(took)}" if system != BUDGET_FREE else "no budget"
        yield _row(
            [
                system,
                _interval(rank),
                f"{np.median(took):.1f} ({max(took):.1f})" if took else "-",
                budget,
                f"{np.median(comparison.figures(system, 'latency_ms')):.1f}" if took else "-",
                f"{np.median(comparison.figures(system, 'peak_mb')):.0f}" if took else "-",
                ", ".join(versions(comparison, system)),
            ]
        )


def _wins(comparison: Comparison) -> Iterator[str]:
    for system, found in pairwise(comparison).items():
        sure = found.separates(0.5) and len(comparison.sets) >= FEWEST_SETS
        verdict = "" if sure else ": not separable"
        yield f"against {system}: {_interval(found)} of the comparisons won{verdict}"


def _losses(comparison: Comparison) -> Iterator[str]:
    lost = comparison.lost()
    if US in comparison.systems and not lost:
        yield "We lose on no set."
    for name, (metric, share) in lost.items():
        gaps = comparison.behind(name, metric)
        best = min(gaps, key=lambda system: gaps[system] if np.isfinite(gaps[system]) else np.inf)
        sure = _seeds_agree(comparison, name, best)
        text = f"{share:.2%} behind {best}" if np.isfinite(share) else "a run of ours is missing or failed"
        yield f"We lose on {name}: {text} ({metric}){'' if sure else ', not separable over the seeds'}"


def pairwise(comparison: Comparison) -> dict[str, Interval]:
    """Return the share of comparisons that we win against each other system."""
    if US not in comparison.systems:
        return {}
    cells, us = comparison.cells(), comparison.systems.index(US)
    return {
        system: statistics.wins(cells, us, place) for place, system in enumerate(comparison.systems) if system != US
    }


def overran(comparison: Comparison, system: str) -> int:
    """Return how many fits took over 5 % or 3 s, whichever is more, beyond the budget."""
    most = comparison.seconds + max(OVERRUN_SHARE * comparison.seconds, OVERRUN_SECONDS)
    return sum(took > most for took in comparison.figures(system, "fit_seconds"))


def versions(comparison: Comparison, system: str) -> list[str]:
    """Return the versions that a system's results are of."""
    runs = [comparison.record(name, seed, system) for name in comparison.sets for seed in comparison.seeds]
    found = {str(run["version"]) for run in runs if "version" in run}
    return sorted(found)


def measures(comparison: Comparison) -> dict[str, dict[str, Any]]:
    """Return what is printed last: each measure with its value, unit, goal, whether it is met, and the peers'."""
    if US not in comparison.systems:
        return {}
    ranks = {
        system: round(one.value, 3)
        for system, one in zip(comparison.systems, statistics.average_ranks(comparison.cells()), strict=True)
    }
    best = min((rank for system, rank in ranks.items() if system != US), default=None)
    found = {
        "average rank": _measure(ranks, "rank", best, None if best is None else ranks[US] < best),
    }
    for system, share in pairwise(comparison).items():
        value = round(share.value, 3)
        found[f"comparisons won against {system}"] = _measure({US: value}, "share", 0.5, value > 0.5)
    for metric, most in MOST_BEHIND.items():
        shares = [
            comparison.behind(name, metric)[US]
            for name in comparison.sets
            if JUDGED_BY.get(comparison.metric(name), comparison.metric(name)) == metric
        ]
        if shares:
            worst = float(np.max(shares))
            found[f"furthest behind the best by {metric}"] = _measure(
                {US: round(worst, 5) if np.isfinite(worst) else None}, "share", most, bool(worst <= most)
            )
    over = {system: overran(comparison, system) for system in comparison.systems if system != BUDGET_FREE}
    found["runs over the budget"] = _measure(over, "runs", 0, over[US] == 0)
    for key, unit in (("latency_ms", "ms"), ("peak_mb", "MB")):
        medians = {system: comparison.figures(system, key) for system in comparison.systems}
        shown = {system: round(float(np.median(values)), 2) for system, values in medians.items() if values}
        found[f"median {key.partition('_')[0]}"] = _measure(shown, unit, None, None)
    return found


def _measure(values: dict[str, Any], unit: str, goal: float | None, met: bool | None) -> dict[str, Any]:
    peers = {system: value for system, value in values.items() if system != US}
    return measured(values.get(US), unit, goal, met, peers)


def _seeds_agree(comparison: Comparison, name: str, other: str) -> bool:
    """Return whether every seed of several has the same one ahead."""
    metric = comparison.metric(name)
    gaps = np.asarray(comparison.shown(name, US, metric)) - np.asarray(comparison.shown(name, other, metric))
    return len(gaps) > 1 and bool(np.all(gaps > 0) or np.all(gaps < 0))


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _bold(text: str, best: bool) -> str:
    return f"**{text}**" if best and text != "-" else text


def _number(value: float) -> str:
    return f"{value:.5g}" if np.isfinite(value) else "-"


def _interval(found: Interval) -> str:
    return f"{found.value:.2f} ({found.low:.2f} to {found.high:.2f})"
