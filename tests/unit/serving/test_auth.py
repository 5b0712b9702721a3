"""Keys: kept as hashes, scoped, revocable."""

import sqlite3
import time

import pytest

from penstock.domain.workspace import Workspace
from penstock.errors import SpecError
from penstock.serving.auth import UNKNOWN_SECONDS, Keys, create_key, project_key
from penstock.store import access
from penstock.store.access import list_keys, revoke_key


def test_a_key_opens_its_projects_and_no_other(workspace: Workspace) -> None:
    key = create_key("mobile", ("churn",), workspace)
    keys = Keys(workspace)
    keys.refresh()
    assert [keys.opening(key, "churn"), keys.opening(key, "fraud"), keys.opening("other", "churn")] == [
        "opens",
        "elsewhere",
        "unknown",
    ]


def test_a_key_without_projects_opens_all(workspace: Workspace) -> None:
    keys = Keys(workspace)
    keys.refresh()
    key = create_key("everything", (), workspace)
    assert keys.opening(key, "churn") == "unknown"
    keys.look_again(time.monotonic())
    assert keys.opening(key, "churn") == "opens"


def test_a_revoked_key_opens_nothing(workspace: Workspace) -> None:
    key = create_key("mobile", ("churn",), workspace)
    keys = Keys(workspace)
    keys.refresh()
    revoke_key("mobile", workspace)
    keys.refresh()
    assert keys.opening(key, "churn") == "unknown"


def test_a_strangers_keys_do_not_make_the_service_read_over_and_over(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[float] = []

    def nobody(_: Workspace) -> list[access.Key]:
        reads.append(time.monotonic())
        return []

    monkeypatch.setattr(access, "list_keys", nobody)
    keys = Keys(workspace)
    asked = time.monotonic()
    for _ in range(1000):
        keys.look_again(asked)
    keys.look_again(time.monotonic())
    assert len(reads) == 2
    assert reads[1] - reads[0] >= UNKNOWN_SECONDS * 0.9


def test_no_key_is_kept(workspace: Workspace) -> None:
    key = create_key("mobile", ("churn",), workspace)
    assert len(key) >= 43
    with sqlite3.connect(workspace.home / "penstock.db") as connection:
        assert key not in "\n".join(connection.iterdump())
    connection.close()


def test_a_projects_own_key_stays_the_same_and_is_its_owners_alone(workspace: Workspace) -> None:
    key = project_key("churn", workspace)
    assert project_key("churn", workspace) == key
    path = workspace.secrets / "churn.key"
    assert path.stat().st_mode & 0o777 == 0o600
    assert [file.name for file in workspace.secrets.iterdir()] == ["churn.key"]
    assert [known.projects for known in list_keys(workspace)] == [("churn",)]


def test_a_kept_key_is_known_again_after_its_record_was_lost(workspace: Workspace) -> None:
    (workspace.secrets / "churn.key").write_text("a key that was written just before a kill")
    key = project_key("churn", workspace)
    keys = Keys(workspace)
    keys.refresh()
    assert keys.opening(key, "churn") == "opens"


def test_a_revoked_key_of_a_project_is_followed_by_another_one_and_stays_revoked(workspace: Workspace) -> None:
    first = project_key("churn", workspace)
    (known,) = list_keys(workspace)
    revoke_key(known.name, workspace)
    second = project_key("churn", workspace)
    keys = Keys(workspace)
    keys.refresh()
    assert [keys.opening(first, "churn"), keys.opening(second, "churn")] == ["unknown", "opens"]
    assert project_key("churn", workspace) == second
    assert (workspace.secrets / "churn.key").stat().st_mode & 0o777 == 0o600
    assert [file.name for file in workspace.secrets.iterdir()] == ["churn.key"]
    assert [known.revoked_at is None for known in list_keys(workspace)] == [False, True]


def test_a_name_that_could_be_a_path_is_refused(workspace: Workspace) -> None:
    with pytest.raises(SpecError, match="lower-case letters"):
        project_key("../churn", workspace)
