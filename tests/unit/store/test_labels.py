"""True values of answered rows, and what came of them since."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
import sqlalchemy as sa

from penstock.domain.releases import Label, LabelCounts
from penstock.domain.workspace import Workspace
from penstock.store import labels as module
from penstock.store.database import reading
from penstock.store.labels import (
    adopt_labels,
    count_labels,
    labels_since,
    list_labels,
    parked_labels,
    save_labels,
)
from penstock.store.tables import labels

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def a_label(row: int, value: str, hours: float = 0, project: str = "churn") -> Label:
    """Return a label of a row of one request."""
    at = NOON + timedelta(hours=hours)
    return Label(project, "01a1fec6-884a-7740-808f-77743db742bf", row, value, "http", at, at)


def test_labels_after_a_number_are_the_newest_of_known_rows(workspace: Workspace) -> None:
    save_labels([(a_label(0, "a"), True), (a_label(1, "b"), True), (a_label(2, "c"), False)], workspace)
    first = labels_since("churn", 0, workspace)
    assert [label.value for _, label in first] == ["a", "b"]
    last = first[-1][0]
    assert labels_since("churn", last, workspace) == []
    save_labels([(a_label(0, "a", 1), True), (a_label(1, "x", 2), True)], workspace)
    ((number, label),) = labels_since("churn", last, workspace)
    assert (label.value, number > last) == ("x", True)
    assert labels_since("another", 0, workspace) == []
    assert [label.value for label in list_labels("churn", workspace)] == ["a", "x"]


def test_a_value_said_twice_at_once_supersedes_the_first_which_stays_in_the_history(workspace: Workspace) -> None:
    assert save_labels([(a_label(0, "a"), True), (a_label(0, "b"), True)], workspace) == LabelCounts(2, 1, 0)
    assert save_labels([(a_label(0, "c"), True), (a_label(0, "c"), True)], workspace) == LabelCounts(2, 1, 0)
    with reading(workspace).begin() as connection:
        kept = connection.execute(sa.select(labels.c.value, labels.c.newest).order_by(labels.c.number)).all()
    assert [tuple(row) for row in kept] == [("a", False), ("b", False), ("c", True)]


def test_many_labels_of_many_requests_are_kept_and_superseded_at_once(workspace: Workspace) -> None:
    def said(value: str) -> list[tuple[Label, bool]]:
        return [(replace(a_label(0, value), request_id=f"request {number}"), True) for number in range(1200)]

    assert save_labels(said("a"), workspace) == LabelCounts(1200, 0, 0)
    assert save_labels(said("a"), workspace) == LabelCounts(1200, 0, 0)
    assert save_labels(said("b"), workspace) == LabelCounts(1200, 1200, 0)
    assert [label.value for label in list_labels("churn", workspace)] == ["b"] * 1200


def test_another_writer_has_its_turn_between_two_parts(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = list[int]()

    def sleep(_: float) -> None:
        save_labels([(a_label(9, "b"), True)], workspace)
        kept.append(len(list_labels("churn", workspace)))

    monkeypatch.setattr(module, "PART", 2)
    monkeypatch.setattr(module, "time", SimpleNamespace(sleep=sleep))
    given = [a_label(row, "a") for row in (0, 1, 2, 0, 9)]
    assert save_labels([(label, True) for label in given], workspace) == LabelCounts(5, 1, 0)
    assert kept == [3, 4]
    parked = [(replace(label, project="another"), False) for label in given[:3]]
    save_labels(parked, workspace)
    assert adopt_labels(parked_labels("another", NOON, workspace), workspace) == 3
    assert len(kept) == 4


def test_labels_that_come_again_after_a_kill_between_two_parts_are_kept_once(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(_: float) -> None:
        raise KeyboardInterrupt

    given = [(a_label(row, "a"), row != 3) for row in range(5)]
    monkeypatch.setattr(module, "PART", 2)
    monkeypatch.setattr(module, "PAUSE_SECONDS", 0)
    with monkeypatch.context() as patched:
        patched.setattr(module, "time", SimpleNamespace(sleep=killed))
        with pytest.raises(KeyboardInterrupt):
            save_labels(given, workspace)
    assert len(list_labels("churn", workspace)) == 2
    assert save_labels(given, workspace) == LabelCounts(4, 0, 1)
    with reading(workspace).begin() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(labels)).scalar_one() == 5


def test_labels_are_counted_by_when_they_came(workspace: Workspace) -> None:
    save_labels([(a_label(row, "a", row), row != 3) for row in range(5)], workspace)
    assert count_labels("churn", NOON, workspace) == 4
    assert count_labels("churn", NOON + timedelta(hours=2), workspace) == 2


def test_a_parked_label_that_comes_again_after_its_row_counts(workspace: Workspace) -> None:
    assert save_labels([(a_label(0, "a"), False)], workspace) == LabelCounts(0, 0, 1)
    assert save_labels([(a_label(0, "a", 1), True)], workspace) == LabelCounts(1, 0, 0)
    assert [label.value for label in list_labels("churn", workspace)] == ["a"]


def test_parked_labels_are_adopted_once(workspace: Workspace) -> None:
    save_labels([(a_label(0, "a"), False), (a_label(1, "b"), False), (a_label(2, "c", -48), False)], workspace)
    parked = parked_labels("churn", NOON, workspace)
    assert [label.value for _, label in parked] == ["a", "b"]
    save_labels([(a_label(1, "x", 1), False)], workspace)
    assert (adopt_labels(parked, workspace), adopt_labels(parked, workspace)) == (1, 0)
    assert list_labels("churn", workspace) == [a_label(0, "a")]
