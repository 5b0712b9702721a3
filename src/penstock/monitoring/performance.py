"""How good the champion's answers were, by labels that are new; an estimate where there are none; latency, failures."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from penstock.domain.models import Signature
from penstock.domain.monitoring import Monitored, Performance, Window
from penstock.domain.outcomes import Trained
from penstock.domain.workspace import Workspace
from penstock.evaluation.answers import (
    Answers,
    choosing_of,
    matrix_of,
    metric_of,
    read_answers,
    read_out_of_fold,
)
from penstock.evaluation.metrics import BINARY, shown
from penstock.evaluation.wording import count, figure, title
from penstock.monitoring.calls import calls_since, count_calls
from penstock.monitoring.estimation import expect, expect_score
from penstock.monitoring.labelled import Labelled, orient, read_labelled
from penstock.monitoring.loss import lose, weigh
from penstock.monitoring.maturity import Mature, plain_time, ripen
from penstock.monitoring.reference import find_trained
from penstock.spec import ProjectSpec
from penstock.store import frames
from penstock.store.leases import held_leases
from penstock.store.windows import newest_window

FEWEST = 50  # labels; fewer wait for more
FEWEST_OF_CLASS = 5  # labels of each of at least two classes
BUSY = 0.95  # the quantile of the latency
TRAINING = "train:"  # begins the names of the leases of trainings


@dataclass(frozen=True, slots=True)
class Champion:
    """The version that serves, as its rows are measured."""

    trained: Trained
    metric: str

    @property
    def signature(self) -> Signature:
        """What it takes and gives."""
        return self.trained.model.signature


def measure_performance(window: Window, spec: ProjectSpec, workspace: Workspace) -> Performance:
    """Measure how good the champion's answers were, by the labels that came since the last window.

    Measured are rows that the champion answered, whenever that was, by labels that nobody picked. With fewer than 50
    (or fewer than 5 of a second class) nothing is measured, and they wait for the next window, as do labels of rows
    that are not mature (see `maturity`). The score is compared with the version's own holdout.

    Parameters
    ----------
    window
        The window, for the estimate of rows without labels, latency and failures; the service counts calls that got
        no answer.
    spec
        The project: its metric, and `rollout.tolerate.quality`, the loss that is borne of a score between 0 and 1; of
        errors 5 % of the expected are.
    workspace
        Where journal, labels and records are.

    Returns
    -------
    Performance
        In the metric's own units; what is not known is None.

    Raises
    ------
    NotFound
        If what the version was trained on is gone.
    """
    trained = find_trained(spec.name, window.version, workspace)
    champion = Champion(trained, metric_of(spec, trained.model.signature))
    before = newest_window(spec.name, workspace)
    measured = _measure(champion, before, window.version, spec, workspace)
    counted = count_calls(spec.name, workspace)
    asked, errors = calls_since(before, counted) or (None, None)
    measured = replace(measured, asked=asked, errors=errors, counted=counted, strained=_is_strained(workspace))
    return _with_traffic(measured, champion, window, spec, workspace)


def _measure(
    champion: Champion, before: Monitored | None, version: str, spec: ProjectSpec, workspace: Workspace
) -> Performance:
    after = before.performance.last_label if before else 0
    same = before is not None and before.window.version == version
    matured_to = before.performance.matured_to if before is not None and same else None
    labelled, newest = read_labelled(version, after, champion.signature, spec.time, workspace)
    if matured_to is not None:
        labelled = labelled.take(labelled.at > plain_time(matured_to))
    ripe = ripen(labelled, matured_to, workspace.now())
    answers = labelled.take(ripe.rows).answers(champion.signature, spec)
    expected = weigh(champion.metric, expected_answers(champion.trained, spec, workspace), time_ordered=bool(spec.time))
    found = Performance(
        metric=champion.metric,
        expected=shown(champion.metric, expected.score),
        labels=answers.rows,
        matured_to=matured_to,
        notes=() if ripe.note is None else (ripe.note,),
    )
    too_few = _too_few(answers)
    if too_few:
        return replace(
            found, last_label=int(labelled.number.min(initial=newest + 1)) - 1, notes=(*found.notes, too_few)
        )
    evidence = weigh(champion.metric, answers, time_ordered=bool(spec.time), daily=expected.daily)
    loss = lose(champion.metric, expected, evidence, spec.rollout.tolerate.quality)
    low, high = sorted(shown(champion.metric, bound) for bound in evidence.interval)
    return replace(
        found,
        measured=shown(champion.metric, evidence.score),
        low=low,
        high=high,
        loss=loss.value,
        loss_low=loss.low,
        lost=loss.lost,
        tolerance=loss.tolerance,
        last_label=_looked_at(labelled, ripe, newest),
        matured_to=ripe.until,
        notes=(*found.notes, *_back_test(champion.metric, answers, evidence.score, spec.seed)),
    )


def expected_answers(trained: Trained, spec: ProjectSpec, workspace: Workspace) -> Answers:
    """Return the answers that a version's expected score is from: its holdout's, or out of fold without one."""
    if trained.evaluation.side == "out_of_fold":
        return read_out_of_fold(trained.model, trained.split, spec, workspace)
    return read_answers(trained.evaluation.predictions, trained.model.signature, spec, workspace)


def _too_few(answers: Answers) -> str | None:
    if answers.rows < FEWEST:
        return f"Not measured: {count(answers.rows, 'label is', 'labels are')} new, and it takes {FEWEST}."
    if answers.classes:
        counts = np.bincount(answers.target, minlength=len(answers.classes))
        if np.count_nonzero(counts >= FEWEST_OF_CLASS) < BINARY:
            return f"Not measured: it takes {FEWEST_OF_CLASS} labels of a second class, and most new ones are of one."
    return None


def _looked_at(labelled: Labelled, ripe: Mature, newest: int) -> int:
    """Return the number of a label up to which every one was looked at."""
    waiting = labelled.number[~ripe.rows]
    return int(waiting.min()) - 1 if waiting.size else newest


def _back_test(metric: str, answers: Answers, measured: float, seed: int) -> tuple[str, ...]:
    """Say how far off an estimate of the same rows without their labels would have been."""
    promised = expect_score(metric, answers.predictions, answers.choosing, seed) if answers.classes else None
    if promised is None:
        return ()
    said, off = figure(shown(metric, promised)), figure(abs(promised - measured), 2)
    return (f"The estimate for these rows, without their labels, is {title(metric)} {said}: off by {off}.",)


def _with_traffic(
    found: Performance, champion: Champion, window: Window, spec: ProjectSpec, workspace: Workspace
) -> Performance:
    """Add what a window shows without labels."""
    if window.table is None:
        return found
    scores = (
        ["prediction"]
        if not champion.signature.classes
        else [f"p{place}" for place in range(len(champion.signature.classes))]
    )
    names = ["request_id", "version", "latency_ms", "failed", *scores]
    table = frames.load_table(window.table, workspace, names)
    requests = table.drop_duplicates("request_id")
    mine = requests[requests["version"] == window.version]
    return replace(
        found,
        latency_ms=float(mine["latency_ms"].quantile(BUSY)) if len(mine) else None,
        request_rows=float((table["version"] == window.version).sum() / len(mine)) if len(mine) else None,
        failures=int(requests["failed"].sum()),
        **_estimate(champion, table[table["version"] == window.version], spec),
    )


def _is_strained(workspace: Workspace) -> bool:
    """Return whether a training of any project is under way on this machine."""
    return any(name.startswith(TRAINING) and lives for name, _, lives in held_leases(workspace))


def _estimate(champion: Champion, answered: pd.DataFrame, spec: ProjectSpec) -> dict[str, Any]:
    """Return the estimate for answered rows and its band; nothing for values."""
    if not champion.signature.classes or not len(answered):
        return {}
    matrix = matrix_of(answered)
    _, probabilities = orient(np.empty(0, np.int64), matrix, champion.signature)
    choosing = choosing_of(spec, champion.signature)
    promised = expect(champion.metric, probabilities, choosing, spec.seed)
    if promised is None:
        return {}
    low, high = sorted(shown(champion.metric, bound) for bound in (promised.low, promised.high))
    return {"estimated": shown(champion.metric, promised.score), "estimated_low": low, "estimated_high": high}
