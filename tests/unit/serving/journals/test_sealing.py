"""Sealing: every request is in the journal once, whatever was killed, and whoever seals meanwhile."""

import fcntl
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from penstock.domain.releases import Label
from penstock.domain.workspace import Workspace
from penstock.serving import journal
from penstock.serving.journal import Journal
from penstock.serving.journals import sealing
from penstock.serving.journals.reading import read_rows
from penstock.serving.journals.sealing import seal, seal_waiting
from penstock.serving.labels import adopt_parked, answered_rows
from penstock.store import artifacts
from penstock.store.labels import list_labels, save_labels
from penstock.store.segments import list_segments, save_segment
from tests.unit.serving.journals.entries import ids_of
from tests.unit.serving.test_journal import REST, write


class Killed(BaseException):
    """Stands for the end of the process."""


def test_the_same_part_gives_the_same_segment(workspace: Workspace) -> None:
    spool = Journal(workspace)
    for _ in range(20):
        write(spool)
    content = journal.spool_files("churn", workspace)[0].read_bytes()
    tables = {sealing._parquet(sealing.read_lines(content)) for _ in range(3)}
    assert len(tables) == 1


@pytest.mark.parametrize("place", range(4))
@pytest.mark.parametrize("done", [False, True])
def test_a_kill_between_two_acts_loses_and_doubles_nothing(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, place: int, done: bool
) -> None:
    spool = Journal(workspace)
    ids = [write(spool) for _ in range(5)]
    spool.close()
    acts = list[str]()

    def dying(name: str, act: Callable[..., Any]) -> Callable[..., Any]:
        def run(*given: Any, **named: Any) -> Any:
            acts.append(name)
            if len(acts) == place + 1 and not done:
                raise Killed
            result = act(*given, **named)
            if len(acts) == place + 1:
                raise Killed
            return result

        return run

    with monkeypatch.context() as patched:
        patched.setattr(artifacts, "put_bytes", dying("put", artifacts.put_bytes))
        patched.setattr(sealing, "save_segment", dying("index", save_segment))
        patched.setattr(Path, "unlink", dying("delete", Path.unlink))
        with pytest.raises(Killed):
            seal("churn", workspace)
    assert acts == ["put", "put", "index", "delete"][: place + 1]
    assert ids_of(workspace) == ids
    assert read_rows("churn", workspace)["request_id"].tolist() == ids
    assert set(answered_rows(ids, "churn", workspace)) == set(ids)
    indexed = place > 2 or (place == 2 and done)
    assert seal("churn", workspace) == (0 if indexed else 5)
    assert ids_of(workspace) == ids
    assert len(list_segments("churn", workspace)) == 1
    assert not journal.spool_files("churn", workspace)


DIES = """
import os, sys
from pathlib import Path
from penstock.domain.workspace import Workspace
from penstock.serving.journals import sealing
Path.unlink = lambda *_, **__: os._exit(9)
sealing.seal("churn", Workspace(home=Path(sys.argv[1]), app=Path()))
"""


def test_a_sealing_process_that_dies_gives_its_lock_back(workspace: Workspace) -> None:
    spool = Journal(workspace)
    ids = [write(spool) for _ in range(5)]
    spool.close()
    assert subprocess.run([sys.executable, "-c", DIES, str(workspace.home)], check=False).returncode == 9
    assert len(journal.spool_files("churn", workspace)) == 1
    assert ids_of(workspace) == ids
    assert seal("churn", workspace) == 0
    assert not journal.spool_files("churn", workspace)
    assert ids_of(workspace) == ids


