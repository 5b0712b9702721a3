"""Held challengers: one a project, judged again when rows to judge by have grown."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from penstock.domain.evaluation import Comparison, Decision, Gate, Held
from penstock.domain.models import ModelVersion
from penstock.domain.releases import Label
from penstock.domain.workspace import Clock, Workspace
from penstock.errors import Refused
from penstock.rollout import held as holding
from penstock.store import database, ledger, records, tables, trainings
from penstock.store.labels import save_labels


def keep(version: str, dataset: str, workspace: Workspace) -> None:
    training = trainings.begin_training("churn", dataset, "s" * 64, workspace)
    trainings.end_training(training, workspace)
    made = ModelVersion("churn", version, training.id, "run", "m" * 64, "b" * 64, dataset, datetime.now(UTC))
    records.save_version(made, workspace)


@pytest.fixture
def pair(workspace: Workspace) -> Workspace:
    keep("1", "a" * 64, workspace)
    keep("2", "b" * 64, workspace)
    serve("1", workspace)
    return workspace


def serve(version: str, workspace: Workspace) -> None:
    with database.connect(workspace).begin() as connection:
        values = {"state": "serving", "weights": {version: 100.0}, "opened_at": datetime.now(UTC)}
        connection.execute(
            tables.releases.insert().values(project="churn", version=version, actor="me", reason="", **values)
        )


def decided(version: str = "2", rows: int = 200, **changed: object) -> Decision:
    comparison = Comparison("1", version, "roc_auc", rows, 0.01, -0.01, 0.95, 1, 0.04)
    decision = Decision(
        f"d{version}", "churn", "hold", ("It is not better.",), datetime.now(UTC), version, "1", comparison
    )
    return replace(decision, **changed)  # type: ignore[arg-type]


def label(count: int, workspace: Workspace, *, picked: bool = False) -> None:
    now = workspace.now()
    made = [Label("churn", f"r{number}{picked}", 0, "yes", "http", now, now, 1.0, picked) for number in range(count)]
    save_labels([(each, True) for each in made], workspace)


def hold(workspace: Workspace, decision: Decision | None = None) -> Held:
    held = holding.keep_held(decision or decided(), "i1", workspace)
    assert held is not None
    return held


def test_a_held_challenger_is_kept_with_what_it_was_judged_on(pair: Workspace) -> None:
    held = hold(pair)
    assert holding.find_held("churn", pair) == held
    assert (held.version, held.champion, held.rows, held.incident) == ("2", "1", 200, "i1")
    assert [entry.action for entry in ledger.list_audit("churn", pair, incident="i1")] == ["challenger.held"]


def test_the_newest_takes_the_place(pair: Workspace) -> None:
    hold(pair)
    keep("3", "c" * 64, pair)
    hold(pair, decided("3"))
    found = holding.find_held("churn", pair)
    assert found is not None
    assert found.version == "3"


def test_a_challenger_that_repeats_the_champions_training_is_recorded_and_not_held(pair: Workspace) -> None:
    assert holding.keep_held(decided(repeated=True), None, pair) is None
    assert holding.find_held("churn", pair) is None


def test_a_look_that_had_no_rows_is_worth_another_once_there_are_some(pair: Workspace) -> None:
    held = hold(pair, decided(comparison=None))
    label(99, pair)
    assert not holding.has_grown(held, pair)
    label(100, pair)
    assert holding.has_grown(held, pair)


def test_a_challenger_with_a_broken_gate_is_not_held(pair: Workspace) -> None:
    assert holding.keep_held(decided(gates=(Gate("smoke", False, "failed"),)), None, pair) is None


def test_it_is_judged_again_when_natural_labels_have_grown_by_half(pair: Workspace) -> None:
    held = hold(pair)
    label(99, pair)
    label(50, pair, picked=True)
    assert not holding.has_grown(held, pair)
    label(100, pair)
    assert holding.has_grown(held, pair)
    again = hold(pair, decided(rows=300))
    assert again.since == held.since
    assert not holding.has_grown(again, pair)
    assert len(ledger.list_audit("churn", pair)) == 1


def test_a_promoted_one_is_forgotten(pair: Workspace) -> None:
    hold(pair)
    assert holding.keep_held(decided(verdict="promote"), "i1", pair) is None
    assert holding.find_held("churn", pair) is None
    assert ledger.list_audit("churn", pair)[-1].action == "challenger.dropped"


def test_one_whose_champion_serves_no_more_is_not_judged(pair: Workspace) -> None:
    held = hold(pair)
    assert holding.find_rival(held, pair).version == "1"
    serve("2", pair)
    assert holding.is_overtaken(held, pair)
    with pytest.raises(Refused, match="must be judged against version 1"):
        holding.find_rival(held, pair)


def test_it_is_held_for_two_weeks_of_the_calendar(pair: Workspace) -> None:
    held = hold(pair)
    later = replace(pair, clock=Clock(datetime.now(UTC) + timedelta(days=15), 1.0, datetime.now(UTC)))
    assert not holding.is_too_old(held, pair)
    assert holding.is_too_old(held, later)
