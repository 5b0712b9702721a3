"""Traffic moved by hand, keys, and labels."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests.e2e.rollouts import Orders, add_version, served, settle
from tests.stranger import Stranger, ask, check_shape


@pytest.fixture(scope="module")
def two(orders: Orders) -> dict[str, Any]:
    """A project with two versions, one of which serves."""
    settle(orders)
    serves = served("orders", orders.workspace)
    other = add_version("orders", orders.workspace)
    rows = orders.rows[:5]
    return {"endpoint": orders.endpoint, "key": orders.key, "rows": rows, "serves": serves, "other": other}


def test_a_version_is_released_by_hand_and_rolled_back(stranger: Stranger, two: dict[str, Any]) -> None:
    serves, other = two["serves"], two["other"]
    released = stranger.answer("release", "orders", other, "--reason", "the fair")
    assert released["release"] == {"state": "serving", "weights": {other: 100.0}}
    assert answering(two, other)
    back = stranger.answer("rollback", "orders", "--reason", "complaint 123")
    assert back["version"] == serves
    assert answering(two, serves)
    entries = stranger.answer("audit", "orders")["entries"]
    assert [entry["action"] for entry in entries][-2:] == ["release.moved", "release.rolled_back"]
    assert entries[-1]["reason"] == "complaint 123"
    assert stranger.answer("audit-verify")["broken"] is None


def answering(two: dict[str, Any], version: str) -> bool:
    """Return whether a version answers within two seconds."""
    import time

    for _ in range(100):
        status, said = ask(two["endpoint"], {"rows": two["rows"]}, two["key"])
        assert status == 200
        if said["version"] == version:
            return True
        time.sleep(0.05)
    return False


def test_a_key_opens_its_project_only_until_it_is_revoked(stranger: Stranger, two: dict[str, Any]) -> None:
    key = stranger.answer("keys", "create", "app", "--project", "orders")["key"]
    other = stranger.answer("keys", "create", "everything")["key"]
    assert ask(two["endpoint"], {"rows": two["rows"]}, key)[0] == 200
    assert ask(two["endpoint"], {"rows": two["rows"]}, other)[0] == 200
    assert ask(two["endpoint"].replace("/orders/", "/churn/"), {"rows": two["rows"]}, key)[0] in {403, 404}
    assert {each["name"] for each in stranger.answer("keys", "list")["keys"]} >= {"app", "everything"}
    stranger.answer("keys", "revoke", "app")
    assert refused(two, key)
    assert "'app'" in stranger.refuse(2, "keys", "create", "app")


def refused(two: dict[str, Any], key: str) -> bool:
    """Return whether a key is refused within some seconds."""
    import time

    for _ in range(100):
        status, said = ask(two["endpoint"], {"rows": two["rows"]}, key)
        if status == 401:
            check_shape(said, "http.json", "error")
            return True
        time.sleep(0.1)
    return False


def test_labels_come_by_request_from_a_file(stranger: Stranger, two: dict[str, Any]) -> None:
    status, said = ask(two["endpoint"], {"rows": two["rows"]}, two["key"])
    assert status == 200
    check_shape(said, "http.json", "predict answer")
    known = said["predictions"][0]["label"]
    labels = pd.DataFrame({"request_id": [said["request_id"]] * 5, "row": range(5), "value": [known] * 5})
    labels.loc[5] = ["00000000-0000-7000-8000-000000000000", 0, known]
    labels.to_csv(stranger.folder / "labels.csv", index=False)
    counts = stranger.answer("label", "orders", "labels.csv")
    assert (counts["accepted"], counts["unknown"]) == (5, 1)
    assert stranger.answer("label", "orders", "labels.csv")["superseded"] == 0


def test_a_stranger_on_a_port_is_named(stranger: Stranger, tmp_path: Path) -> None:
    from tests.stranger import make_stranger

    other = make_stranger(tmp_path)
    other.environment["PENSTOCK_MLFLOW_PORT"] = stranger.environment["PENSTOCK_MLFLOW_PORT"]
    message = other.refuse(2, "up")
    assert stranger.environment["PENSTOCK_MLFLOW_PORT"] in message
    assert "PENSTOCK_MLFLOW_PORT" in message
    other.answer("down")
