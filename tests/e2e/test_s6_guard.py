"""S6: a bad challenger is taken back by itself before it answers anybody, and a good one is not."""

from typing import Any

import numpy as np
import pytest

from penstock.domain.workspace import Workspace
from penstock.serving.session import LoadedBundle
from penstock.store import artifacts, ledger, records
from tests.e2e.rollouts import (
    Orders,
    add_version,
    alias,
    begin_rollout,
    move_alias,
    served,
    settle,
    wait_until,
)
from tests.spoiled import graph_of, raising, slow, turned
from tests.traffic import Traffic, tell

RATE = 50
SHIFT = 0.1
SLOW_SIZE = 2000  # two matrices whose product takes some hundred milliseconds


@pytest.fixture
def traffic(orders: Orders) -> Any:
    settle(orders)
    with Traffic(orders.endpoint, orders.key, orders.rows, RATE).flowing() as found:
        yield found
    assert not found.failures, found.failures
    tell(found.figures)


def graph(orders: Orders) -> bytes:
    version = records.find_version("orders", served("orders", orders.workspace), orders.workspace)
    return graph_of(version.bundle, orders.workspace)


def no_rollout(workspace: Workspace) -> bool:
    release = records.newest_release("orders", workspace)
    return release is not None and not release.active


def shifted(orders: Orders) -> bytes:
    """Say the contrary of the customers with the most in a column, so many that yes is said ten points more often."""
    version = records.find_version("orders", served("orders", orders.workspace), orders.workspace)
    bundle = LoadedBundle.open(artifacts.local_folder(version.bundle, orders.workspace))
    numbers, texts = bundle.decoder.rows(orders.rows)
    scores = bundle.scores(numbers, texts)
    moved = bundle.chosen(scores[:, ::-1]) - bundle.chosen(scores)
    column = int(np.argmax([len(np.unique(each[np.isfinite(each)])) for each in numbers.T]))
    order = np.argsort(-np.nan_to_num(numbers[:, column], nan=-np.inf), kind="stable")
    shift = np.abs(np.cumsum(moved[order])) / len(order)
    place = int(np.argmax(shift >= SHIFT))
    assert shift[place] >= SHIFT, "no column shifts the mix by ten points"
    return turned(graph(orders), float(numbers[order[place], column]), np.inf, column)


@pytest.mark.parametrize("harm", ["latency", "errors", "mix"])
def test_a_bad_challenger_is_taken_back_and_callers_see_nothing(harm: str, orders: Orders, traffic: Traffic) -> None:
    workspace, champion = orders.workspace, served("orders", orders.workspace)
    spoil = {
        "latency": lambda: slow(graph(orders), SLOW_SIZE),
        "errors": lambda: raising(graph(orders), 0.7, 0.85),
        "mix": lambda: shifted(orders),
    }
    version = add_version("orders", workspace, graph=spoil[harm](), name=harm)
    begin_rollout("orders", version, workspace)
    took = wait_until("the challenger is taken back", lambda: no_rollout(workspace), 120)
    last = [each for each in ledger.list_audit("orders", workspace) if each.action == "release.rolled_back"][-1]
    tell(f"{harm}: taken back after {took:.1f} s. {last.reason}")
    assert last.actor == f"guard:{harm}"
    assert "tolerated" in last.reason
    assert "could have shown" in last.reason
    assert served("orders", workspace) == champion
    assert version not in {by for _, by, _ in traffic.answers}
    assert alias("orders", workspace) == champion
    releases = records.list_releases("orders", workspace)
    assert [each.state for each in releases if each.version == version] == ["rolled_back"]
    move_alias("orders", version, workspace)
    wait_until("the alias is put back", lambda: alias("orders", workspace) == champion, 30)
    assert served("orders", workspace) == champion
    refused = [each for each in ledger.list_audit("orders", workspace) if each.action == "alias.refused"][-1]
    assert "needs a reason" in refused.reason


def test_a_good_challenger_reaches_everybody_stage_by_stage(orders: Orders, traffic: Traffic) -> None:
    workspace, champion = orders.workspace, served("orders", orders.workspace)
    version = add_version("orders", workspace)
    begin_rollout("orders", version, workspace)
    took = wait_until("the rollout ends", lambda: no_rollout(workspace), 240)
    tell(f"a good one: 100 % after {took:.1f} s")
    assert served("orders", workspace) == version
    entries = [each for each in ledger.list_audit("orders", workspace) if f'"{version}"' in each.after]
    assert [each.action for each in entries] == ["release.opened", *["release.moved"] * 3]
    assert all("ended: " in each.reason for each in entries[1:])
    wait_until("the alias follows", lambda: alias("orders", workspace) == version, 30)
    traffic.wait_for(version, 10)
    assert {by for _, by, _ in traffic.answers} == {champion, version}
