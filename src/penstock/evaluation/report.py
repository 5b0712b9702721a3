"""One self-contained HTML page a version: how good it is, why, where it fails, and what nobody checked."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from penstock.domain.datasets import DatasetVersion, Finding, Split, ValidationReport
from penstock.domain.evaluation import Decision, Evaluation, Explanation, Gate
from penstock.domain.features import FeaturePlan
from penstock.domain.models import Bundle, FittedModel, Package, Signature
from penstock.domain.search import SearchResult, Trial
from penstock.domain.workspace import Workspace
from penstock.evaluation.answers import metric_of, ordered_classes
from penstock.evaluation.metrics import shown
from penstock.evaluation.reporting import plain
from penstock.evaluation.reporting.leaderboard import interval, tradeoffs
from penstock.evaluation.reporting.plots import BARS, figures_of, read_points
from penstock.evaluation.wording import count, figure, share, title
from penstock.spec import ProjectSpec
from penstock.store import artifacts, frames

SUSPICIONS = 20
LEADERBOARD = 12
MAX_CONFUSION = 12


@dataclass(frozen=True, slots=True)
class ReportMaterial:
    """Every record that a report shows; what is None or empty did not happen, and the page says so.

    `seconds` are those of the stages so far, by name.
    """

    training: str
    dataset: DatasetVersion
    split: Split
    plan: FeaturePlan
    result: SearchResult
    model: FittedModel
    bundle: Bundle
    evaluation: Evaluation
    explanation: Explanation
    leaks: tuple[Finding, ...] = ()
    validation: ValidationReport | None = None
    gates: tuple[Gate, ...] = ()
    decision: Decision | None = None
    package: Package | None = None
    version: str | None = None
    seconds: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Standing:
    """A line of the leaderboard."""

    trial: Trial
    score: str
    chosen: bool
    interval: str = ""


def write_report(material: ReportMaterial, spec: ProjectSpec, workspace: Workspace) -> str:
    """Write the page of a version, and return the digest under which it is kept.

    Parameters
    ----------
    material
        The records of the version.
    spec
        The project.
    workspace
        Where predictions are read and the page is kept.

    Returns
    -------
    str
        The digest of one HTML file that refers to no other file or host.
    """
    evaluation, signature = material.evaluation, material.model.signature
    points = read_points(evaluation, material.model, workspace)
    page = (
        _environment()
        .get_template("report.html")
        .render(
            material=material,
            spec=spec,
            signature=signature,
            now=workspace.now(),
            figures=figures_of(points, evaluation, material.explanation),
            standings=standings(material.result, material.result.metric or metric_of(spec, signature)),
            tradeoffs=tradeoffs(material.result, material.result.metric or metric_of(spec, signature)),
            search_metric=material.result.metric or metric_of(spec, signature),
            verdict=plain.verdict_words(material.decision.verdict if material.decision else None),
            meaning=plain.meaning(evaluation.score, signature),
            side=plain.side_words(evaluation),
            unchecked=plain.not_checked(spec, material.split, evaluation, material.gates),
            confusion=_confusion(evaluation, signature),
            ids=_ids(material, spec, workspace),
            plan=sorted(material.plan.columns, key=lambda column: column.treatment == "dropped"),
        )
    )
    return artifacts.put_bytes(page.encode(), workspace)


@lru_cache(maxsize=1)
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"figure": figure, "share": share, "title_of": title, "sentence": sentence}
    environment.globals |= {"count": count, "bars": BARS, "suspicions": SUSPICIONS}
    return environment


def sentence(text: str) -> Markup:
    """Return a sentence with a capital letter, and its `names` as code."""
    parts = str(escape(text.strip())).split("`")
    marked = "".join(f"<code>{part}</code>" if place % 2 else part for place, part in enumerate(parts))
    return Markup(marked[:1].upper() + marked[1:])  # noqa: S704  escaped above


def standings(result: SearchResult, metric: str) -> tuple[Standing, ...]:
    """Return the best trials with the best of every family among them; scores are selection scores."""
    finished = [trial for trial in result.trials if trial.state == "finished" and trial.score is not None]
    ranked = sorted(finished, key=lambda trial: (trial.partial, -(trial.score or 0.0)))
    firsts = {trial.family: trial for trial in reversed(ranked)}
    kept = {trial.number for trial in firsts.values()}
    kept |= {trial.number for trial in ranked[: max(0, LEADERBOARD - len(kept))]}
    best = result.best.trial
    return tuple(
        Standing(one, figure(shown(metric, one.score or 0.0)), one.number == best, _ends(one, metric))
        for one in ranked
        if one.number in kept
    )


def _ends(trial: Trial, metric: str) -> str:
    found = interval(trial, metric)
    return "" if found is None else f"{figure(found[0])} to {figure(found[1])}"


def _ids(material: ReportMaterial, spec: ProjectSpec, workspace: Workspace) -> dict[int, str]:
    """Return the ids of the rows whose labels look wrong, where rows have one that may be shown."""
    rows = [entry.row for entry in material.explanation.suspicions[:SUSPICIONS]]
    if spec.id is None or spec.id in spec.columns.sensitive or not rows:
        return {}
    ids = frames.load_table(material.split.dataset, workspace, [spec.id])[spec.id]
    return {row: str(ids.iloc[row]) for row in rows}


def _confusion(evaluation: Evaluation, signature: Signature) -> dict[str, Any] | None:
    table = evaluation.confusion
    names = [str(name) for name in ordered_classes(signature)]
    if not table or len(names) > MAX_CONFUSION:
        return None
    totals = [max(sum(row), 1) for row in table]
    rows = [
        (names[place], [(cell, round(cell / totals[place], 3), here == place) for here, cell in enumerate(row)])
        for place, row in enumerate(table)
    ]
    return {"names": names, "rows": rows}
