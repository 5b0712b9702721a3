"""Sealing: every request is in the journal once, whatever was killed, and whoever writes meanwhile."""

from penstock.domain.workspace import Workspace
from penstock.serving import journal
from penstock.serving.journal import Journal
from penstock.serving.reading import find_entry, read_entries, read_rows
from penstock.serving.sealing import seal
from penstock.serving.segments import sealed_rows
from tests.unit.serving.test_journal import write


def test_sealed_and_unsealed_requests_are_read_once_and_in_order(workspace: Workspace) -> None:
    spools = [Journal(workspace), Journal(workspace)]
    ids = [write(spools[number % 2], rows=1 + number % 3) for number in range(50)]
    assert seal("churn", workspace) == 50
    assert seal("churn", workspace) == 0
    ids += [write(spools[number % 2]) for number in range(20)]
    assert [entry.request_id for entry in read_entries("churn", workspace)] == sorted(ids)
    assert read_rows("churn", workspace)["request_id"].tolist() == sorted(ids)
    assert read_rows("churn", workspace, after=ids[60])["request_id"].tolist() == [
        each for each in sorted(ids) if each > ids[60]
    ]
    assert sealed_rows(ids, "churn", workspace) == {each: 1 + number % 3 for number, each in enumerate(ids[:50])}
    assert len(journal.spool_files("churn", workspace)) == 2
    before = [find_entry(each, "churn", workspace) for each in sorted(ids)]
    for spool in spools:
        spool.close()
    assert seal("churn", workspace) == 20
    assert not journal.spool_files("churn", workspace)
    assert list(read_entries("churn", workspace)) == before
    assert [find_entry(each, "churn", workspace) for each in sorted(ids)] == before
