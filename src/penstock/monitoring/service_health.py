"""Whether the champion answers worse than it did, in errors or time: told as an alert, since no retraining mends it.

Errors: their share since the window before, by its lower bound (Clopper and Pearson 1934), above the share in earlier
windows of the version by more than `rollout.tolerate.errors`. Latency: the 95th percentile in `retrain.persistence`
windows in a row, above what was usual in the version's own first windows by more than the ratio
`rollout.tolerate.latency` and by more than 2 ms, and above all that was seen in them. Windows in which this machine
trained do not count: an alert must not come from our own load. Larger requests may take longer.
"""

from statistics import fmean, median

from scipy.special import betaincinv

from penstock.domain.monitoring import Monitored, Performance, Seen
from penstock.monitoring import sentences
from penstock.spec import ProjectSpec

ERROR = 0.01  # of a false alarm about errors, a window
FEWEST_WINDOWS = 3  # before them nobody knows what is usual
MOST_WINDOWS = 20  # the version's first ones: what is slow for long must not become usual
SLACK_MS = 2.0  # 0.1 ms against 0.3 ms harms nobody


def find_alerts(seen: Seen, history: tuple[Monitored, ...], spec: ProjectSpec) -> tuple[str, ...]:
    """Return what got worse, a sentence each.

    Parameters
    ----------
    seen
        The window.
    history
        Earlier windows, newest first.
    spec
        The project: what is tolerated.
    """
    earlier = [each.performance for each in history if each.window.version == seen.window.version]
    found = (_more_errors(seen.performance, earlier, spec), _slower(seen, earlier, spec))
    return tuple(each for each in found if each is not None)


def _more_errors(performance: Performance, earlier: list[Performance], spec: ProjectSpec) -> str | None:
    asked, errors = performance.asked, performance.errors
    if not asked or not errors:
        return None
    known = [each for each in earlier if each.asked]
    usual = sum(each.errors or 0 for each in known) / max(1, sum(each.asked or 0 for each in known))
    low = float(betaincinv(errors, asked - errors + 1, ERROR))
    if low <= usual + spec.rollout.tolerate.errors:
        return None
    return sentences.more_errors(asked, errors, usual, spec)


def _slower(seen: Seen, earlier: list[Performance], spec: ProjectSpec) -> str | None:
    if not _tells(seen.performance):
        return None
    timed, row = [seen.performance, *filter(_tells, earlier)], spec.retrain.persistence
    recent, usual = timed[:row], timed[row:][-MOST_WINDOWS:]
    if len(usual) < FEWEST_WINDOWS:
        return None
    times = [each.latency_ms or 0.0 for each in usual]
    rows = fmean(each.request_rows or 1.0 for each in usual)
    borne = max(median(times) * spec.rollout.tolerate.latency, median(times) + SLACK_MS, *times)
    if all((each.latency_ms or 0.0) > borne * max(1.0, (each.request_rows or 1.0) / rows) for each in recent):
        return sentences.slower(seen, row, median(times), spec)
    return None


def _tells(performance: Performance) -> bool:
    """Return whether a window's latency is that of the version."""
    return performance.latency_ms is not None and not performance.strained
