"""Reading: every request is read once and in order, sealed or not, and whoever writes meanwhile."""

import threading

import msgspec
import pyarrow.parquet as pq
import pytest

from penstock.domain.workspace import Workspace
from penstock.serving import journal
from penstock.serving.journal import Journal
from penstock.serving.journals import sealing
from penstock.serving.journals.reading import find_entry, read_entries, read_rows
from penstock.serving.journals.sealing import seal
from penstock.serving.journals.segments import sealed_rows
from penstock.serving.labels import answered_rows
from penstock.store import artifacts
from penstock.store.segments import list_segments
from tests.unit.serving.journals.entries import ids_of
from tests.unit.serving.test_journal import write


def test_sealed_and_unsealed_requests_are_read_once_and_in_order(workspace: Workspace) -> None:
    spools = [Journal(workspace), Journal(workspace)]
    ids = [write(spools[number % 2], rows=1 + number % 3) for number in range(50)]
    assert (seal("churn", workspace), seal("churn", workspace)) == (50, 0)
    ids += [write(spools[number % 2]) for number in range(20)]
    assert ids_of(workspace) == sorted(ids)
    assert read_rows("churn", workspace)["request_id"].tolist() == sorted(ids)
    later = [each for each in sorted(ids) if each > ids[60]]
    assert read_rows("churn", workspace, after=ids[60])["request_id"].tolist() == later
    assert [entry.request_id for entry in read_entries("churn", workspace, after=ids[60])] == later
    assert len(journal.spool_files("churn", workspace)) == 2
    before = [find_entry(each, "churn", workspace) for each in sorted(ids)]
    for spool in spools:
        spool.close()
    assert seal("churn", workspace) == 20
    assert not journal.spool_files("churn", workspace)
    assert list(read_entries("churn", workspace)) == before
    assert [find_entry(each, "churn", workspace) for each in sorted(ids)] == before


def test_an_entry_is_read_as_it_was_written(workspace: Workspace) -> None:
    spool = Journal(workspace)
    rest = (
        b'"at":"2026-11-21T12:00:00.5+00:00","project":"churn","version":"2","release":3,"latency_ms":0.25,"id":"k 7",'
        b'"pinned":true,"unknown":{"x":2},"others":[{"x":1},{"x":[null]}],"failed":"3",'
        b'"rows":[{"a":1.50,"b":null,"c":"\\u00fc"}],'
        b'"predictions":[{"value":1e-3}]}'
    )
    spool.append("churn", spool.ids.next(), rest)
    unsealed = list(read_entries("churn", workspace))
    seal("churn", workspace)
    assert list(read_entries("churn", workspace)) == unsealed
    assert (unsealed[0].id, unsealed[0].unknown, unsealed[0].failed) == ("k 7", {"x": 2}, "3")
    assert unsealed[0].others == [{"x": 1}, {"x": [None]}]
    (segment,) = list_segments("churn", workspace)
    assert (segment.from_at, segment.to_at) == (unsealed[0].at, unsealed[0].at)
    (row,) = pq.read_table(artifacts.local_path(segment.digest, workspace)).to_pylist()
    assert (row["id"], row["rows"]) == ('"k 7"', '[{"a":1.50,"b":null,"c":"\\u00fc"}]')


def test_a_segment_that_was_sealed_without_a_column_is_read(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = Journal(workspace)
    ids = [write(spool) for _ in range(3)]
    whole = sealing.table_of
    monkeypatch.setattr(sealing, "table_of", lambda lines: whole(lines).drop_columns(["others"]))
    seal("churn", workspace)
    assert [(each.request_id, each.others) for each in read_entries("churn", workspace)] == [(each, []) for each in ids]
    assert find_entry(ids[1], "churn", workspace) is not None


def test_a_request_that_was_sealed_though_it_nests_too_deep_is_passed_over(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    spool = Journal(workspace)
    ids = [write(spool) for _ in range(3)]
    read, deep = sealing.read_lines, msgspec.Raw(b"[" * 5000 + b"]" * 5000)

    def read_deep(content: bytes) -> list[sealing.Line]:
        first, middle, last = read(content)
        return [first, msgspec.structs.replace(middle, others=deep), last]

    monkeypatch.setattr(sealing, "read_lines", read_deep)
    spool.close()
    assert seal("churn", workspace) == 3
    assert ids_of(workspace) == [ids[0], ids[2]]
    assert find_entry(ids[1], "churn", workspace) is None
    assert ids[1] in caplog.text


def test_rows_of_sealed_requests_are_counted_by_their_ids_alone(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    spools = [Journal(workspace), Journal(workspace)]
    sizes = {write(spools[number % 2], rows=1 + number % 5): 1 + number % 5 for number in range(300)}
    unsealed = spools[0].ids.next()
    seal("churn", workspace)
    monkeypatch.setattr(pq, "read_table", None)
    others = [unsealed, "x", "00000000-0000-7000-8000-000000000000", "ffffffff-ffff-7fff-bfff-ffffffffffff"]
    assert sealed_rows([*sizes, *others], "churn", workspace) == sizes
    assert not sealed_rows(sizes, "another", workspace)
    sizes[write(spools[0], rows=2)] = 2
    for spool in spools:
        spool.close()
    assert answered_rows([*sizes, *others], "churn", workspace) == sizes


def test_requests_are_read_once_while_others_write_and_seal(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "ROTATE_BYTES", 4000)
    written, ended = list[str](), threading.Event()

    def writing() -> None:
        spool = Journal(workspace)
        written.extend(write(spool) for _ in range(1500))
        spool.close()
        ended.set()

    def sealing_on() -> None:
        while not ended.is_set():
            seal("churn", workspace)

    threads = [threading.Thread(target=writing), threading.Thread(target=sealing_on)]
    for thread in threads:
        thread.start()
    while not ended.is_set():
        before = list(written)
        read = ids_of(workspace)
        assert len(read) == len(set(read))
        assert set(before) <= set(read)
    for thread in threads:
        thread.join()
    seal("churn", workspace)
    assert ids_of(workspace) == written
    assert not journal.spool_files("churn", workspace)
