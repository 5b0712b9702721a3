"""S7: a data scientist moves an alias, and production follows; what may not answer is put back."""

import os
import signal
import sqlite3
import time
from collections.abc import Iterator
from itertools import pairwise

import pytest

from penstock.orchestration.processes import read_identity
from penstock.rollout.reconcile import ACTOR
from penstock.stack.parts import record_of
from penstock.store import ledger, records
from penstock.store.alias_requests import list_requests
from tests.e2e.rollouts import Orders, add_version, alias, answers_again, move_alias, served, settle, wait_until
from tests.traffic import Traffic, tell

RATE = 50
SECONDS = 15.0


@pytest.fixture
def traffic(orders: Orders) -> Iterator[Traffic]:
    settle(orders)
    with Traffic(orders.endpoint, orders.key, orders.rows, RATE).flowing() as found:
        yield found
    assert not found.failures, found.failures
    tell(found.figures)


@pytest.fixture(scope="module")
def other(orders: Orders) -> str:
    """A version that may answer, and does not."""
    return add_version("orders", orders.workspace)


def test_the_version_that_an_alias_is_moved_to_answers(orders: Orders, traffic: Traffic, other: str) -> None:
    champion = served("orders", orders.workspace)
    for version in (other, champion):
        move_alias("orders", version, orders.workspace)
        took = traffic.wait_for(version, SECONDS)
        tell(f"version {version} answers after {took:.1f} s")
    last = ledger.list_audit("orders", orders.workspace)[-1]
    assert (last.actor, last.action) == (ACTOR, "release.moved")
    assert alias("orders", orders.workspace) == champion


def test_an_alias_written_into_the_database_is_found_when_the_registry_returns(
    orders: Orders, traffic: Traffic, other: str
) -> None:
    workspace = orders.workspace
    identity = read_identity(record_of("mlflow", workspace))
    assert identity is not None
    os.kill(identity.pid, signal.SIGKILL)
    with sqlite3.connect(workspace.home / "mlflow.db", timeout=30) as connection:
        connection.execute("update registered_model_aliases set version = ? where name = 'orders'", (other,))
    connection.close()
    took = traffic.wait_for(other, 120)
    tell(f"version {other} answers {took:.1f} s after its alias was written where MLflow keeps it")
    answers_again(workspace)
    assert served("orders", workspace) == alias("orders", workspace) == other


def test_a_version_without_passed_gates_is_refused_and_the_alias_put_back(orders: Orders, traffic: Traffic) -> None:
    workspace, champion = orders.workspace, served("orders", orders.workspace)
    bad = add_version("orders", workspace, held=False)
    began = time.time()
    move_alias("orders", bad, workspace)
    took = wait_until("the alias is put back", lambda: alias("orders", workspace) == champion, SECONDS)
    tell(f"put back after {took:.1f} s")
    refused = ledger.list_audit("orders", workspace)[-1]
    assert (refused.actor, refused.action) == (ACTOR, "alias.refused")
    assert "smoke: the examples were answered otherwise" in refused.reason
    assert set(traffic.since(began)) == {champion}


def test_of_five_moves_in_ten_seconds_the_last_one_is_followed(orders: Orders, traffic: Traffic, other: str) -> None:
    workspace, champion = orders.workspace, served("orders", orders.workspace)
    releases, known = len(records.list_releases("orders", workspace)), len(list_requests("orders", workspace))
    last = next(each for each in (other, add_version("orders", workspace)) if each != champion)
    began = time.time()
    for number in range(5):
        move_alias("orders", champion if number % 2 else last, workspace)
        time.sleep(2)
    took = traffic.wait_for(last, SECONDS)
    tell(f"the last value answers {took:.1f} s after the last move")
    assert len(records.list_releases("orders", workspace)) == releases + 1
    assert [each.state for each in list_requests("orders", workspace)[known:]][-1] == "followed"
    moves = [by for _, by, _ in traffic.answers]
    assert sum(one != two for one, two in pairwise(moves)) == 1
    assert set(traffic.since(began)) == {champion, last}
