"""What a run shows in the Prefect UI, made from the records that steps return; nothing depends on it."""

import logging
from collections.abc import Callable
from typing import Any

from prefect.artifacts import create_link_artifact, create_markdown_artifact, create_table_artifact
from prefect.client.schemas.objects import State, TaskRun

from penstock.domain.datasets import ContractChange, DatasetVersion, ValidationReport
from penstock.domain.evaluation import Decision
from penstock.domain.features import FeaturePlan
from penstock.domain.monitoring import DriftReport, Monitored, Performance
from penstock.domain.releases import Release
from penstock.domain.search import SearchResult
from penstock.errors import SourceUnavailable
from penstock.store.workspace import find_workspace

SHOWN_COLUMNS = 200  # a table artifact is stored whole in Prefect's database


def worth_retrying(task: Any, run: TaskRun, state: State[Any]) -> bool:
    """Return whether asking again may help: the source or a server did not answer."""
    del task, run
    return isinstance(state.result(raise_on_failure=False), SourceUnavailable)


def publish(task: Any, run: TaskRun, state: State[Any]) -> None:
    """Show the record that a task returned."""
    del task, run
    record = state.result(raise_on_failure=False)
    show = SHOWS.get(type(record))
    if show is None:
        return
    try:
        show(record)
    except Exception:
        logging.getLogger("penstock").warning(
            "The artifact of %s could not be shown.", type(record).__name__, exc_info=True
        )


def publish_page(task: Any, run: TaskRun, state: State[Any]) -> None:
    """Show the link to a window's drift report, if one was made."""
    from penstock.monitoring.report import find_page  # its room takes seconds, and every task imports this file

    del task, run
    monitored = state.result(raise_on_failure=False)
    if isinstance(monitored, Monitored) and (page := find_page(monitored, find_workspace())) is not None:
        create_link_artifact(key="drift-report", link=page.as_uri(), link_text=f"{monitored.window.project}: drift")


def _dataset(dataset: DatasetVersion) -> None:
    create_table_artifact(
        key="dataset",
        table=[
            {"column": column.name, "type": column.type, "missing": column.missing, "distinct": column.distinct}
            for column in dataset.columns[:SHOWN_COLUMNS]
        ],
        description=f"{dataset.project}: dataset version {dataset.number}, {dataset.rows} rows, {dataset.digest[:12]}",
    )


def _contract(change: ContractChange) -> None:
    reasons = "\n".join(f"- {reason}" for reason in change.reasons) or "- The columns are those of the contract."
    create_markdown_artifact(key="contract", markdown=f"## Contract: {change.verdict}\n\n{reasons}")


def _report(report: ValidationReport) -> None:
    broken = [result for result in report.results if not result.held]
    lines = [
        f"| {result.rule} | {result.level} | {result.failing} | {', '.join(result.examples[:20])} |"
        for result in broken
    ]
    found = "\n".join(f"- **{finding.level}** {finding.message}" for finding in report.findings) or "- none"
    said = "\n".join(f"- {reason}" for reason in report.reasons) or "- Every critical expectation held."
    head = "| rule | level | rows | examples |\n|---|---|---|---|\n"
    create_markdown_artifact(
        key="data-report",
        markdown=f"## Data report\n\n{said}\n\n### Expectations that did not hold\n\n{head}"
        + "\n".join(lines)
        + f"\n\n### Findings\n\n{found}",
    )


def _plan(plan: FeaturePlan) -> None:
    create_table_artifact(
        key="feature-plan",
        table=[
            {"column": column.name, "treatment": column.treatment, "reason": column.reason}
            for column in plan.columns[:SHOWN_COLUMNS]
        ],
        description=f"What is done to each column of {plan.project}, and why",
    )


def _leaderboard(result: SearchResult) -> None:
    from penstock.evaluation.reporting.leaderboard import (
        rows_of,  # its room takes a second, and every task imports this file
    )

    reasons = " ".join(f"{reason[0].upper()}{reason[1:]}." for reason in result.reasons)
    create_table_artifact(
        key="leaderboard",
        table=rows_of(result, SHOWN_COLUMNS),
        description=f"{result.finished} trials finished, {result.skipped} skipped, {result.resumed} of an earlier "
        f"process; selection scores, from folds of the training rows. {reasons}",
    )


def _decision(decision: Decision) -> None:
    reasons = "\n".join(f"- {reason}" for reason in decision.reasons)
    gates = "\n".join(
        f"| {gate.name} | {'held' if gate.held else 'broken'} | {gate.detail} |" for gate in decision.gates
    )
    create_markdown_artifact(
        key="decision",
        markdown=f"## {decision.verdict}\n\n{reasons}\n\n| gate | | detail |\n|---|---|---|\n{gates}",
    )


def _drift(report: DriftReport) -> None:
    create_table_artifact(
        key="drift",
        table=[
            {
                "column": column.column,
                "drifted": column.drifted,
                "detector": column.detector,
                "effect": round(column.effect, 4),
                "threshold": round(column.threshold, 4),
                "importance": round(column.importance, 4),
                "detail": column.detail,
            }
            for column in report.columns[:SHOWN_COLUMNS]
        ],
        description=f"{report.project}: {report.rows:,} rows beside {report.reference_rows:,} that were trained on; "
        f"{len(report.drifted)} of {len(report.columns)} columns drifted. {' '.join(report.notes)}",
    )


def _performance(performance: Performance) -> None:
    shown = {name: getattr(performance, name) for name in performance.__slots__ if name != "notes"}
    lines = [f"| {name.replace('_', ' ')} | {'' if value is None else value} |" for name, value in shown.items()]
    notes = "\n".join(f"- {note}" for note in performance.notes)
    create_markdown_artifact(
        key="performance", markdown="\n".join(["## Performance", "", "| | |", "|---|---|", *lines, "", notes])
    )


def _monitored(monitored: Monitored) -> None:
    window, decision = monitored.window, monitored.decision
    span = (
        f"{window.from_at:%Y-%m-%d %H:%M} to {window.to_at:%Y-%m-%d %H:%M}" if window.from_at and window.to_at else ""
    )
    reasons = "\n".join(f"- {reason}" for reason in decision.reasons)
    create_markdown_artifact(
        key="monitor",
        markdown=f"## {monitored.kind}\n\n{reasons}\n\nWindow {window.number}: {window.rows:,} rows {span}; "
        f"version {window.version}; decision {decision.id}",
    )


def _release(release: Release) -> None:
    workspace = find_workspace()
    said = f"version {release.version} answers" if not release.active else f"version {release.version}: {release.state}"
    create_link_artifact(
        key="endpoint",
        link=workspace.endpoint(release.project),
        link_text=f"{release.project}: {said}",
    )


SHOWS: dict[type, Callable[[Any], None]] = {
    DatasetVersion: _dataset,
    ContractChange: _contract,
    ValidationReport: _report,
    FeaturePlan: _plan,
    SearchResult: _leaderboard,
    Decision: _decision,
    Release: _release,
    DriftReport: _drift,
    Performance: _performance,
    Monitored: _monitored,
}
