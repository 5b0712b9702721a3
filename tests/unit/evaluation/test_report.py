"""The report of a version: whole, self-contained, and honest about what it does not know."""

import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from penstock.domain.datasets import DatasetVersion, ExpectationResult, Finding, ValidationReport
from penstock.domain.features import ColumnPlan, FeaturePlan
from penstock.domain.search import Candidate, SearchResult, Trial
from penstock.domain.workspace import Workspace
from penstock.evaluation.explanation import explain
from penstock.evaluation.gates import check_gates
from penstock.evaluation.holdout import evaluate
from penstock.evaluation.judge import Judged, judge
from penstock.evaluation.report import ReportMaterial, standings, write_report
from penstock.evaluation.reporting.plots import write_plots
from penstock.store import artifacts
from tests.unit.evaluation.conftest import World, make_table, make_world

COLUMNS = (
    ColumnPlan("age", "number", "number", "a number with `many` values.", True),
    ColumnPlan("income", "number", "number", "A number."),
    ColumnPlan("plan", "string", "category", "Three values."),
    ColumnPlan("<b>id</b>", "string", "dropped", "An id is never a feature."),
)


def search_result() -> SearchResult:
    found = [("baseline", 0.5), ("linear", 0.93), ("lightgbm", 0.97), ("forest", 0.96)]
    trials = tuple(Trial(n, family, {}, "finished", s, (s,), 1.0, 0) for n, (family, s) in enumerate(found))
    skipped = Trial(4, "mlp", {}, "skipped", None, (), 0.0, None, reason="it needs 900 MB, and 512 MB are free")
    best = Candidate(2, "lightgbm", "tree", {}, 0.97, (0.97,), "o")
    return SearchResult("study", (*trials, skipped), best, "e", 19.0, ())


def gathered(world: World) -> ReportMaterial:
    evaluation = evaluate(world.predictions, world.model, world.split, world.spec, world.workspace)
    gates = check_gates(world.bundle, world.package, evaluation, world.spec, world.workspace)
    challenger = Judged("t", world.model, world.predictions, "7", gates, evaluation)
    dataset = DatasetVersion("churn", world.split.dataset, 3, len(world.table), "churn.csv", datetime.now(UTC), ())
    results = (ExpectationResult("age is at least 0", "age", "critical", False, 12),)
    return ReportMaterial(
        training="0191",
        dataset=dataset,
        split=world.split,
        plan=FeaturePlan("churn", world.split.dataset, "p", COLUMNS),
        result=search_result(),
        model=world.model,
        bundle=world.bundle,
        evaluation=evaluation,
        explanation=explain(world.model, evaluation, world.split, world.spec, world.workspace),
        leaks=(Finding("sum", "critical", ("casual", "registered"), "their sum is the target."),),
        validation=ValidationReport("churn", "d", dataset, results, (), 12, "q", False, ()),
        gates=gates,
        decision=judge(challenger, None, world.split, world.spec, world.workspace),
        package=world.package,
        version="7",
        seconds=(("ingest", 1.25),),
    )


def page_of(material: ReportMaterial, world: World) -> str:
    return artifacts.read_bytes(write_report(material, world.spec, world.workspace), world.workspace).decode()


@pytest.fixture
def page(binary_world: World) -> str:
    return page_of(gathered(binary_world), binary_world)


def test_it_shows_every_part(page: str) -> None:
    titles = re.findall(r"<h2>(.*?)</h2>", page)
    assert titles == [
        "Decision",
        "What drives it",
        "How good it is",
        "Where it fails",
        "Labels that look wrong",
        "The data",
        "How it was chosen",
        "What was not checked",
    ]
    for said in ("Promoted", "churn, version 7", "casual + registered", "Age is at least 0", "it needs 900 MB", "ROC"):
        assert said in page


def test_it_refers_to_no_other_file_or_host(page: str) -> None:
    assert not re.findall(r"(?:src|href|url|@import)\s*[=(]", page)
    assert "<script" not in page
    assert "http" not in page.replace('xmlns="http://www.w3.org/2000/svg"', "")


def test_names_from_the_data_are_escaped(page: str) -> None:
    assert "&lt;b&gt;id&lt;/b&gt;" in page
    assert "<b>id</b>" not in page
    assert "A number with <code>many</code> values." in page


def test_it_says_what_was_not_checked(page: str) -> None:
    unchecked = page.split("What was not checked")[1]
    for said in ("without a time column", "gates.fairness", "gates.cases", "limits", "not what causes"):
        assert said in unchecked


@pytest.mark.parametrize("problem", ["multiclass", "regression"])
def test_every_problem_has_its_charts(problem: str, workspace: Workspace, tmp_path: Path) -> None:
    world = make_world(make_table(1500, problem), workspace, problem, tmp_path)
    found = page_of(gathered(world), world)
    assert found.count("<svg") == (4 if problem == "regression" else 3)
    assert ("truly" in found) == (problem == "multiclass")


def test_it_stands_without_a_decision_or_a_holdout(binary_world: World) -> None:
    world = binary_world
    split = replace(world.split, holdout_rows=0)
    evaluation = evaluate(None, world.model, split, world.spec, world.workspace)
    changed: Any = {"evaluation": evaluation, "decision": None, "gates": (), "validation": None, "version": None}
    found = page_of(replace(gathered(world), split=split, **changed), world)
    assert "Not judged yet" in found
    assert "No rows were held out" in found


def test_the_leaderboard_shows_the_best_of_every_family_first() -> None:
    lines = standings(search_result(), "roc_auc")
    assert [line.trial.family for line in lines] == ["lightgbm", "forest", "linear", "baseline"]
    assert [line.chosen for line in lines] == [True, False, False, False]


@pytest.mark.parametrize(
    ("problem", "names"),
    [
        ("binary", {"roc", "importance", "calibration"}),
        ("multiclass", {"importance", "calibration"}),
        ("regression", {"residuals", "importance", "calibration"}),
    ],
)
def test_charts_are_drawn_as_files(problem: str, names: set[str], workspace: Workspace, tmp_path: Path) -> None:
    world = make_world(make_table(1500, problem), workspace, problem, tmp_path)
    material = gathered(world)
    drawings = tmp_path / "drawings"
    drawings.mkdir()
    files = write_plots(material.evaluation, material.explanation, world.model, drawings, workspace)
    assert set(files) == names
    assert sorted(files.values()) == sorted(drawings.iterdir())
    for path in files.values():
        assert ET.fromstring(path.read_text()).tag == "{http://www.w3.org/2000/svg}svg"  # noqa: S314  our own file
