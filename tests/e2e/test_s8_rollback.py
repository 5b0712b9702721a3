"""S8: one command gives everything back, with the registry and without it."""

import os
import signal
import time
from collections import Counter
from collections.abc import Iterator

import pytest

from penstock.errors import Refused
from penstock.orchestration.processes import read_identity
from penstock.serving.journals.reading import read_entries
from penstock.stack.parts import record_of
from penstock.store import ledger
from tests.e2e.rollouts import Orders, add_version, alias, answers_again, begin_rollout, served, settle, wait_until
from tests.stranger import Stranger
from tests.traffic import Traffic, tell

RATE = 50
SECONDS = 5.0


@pytest.fixture
def traffic(orders: Orders) -> Iterator[Traffic]:
    settle(orders)
    with Traffic(orders.endpoint, orders.key, orders.rows, RATE).flowing() as found:
        yield found
    assert not found.failures, found.failures
    asked = [request_id for _, _, request_id in found.answers]
    entries = read_entries("orders", orders.workspace, after=f"{asked[0][:-1]}" if asked else None)
    journalled = Counter(entry.request_id for entry in entries)
    assert set(asked) <= set(journalled)
    assert set(journalled.values()) == {1}
    tell(found.figures)


@pytest.mark.parametrize("registry", ["up", "down"])
def test_the_former_version_answers_everything_within_seconds(
    registry: str, stranger: Stranger, orders: Orders, traffic: Traffic
) -> None:
    workspace, former = orders.workspace, served("orders", orders.workspace)
    version = add_version("orders", workspace)
    stranger.answer("release", "orders", version, "--reason", "the fair")
    traffic.wait_for(version, 10)
    if registry == "down":
        identity = read_identity(record_of("mlflow", workspace))
        assert identity is not None
        os.kill(identity.pid, signal.SIGKILL)
    began = time.time()
    back = stranger.answer("rollback", "orders", "--reason", "complaint 123")
    returned = time.time() - began
    traffic.wait_for(former, 10)
    took = traffic.last_other(former) - began
    tell(f"registry {registry}: the command took {returned:.1f} s; after {took:.1f} s nothing else answered")
    assert took < SECONDS
    assert (back["version"], back["release"]) == (former, {"state": "serving", "weights": {former: 100.0}})
    last = ledger.list_audit("orders", workspace)[-1]
    assert (last.action, last.reason) == ("release.rolled_back", "complaint 123")
    answers_again(workspace)
    wait_until("the alias follows", lambda: alias("orders", workspace) == former, 60)
    time.sleep(SECONDS)
    assert served("orders", workspace) == alias("orders", workspace) == former
    with pytest.raises(Refused, match="was rolled back"):
        begin_rollout("orders", version, workspace)
