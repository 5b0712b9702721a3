"""Why a monitor acts or does not, in one sentence with the figures; and the same as plain values."""

from penstock.domain.monitoring import ColumnDrift, Monitored, Performance, Seen, Window
from penstock.evaluation.wording import count, figure, listed, title
from penstock.spec import ProjectSpec


def too_few_rows(seen: Seen, spec: ProjectSpec) -> str:
    """Return why nothing was measured."""
    found = f"{seen.window.rows:,} of {spec.monitoring.min_rows:,}"
    return f"No action: too few rows: {found}; the next window begins with them."


def nothing_lost(seen: Seen) -> str:
    """Return why there is no reason to act: nothing was lost, or nobody knows yet."""
    performance = seen.performance
    moves = [f"{each.column} by {figure(each.effect, 2)} {each.detector}" for each in moved(seen)]
    said = f"drifted ({listed(moves)})" if moves else "no column drifted"
    if performance.measured is not None:
        return f"No action: {said}, {'but' if moves else 'and'} no measurable loss: {figures(performance)}."
    new = count(performance.labels, "new label")
    if moves:
        return f"No action: {said}, and whether that harms needs labels: {new} so far{_estimate(performance)}."
    return f"No action: {said}; quality was not measured, with {new}{_estimate(performance)}."


def not_persistent(seen: Seen, row: int, spec: ProjectSpec) -> str:
    """Return why a loss alone is no reason to act yet."""
    asked = f"{count(row, 'window')} of the {spec.retrain.persistence} in a row that a retraining asks for"
    return f"No action yet: a loss was measured in {asked}: {figures(seen.performance)}."


def lost(seen: Seen, row: int) -> str:
    """Return what speaks for a retraining: a loss."""
    windows = "in this window" if row == 1 else f"in {row} measured windows in a row"
    return f"a loss was measured {windows}: {figures(seen.performance)}"


def counted(new_labels: int, spec: ProjectSpec) -> str:
    """Return what speaks for a retraining: so many labels came."""
    return f"{count(new_labels, 'label')} came, and `retrain.every_labels` is {spec.retrain.every_labels:,}"


def cooling_down(why: str, decision: str, minutes: float, spec: ProjectSpec) -> str:
    """Return why a retraining is not begun soon after another."""
    ago = f"{minutes:.0f} of {figure(spec.retrain.cooldown_minutes)} minutes ago"
    return f"No action: {why}, but the last retraining was decided {ago}: merged with decision {decision}."


def too_few_labels(why: str, new_labels: int, spec: ProjectSpec) -> str:
    """Return why a retraining is not begun with little to learn."""
    needed = f"{new_labels:,} of the {count(spec.retrain.min_new_labels, 'new label')} that it needs have come"
    return f"No action: {why}, but a retraining would learn too little: {needed}."


def more_errors(asked: int, errors: int, usual: float, spec: ProjectSpec) -> str:
    """Return that more calls fail than did, which no retraining mends."""
    borne = f"where {usual:.2%} did before and {spec.rollout.tolerate.errors:.2%} more are borne"
    return (
        f"Alert: {errors:,} of {count(asked, 'call')} got no answer ({errors / asked:.2%}), {borne}: see serving.log."
    )


def slower(seen: Seen, row: int, usual: float, spec: ProjectSpec) -> str:
    """Return that answers take longer than they did, which no retraining mends."""
    windows = "this window" if row == 1 else f"{row} windows in a row"
    found = f"{figure(seen.performance.latency_ms or 0.0)} ms at the 95th percentile"
    borne = f"where {figure(usual)} ms were usual and {spec.rollout.tolerate.latency:g} times that is borne"
    return f"Alert: version {seen.window.version} answers slowly in {windows}: {found}, {borne}."


def figures(performance: Performance) -> str:
    """Return what was measured beside what was expected."""
    if performance.measured is None or performance.expected is None:
        return "nothing was measured"
    found = (
        f"{title(performance.metric)} {figure(performance.measured)} on {count(performance.labels, 'label')}, "
        f"where {figure(performance.expected)} is expected"
    )
    if performance.loss_low is None or performance.tolerance is None:
        return found
    low, borne = figure(performance.loss_low, 3), figure(performance.tolerance, 3)
    return f"{found} (lower bound of the loss {low}, {borne} is borne)"


def columns_moved(seen: Seen) -> tuple[str, ...]:
    """Return a sentence for each column that drifted."""
    return tuple(f"{each.column!r} drifted: {each.detail}." for each in moved(seen))


def moved(seen: Seen) -> tuple[ColumnDrift, ...]:
    """Return the columns that drifted."""
    return seen.drift.moved if seen.drift else ()


def payload(monitored: Monitored) -> dict[str, object]:
    """Return a decision with its figures as plain values: what an event carries, and the audit keeps."""
    window, performance = monitored.window, monitored.performance
    columns = monitored.drift.moved if monitored.drift else ()
    return {
        "project": window.project,
        "decision": monitored.decision.id,
        "version": window.version,
        "columns": [
            {
                "column": each.column,
                "detector": each.detector,
                "effect": each.effect,
                "threshold": each.threshold,
                "importance": each.importance,
            }
            for each in columns
        ],
        "reasons": list(monitored.decision.reasons),
        "metric": performance.metric,
        "expected": performance.expected,
        "measured": performance.measured,
        "estimated": performance.estimated,
        "loss_low": performance.loss_low,
        "labels": performance.labels,
        "window": {
            "number": window.number,
            "rows": window.rows,
            "from": window.from_at.isoformat() if window.from_at else None,
            "to": window.to_at.isoformat() if window.to_at else None,
        },
    }


def _estimate(performance: Performance) -> str:
    if performance.estimated is None:
        return ""
    return f" (estimated {title(performance.metric)} {figure(performance.estimated)}, which sees the inputs only)"


def alert_payload(window: Window, performance: Performance, alerts: tuple[str, ...]) -> dict[str, object]:
    """Return alerts with their figures as plain values: what an event carries."""
    return {
        "version": window.version,
        "reasons": list(alerts),
        "latency_ms": performance.latency_ms,
        "asked": performance.asked,
        "errors": performance.errors,
        "window": window.number,
    }
