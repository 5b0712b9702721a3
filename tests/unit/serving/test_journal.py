"""The journal: what is written is found, whatever happened to the process."""

import fcntl
import os
from pathlib import Path
from typing import Any

import pytest

from penstock.domain.workspace import Workspace
from penstock.serving import journal
from penstock.serving.journal import Journal
from penstock.serving.journals.reading import read_entries
from penstock.serving.labels import answered_rows

REST = (
    b'"at":"2026-11-21T12:00:00+00:00","project":"churn","version":"1","release":1,"latency_ms":0.5,'
    b'"rows":[%s],"predictions":[%s]}'
)


def write(spool: Journal, project: str = "churn", rows: int = 1) -> str:
    request_id = spool.ids.next()
    rest = REST % (b",".join([b'{"age":1}'] * rows), b",".join([b'{"value":1.0}'] * rows))
    spool.append(project, request_id, rest)
    return request_id


def test_every_entry_is_found_again(workspace: Workspace) -> None:
    spool = Journal(workspace)
    ids = [write(spool, rows=1 + number % 5) for number in range(500)]
    assert [entry.request_id for entry in read_entries("churn", workspace)] == ids
    for number in (0, 1, 250, 498, 499):
        found = journal.find(ids[number], "churn", workspace)
        assert found is not None
        assert (found.request_id, len(found.rows)) == (ids[number], 1 + number % 5)


def test_what_was_not_answered_is_not_found(workspace: Workspace) -> None:
    spool = Journal(workspace)
    before = spool.ids.next()
    there = write(spool)
    after = spool.ids.next()
    for other in (before, after, "00000000-0000-7000-8000-000000000000", "../../x", "", there.upper()):
        assert journal.find(other, "churn", workspace) is None
    assert journal.find(there, "another", workspace) is None


def test_an_entry_that_nests_too_deep_to_be_read_is_not_found(
    workspace: Workspace, caplog: pytest.LogCaptureFixture
) -> None:
    spool = Journal(workspace)
    deep = spool.ids.next()
    spool.append("churn", deep, REST % (b'{"x":%s}' % (b"[" * 5000 + b"]" * 5000), b'{"value":1.0}'))
    assert journal.find(deep, "churn", workspace) is None
    assert answered_rows([deep], "churn", workspace) == {}
    assert "cannot be read" in caplog.text


def test_entries_are_found_in_the_files_of_several_processes_and_turns(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "ROTATE_BYTES", 500)
    spools = [Journal(workspace), Journal(workspace)]
    ids = [write(spools[number % 2]) for number in range(40)]
    assert len(journal.spool_files("churn", workspace)) > 4
    assert sorted(entry.request_id for entry in read_entries("churn", workspace)) == sorted(ids)
    assert all(journal.find(each, "churn", workspace) is not None for each in ids)


def test_a_torn_last_line_is_passed_over(workspace: Workspace) -> None:
    spool = Journal(workspace)
    ids = [write(spool) for _ in range(3)]
    path = journal.spool_files("churn", workspace)[0]
    path.write_bytes(path.read_bytes()[:-10])
    assert [entry.request_id for entry in read_entries("churn", workspace)] == ids[:2]
    assert journal.find(ids[2], "churn", workspace) is None
    assert journal.find(ids[1], "churn", workspace) is not None


def test_a_line_that_was_written_in_part_is_written_again_in_a_new_file(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = Journal(workspace)
    ids = [write(spool)]
    really_write = os.write
    parts = [10]

    def write_in_part(file: int, line: Any) -> int:
        return really_write(file, line[: parts.pop()] if parts else line)

    monkeypatch.setattr(os, "write", write_in_part)
    ids += [write(spool), write(spool)]
    assert [entry.request_id for entry in read_entries("churn", workspace)] == ids
    assert all(journal.find(each, "churn", workspace) is not None for each in ids)


def test_a_line_that_no_file_takes_spoils_none_that_comes_after(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = Journal(workspace)
    ids = [write(spool)]
    really_write = os.write
    parts = [10, 10]
    monkeypatch.setattr(os, "write", lambda file, line: really_write(file, line[: parts.pop()] if parts else line))
    with pytest.raises(OSError, match="Only 10 of"):
        write(spool)
    ids += [write(spool), write(spool)]
    assert [entry.request_id for entry in read_entries("churn", workspace)] == ids
    assert all(journal.find(each, "churn", workspace) is not None for each in ids)
    spool.close()


def test_a_first_line_that_was_written_in_part_leaves_no_double(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    really_write = os.write
    parts = [10]
    monkeypatch.setattr(os, "write", lambda file, line: really_write(file, line[: parts.pop()] if parts else line))
    request_id = write(Journal(workspace))
    assert [entry.request_id for entry in read_entries("churn", workspace)] == [request_id]
    assert journal.find(request_id, "churn", workspace) is not None


def test_a_file_is_locked_while_its_process_may_write(workspace: Workspace) -> None:
    spool = Journal(workspace)
    write(spool)
    path = journal.spool_files("churn", workspace)[0]
    with path.open("rb") as file:
        with pytest.raises(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        spool.close()
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_files_are_their_owners_alone(workspace: Workspace) -> None:
    write(Journal(workspace))
    assert Path(journal.spool_files("churn", workspace)[0]).stat().st_mode & 0o777 == 0o600


def test_entries_are_read_by_their_time(workspace: Workspace) -> None:
    spool = Journal(workspace)
    write(spool)
    entry = next(read_entries("churn", workspace))
    assert not list(read_entries("churn", workspace, until=entry.at))
    assert list(read_entries("churn", workspace, since=entry.at)) == [entry]
