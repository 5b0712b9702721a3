"""Rows that the workshop leaves for a rollout: of the challenger's dataset, and those that the judge has seen."""

import uuid
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from penstock.domain.datasets import Split
from penstock.domain.evaluation import Comparison, Decision
from penstock.domain.releases import Release
from penstock.domain.workspace import Workspace
from penstock.evaluation.intervals import looks
from penstock.evaluation.judge import NAMESPACE
from penstock.rollout import kept
from penstock.rollout import release as releases
from penstock.rollout.writing import Cause
from penstock.store import frames, records
from tests.unit.rollout.stage import STAGES, answering, decide, make_spec, open_release

ROWS = 50
JUDGED = 20


@pytest.fixture
def two(workspace: Workspace, tmp_path: Path) -> Workspace:
    """Version 1 serves; version 2 was held, on the newest of its dataset's rows, which stand in it in no order."""
    for version in ("1", "2"):
        answering(version, workspace, tmp_path)
    open_release(decide("1", workspace), workspace)
    days = np.random.default_rng(1).permutation(ROWS)
    table = pd.DataFrame(
        {
            "age": 20.0 + days,
            "income": 1000.0,
            "plan": "gold",
            "day": pd.Timestamp("2026-01-01") + pd.to_timedelta(days, "D"),
        }
    )
    dataset = frames.save_table(table, workspace)
    records.save_version(replace(records.find_version("churn", "2", workspace), dataset=dataset), workspace)
    digests = days.astype(np.uint64) + 1000
    arrays = frames.save_array(digests, workspace)
    split = Split("churn", dataset, "time", ("day",), arrays, arrays, arrays, 5, True, 30, 20, 0, False, None, "")
    records.save_record("split", "s", "churn", split, workspace)
    judged_on("champion:t1:t2:aaaa", digests[days >= ROWS - JUDGED], workspace)
    return workspace


def judged_on(key: str, digests: np.ndarray, workspace: Workspace) -> None:
    looks.take_look("churn", key, digests, workspace)
    decision = Decision(
        str(uuid.uuid5(NAMESPACE, f"churn/{key}")),
        "churn",
        "hold",
        ("It is not shown to be better.",),
        datetime.now(UTC),
        "2",
        "1",
        Comparison("1", "2", "roc_auc", JUDGED, 0.01, -0.01, 0.95, 1, 0.04),
    )
    records.save_record("decision", decision.id, "churn", decision, workspace)


def propose(workspace: Workspace) -> Release:
    return releases.propose_release("churn", "2", Cause("somebody", "The alias was moved."), workspace)


def test_a_held_version_that_is_proposed_and_approved_has_rows_to_be_replayed(two: Workspace) -> None:
    waiting = propose(two)
    assert kept.kept_rows("churn", "2", two) == []
    begun = releases.approve_release(waiting, make_spec(STAGES), Cause("ann", "fine"), two)
    assert begun.state == "shadow"
    rows = kept.kept_rows("churn", "2", two)
    assert len(rows) == ROWS
    assert set(rows[0]) == {"age", "income", "plan"}


def test_the_rows_that_the_judge_has_seen_are_kept_oldest_first(two: Workspace) -> None:
    begun = releases.approve_release(propose(two), make_spec(STAGES), Cause("ann", "fine"), two)
    (rows,) = kept.judged_rows(begun, two)
    assert [row["age"] for row in rows] == [20.0 + day for day in range(ROWS - JUDGED, ROWS)]
    assert list(kept.judged_rows(replace(begun, previous="9"), two)) == []  # not judged against that one


def test_where_nothing_was_compared_no_rows_are_known(two: Workspace) -> None:
    judged_on("champion:t1:t2:bbbb", np.arange(5, dtype=np.uint64), two)  # rows of a table that is gone
    begun = releases.approve_release(propose(two), make_spec(STAGES), Cause("ann", "fine"), two)
    assert list(kept.judged_rows(begun, two)) == []
    assert len(kept.kept_rows("churn", "2", two)) == ROWS


def test_a_version_that_goes_to_all_at_once_is_not_replayed(two: Workspace) -> None:
    releases.approve_release(propose(two), make_spec((100,)), Cause("ann", "fine"), two)
    assert kept.kept_rows("churn", "2", two) == []