def test_two_sealings_of_the_same_part_keep_it_once(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    spool = Journal(workspace)
    ids = [write(spool) for _ in range(5)]

    def overtaken(*given: Any) -> bool:
        monkeypatch.setattr(sealing, "save_segment", save_segment)
        assert seal("churn", workspace) == 5
        ids.append(write(spool))
        return save_segment(*given)

    monkeypatch.setattr(sealing, "save_segment", overtaken)
    assert (seal("churn", workspace), seal("churn", workspace)) == (0, 1)
    assert ids_of(workspace) == ids
    assert sum(segment.requests for segment in list_segments("churn", workspace)) == 6


def test_a_file_that_is_sealed_before_its_writer_locked_it_is_made_again(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock, sealings = fcntl.flock, [1]

    def late(file: Any, how: int) -> None:
        if how == fcntl.LOCK_EX and sealings:
            sealings.pop()
            seal("churn", workspace)
            assert not journal.spool_files("churn", workspace)
        lock(file, how)

    monkeypatch.setattr(fcntl, "flock", late)
    request_id = write(Journal(workspace))
    assert not sealings
    assert ids_of(workspace) == [request_id]


def test_a_torn_last_line_of_a_dead_writer_goes_with_its_spool(workspace: Workspace) -> None:
    spool = Journal(workspace)
    ids = [write(spool) for _ in range(3)]
    spool.close()
    path = journal.spool_files("churn", workspace)[0]
    path.write_bytes(path.read_bytes()[:-10])
    assert seal("churn", workspace) == 2
    assert not journal.spool_files("churn", workspace)
    assert ids_of(workspace) == ids[:2]


def test_an_unreadable_line_stops_no_sealing(workspace: Workspace, caplog: pytest.LogCaptureFixture) -> None:
    spool = Journal(workspace)
    first = write(spool)
    path = journal.spool_files("churn", workspace)[0]
    with path.open("ab") as file:
        file.write(b"\0\0\0\n")
    last = write(spool)
    assert seal("churn", workspace) == 2
    assert ids_of(workspace) == [first, last]
    assert "unreadable" in caplog.text


@pytest.mark.parametrize("levels", [600, 990, 5000])
def test_a_line_that_nests_too_deep_for_readers_stops_no_sealing_and_no_reading(
    workspace: Workspace, caplog: pytest.LogCaptureFixture, levels: int
) -> None:
    spool = Journal(workspace)
    first, deep = write(spool), spool.ids.next()
    spool.append("churn", deep, REST % (b'{"x":%s}' % (b"[" * levels + b"]" * levels), b'{"value":1.0}'))
    last = write(spool)
    assert ids_of(workspace) == [first, last]
    assert seal("churn", workspace) == 2
    assert ids_of(workspace) == [first, last]
    assert f"nests {levels + 3} deep" in caplog.text


def test_what_waits_is_sealed_when_it_is_large_or_its_writer_is_gone(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    living, gone = Journal(workspace), Journal(workspace)
    write(living)
    assert seal_waiting(workspace) == 0
    write(gone, project="another")
    gone.close()
    assert seal_waiting(workspace) == 1
    monkeypatch.setattr(sealing, "SEAL_BYTES", 400)
    write(living)
    assert seal_waiting(workspace) == 0
    write(living)
    assert seal_waiting(workspace) == 3
    assert seal_waiting(workspace) == 0


def test_a_project_that_cannot_be_sealed_keeps_no_other_waiting(workspace: Workspace) -> None:
    for project in ("broken", "churn"):
        spool = Journal(workspace)
        write(spool, project=project)
        spool.close()
    path = journal.spool_files("broken", workspace)[0]
    path.unlink()
    path.mkdir()
    with pytest.raises(IsADirectoryError):
        seal_waiting(workspace)
    assert len(list_segments("churn", workspace)) == 1


def test_ids_ascend_in_a_segments_list(workspace: Workspace) -> None:
    spool = Journal(workspace)
    ids = [write(spool) for _ in range(30)]
    seal("churn", workspace)
    (segment,) = list_segments("churn", workspace)
    listed = np.load(artifacts.local_path(segment.ids, workspace))
    assert listed.dtype == np.dtype([("high", "<u8"), ("low", "<u8"), ("rows", "<u4")])
    numbers = [int(each["high"]) << 64 | int(each["low"]) for each in listed]
    assert numbers == [int(each.replace("-", ""), 16) for each in ids]


def test_a_large_spool_is_sealed_in_parts(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealing, "PART_BYTES", 500)
    spool = Journal(workspace)
    ids = [write(spool) for _ in range(20)]
    assert seal("churn", workspace) == 20
    segments = list_segments("churn", workspace)
    assert len(segments) > 4
    assert [segment.start for segment in segments[1:]] == [segment.end for segment in segments[:-1]]
    assert ids_of(workspace) == ids


def test_a_parked_label_is_taken_once_its_request_is_there(workspace: Workspace) -> None:
    spool = Journal(workspace)
    request_id = spool.ids.next()
    now = workspace.now()
    early = [Label("churn", request_id, row, "yes", "http", now, now) for row in range(2)]
    save_labels([(each, False) for each in early], workspace)
    assert adopt_parked("churn", workspace) == 0
    spool.append("churn", request_id, REST % (b'{"age":1}', b'{"value":1.0}'))
    seal("churn", workspace)
    assert (adopt_parked("churn", workspace), adopt_parked("churn", workspace)) == (1, 0)
    assert list_labels("churn", workspace) == early[:1]
